"""The conditions of a branch."""

from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ivr.part import Name, Part, Texts, Variable, problem


class HoursCase(Part):
    """Whether ``hours`` are open."""

    hours: Name
    next: Name

    def __str__(self) -> str:
        return f"{self.hours} open"


class VariableCase(Part):
    """Whether ``variable`` has a value: ``equals`` one, is ``in`` a list, or begins with a ``prefix``."""

    variable: Variable
    equals: str | None = None
    among: Texts | None = Field(None, alias="in")
    prefix: Texts | None = None
    next: Name

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if sum(condition is not None for condition in (self.equals, self.among, self.prefix)) != 1:
            raise problem("must have exactly one of equals, in, prefix")
        return self

    def __str__(self) -> str:
        if self.equals is not None:
            return f"{self.variable} = {self.equals or 'empty'}"
        if self.among is not None:
            return f"{self.variable} in {', '.join(self.among)}"
        return f"{self.variable} {', '.join(f'{prefix}…' for prefix in self.prefix or ())}"

    def matches(self, value: str) -> bool:
        """Whether the variable's value meets the condition."""
        if self.equals is not None:
            return value == self.equals
        return value in self.among if self.among is not None else value.startswith(self.prefix or ())


class PrefixCase(Part):
    """Whether the caller's number begins with one of the prefixes, written as the gateway writes numbers."""

    caller_prefix: Texts
    next: Name

    def __str__(self) -> str:
        return f"from {', '.join(f'{prefix}…' for prefix in self.caller_prefix)}"


class WithheldCase(Part):
    """Whether the caller's number is withheld (``true``) or known (``false``)."""

    caller_withheld: bool
    next: Name

    def __str__(self) -> str:
        return "number withheld" if self.caller_withheld else "number known"


class ClosedCase(Part):
    """Whether somebody has closed the flow at the moment (``true``) or nobody has (``false``)."""

    closed: bool
    next: Name

    def __str__(self) -> str:
        return "closed" if self.closed else "not closed"


_CASES = ("hours", "variable", "caller_prefix", "caller_withheld", "closed")


def _case_tag(value: Any) -> str | None:
    return next((f"<{key}>" for key in _CASES if isinstance(value, dict) and key in value), None)


Case = Annotated[
    Annotated[HoursCase, Tag("<hours>")]
    | Annotated[VariableCase, Tag("<variable>")]
    | Annotated[PrefixCase, Tag("<caller_prefix>")]
    | Annotated[WithheldCase, Tag("<caller_withheld>")]
    | Annotated[ClosedCase, Tag("<closed>")],
    Discriminator(
        _case_tag, custom_error_type="flow", custom_error_message=f"must have one of {', '.join(_CASES)}"
    ),
]
