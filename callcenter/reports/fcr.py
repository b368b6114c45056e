"""First contact resolution: whether customers had to come back with the same matter.

A *first contact* is an inbound call that reached an agent, where no call of the same customer about the same
topic had reached one within the window before. It is resolved when the same customer does not enter a queue
about the same topic again within the window after, whether or not anybody answers then. The customer is the
caller's number, the topic the first queue that the call entered, the time that of entering it. A repeat at
the very end of the window is one. Calls without a number cannot be told apart: they are counted as withheld
and nowhere else.

While the window is open a first contact may still come back; it is *immature* and stands apart. Beside it
stands what others say of first contacts, mature or not: the agent of the last wrap-up who said anything, and
the customer in a survey's question ``resolved``.
"""

from dataclasses import dataclass, fields

from callcenter.reports.ratio import Ratio

WITHHELD = (
    *("", "anonymous", "private", "restricted", "unavailable", "unknown", "withheld", "blocked"),
    # What Twilio writes in place of a number that is not shown: the same words on a keypad.
    *("+266696687", "+7378742833", "+86282452253", "+8656696", "+2562533"),
)
"""What stands where a caller's number is not known, in lower case."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Counts of first contacts; can be added up."""

    first: int = 0  # mature
    resolved: int = 0
    immature: int = 0
    immature_resolved: int = 0  # so far
    withheld: int = 0
    agent_asked: int = 0  # first contacts of which an agent said whether they are resolved
    agent_resolved: int = 0
    customer_asked: int = 0  # of which the customer said so
    customer_resolved: int = 0

    @property
    def rate(self) -> Ratio:
        """Mature first contacts without a repeat, of all mature ones."""
        return Ratio(self.resolved, self.first)

    @property
    def immature_rate(self) -> Ratio:
        """The same of those whose window is open: it can only fall."""
        return Ratio(self.immature_resolved, self.immature)

    @property
    def agent_rate(self) -> Ratio:
        """Resolved as agents say, of those of which they said anything."""
        return Ratio(self.agent_resolved, self.agent_asked)

    @property
    def customer_rate(self) -> Ratio:
        """Resolved as customers say, of those who answered."""
        return Ratio(self.customer_resolved, self.customer_asked)

    def __add__(self, other: "Resolution") -> "Resolution":
        return Resolution(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))
