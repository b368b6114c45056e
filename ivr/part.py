"""What all parts of a flow file have in common: strictness, names, and errors that know their place.

Every scalar of a flow file arrives here as text, because YAML would read ``no`` as false, ``09:30`` as
570 and an account ``007`` as 7. pydantic turns text into numbers and truth values where a field asks.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

RECOGNISED_VARIABLES = frozenset(
    {
        *("caller_known", "caller_calls", "last_agent", "last_queue", "last_call_days", "last_outcome"),
        *("open_callback", "callback_window"),
    }
)
"""What earlier calls say about the caller, and whether they are to be called back."""

RESERVED_VARIABLES = RECOGNISED_VARIABLES | {
    "call_id",
    "caller",
    "called",
    "closed",
    "closure_message",
    "language",
    "recording_consent",
}


class Part(BaseModel):
    """A piece of a flow file: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def problem(message: str, *at: str | int) -> PydanticCustomError:
    """An error in the field ``at``, counted from the place where the validator stands."""
    return PydanticCustomError("flow", "{message}", {"message": message, "at": at})


def as_list(value: Any) -> Any:
    """A single item stands for a list of one."""
    return [value] if isinstance(value, str | dict) else value


def _not_reserved(name: str) -> str:
    if name in RESERVED_VARIABLES:
        raise problem(f"{name} is set by the call and cannot be changed")
    return name


def _keys(value: str) -> str:
    if len(set(value)) < len(value) or not set(value) <= set("0123456789*#"):
        raise problem(f"{value!r} must be different keys out of 0-9, * and #")
    return value


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
NewVariable = Annotated[Variable, AfterValidator(_not_reserved)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Keys = Annotated[str, Field(min_length=1), AfterValidator(_keys)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Texts = Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1, max_length=200)]
