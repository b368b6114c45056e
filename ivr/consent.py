"""The node that tells callers of recording, and may ask them."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ivr.node import Edge, Node
from ivr.part import Name, Seconds, problem
from ivr.prompt import SomePrompts

Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]


class Consent(Node):
    """Say the announcement; conversations are recorded and written down ``always``, ``never`` or as answered.

    With ``ask`` the key ``accept`` consents and ``refuse`` does not. Who gives no answer in ``attempts``
    has not consented. ``refused`` is where those go who have not, if not to ``next``. The variable
    ``recording_consent`` is then yes or no.
    """

    kind: Literal["consent"]
    prompts: SomePrompts
    record: Literal["always", "ask", "never"]
    barge_in: bool = False
    accept: Key = "1"
    refuse: Key = "2"
    timeout_s: Seconds = 5
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    refused: Name | None = None
    next: Name

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.accept == self.refuse:
            raise problem(f"{self.refuse} is also the key that accepts", "refuse")
        if self.refused is not None and self.record == "always":
            raise problem("is never reached: record is always", "refused")
        return self

    def edges(self) -> Iterator[Edge]:
        """The way on, then that of those who refuse."""
        yield Edge("", self.next, ("next",))
        if self.refused is not None:
            yield Edge("refused", self.refused, ("refused",))
