"""What really happened in a simulation, as the simulated people lived it.

All is noted by the people's own clocks and shares no code with the service, so that the two can be held
against each other. Times are seconds since 1970, UTC.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.figures import Figures, Threshold, figures, within


@dataclass(slots=True)
class Said:
    """A sentence of one party, and how the other one heard it.

    ``score`` is 1.0 where it was heard bit by bit and near 0 where not at all; ``heard_delay_ms`` is from
    mouth to ear. Both are ``None`` where nobody was to hear it.
    """

    speaker: str
    text: str
    started_at: float
    ended_at: float
    complete: bool
    score: float | None = None
    heard_delay_ms: float | None = None

    @property
    def heard(self) -> bool:
        """Whether the other party heard it well enough to know it."""
        return self.score is not None and self.score >= 0.5


@dataclass(slots=True)
class Offered:
    """One offer of the call to an agent, who serves ``queues``.

    ``answer`` is answered, rejected, missed or cancelled, or asked where another agent wanted advice.
    """

    agent: str
    at: float
    answer: str
    queues: tuple[str, ...] = ()
    ended_at: float | None = None


@dataclass(slots=True)
class Held:
    """One time on hold."""

    started_at: float
    ended_at: float


@dataclass(slots=True)
class Pressed:
    """One key."""

    digit: str
    at: float


@dataclass(slots=True)
class Spoken:
    """Something said to the IVR. ``meant`` is the service's name for it, empty for what means nothing there;
    ``reaction`` is what was heard then: taken, confirm, again or nothing.
    """

    text: str
    meant: str
    at: float
    reaction: str


@dataclass(slots=True)
class ContactTruth:
    """One stay in a queue, and the conversation it led to.

    ``left_for`` says why the caller left the queue without an agent: abandoned, failed, or by the names of
    the service's reports. An ``attended`` contact was handed over in person: nobody waited for it.
    """

    queue: str
    entered_at: float
    left_at: float | None = None
    left_for: str = ""
    agent: str | None = None
    connected_at: float | None = None
    parted_at: float | None = None
    holds: list[Held] = field(default_factory=list)
    wrap_up_ended_at: float | None = None
    attended: bool = False
    late_s: float = 0.0

    @property
    def ended_at(self) -> float | None:
        """When queue or agent let go of the caller."""
        return self.parted_at if self.connected_at is not None else self.left_at

    @property
    def wait_s(self) -> float:
        """From entering the queue to the agent, or to leaving."""
        return _span_s(self.entered_at, self.left_at if self.connected_at is None else self.connected_at)

    @property
    def hold_s(self) -> float:
        """All times on hold."""
        return sum(held.ended_at - held.started_at for held in self.holds)

    @property
    def talk_s(self) -> float:
        """The conversation without the times on hold."""
        return _span_s(self.connected_at, self.parted_at) - self.hold_s

    @property
    def wrap_up_s(self) -> float:
        """What the agent had to do afterwards."""
        return _span_s(self.parted_at, self.wrap_up_ended_at)


def _span_s(begin: float | None, end: float | None) -> float:
    return 0.0 if begin is None or end is None else max(end - begin, 0.0)


@dataclass(slots=True)
class Rated:
    """An answer to the survey; ``kind`` is csat or nps."""

    kind: str
    score: int


@dataclass(slots=True)
class CallTruth:
    """One call. ``started_at`` is when the number was dialled, ``answered_at`` when the line was up.

    ``ended_by`` is caller, agent, service or network. ``understood`` are the service's names for what it took
    from the caller's words, in order. The call may go on with a survey after a conversation;
    ``survey_heard`` says whether one was offered. ``handed`` tells of each time that an agent handed the
    caller over, or asked another agent to take the call: blind, completed, cancelled. No time of the call is
    known better than to ``late_s``.
    """

    number: str
    dialled: str
    script: str
    started_at: float
    call_ref: str = ""
    answered_at: float | None = None
    keys: list[Pressed] = field(default_factory=list)
    spoken: list[Spoken] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)
    contacts: list[ContactTruth] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)
    offers: list[Offered] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    message_left: bool = False
    survey_heard: bool = False
    ratings: list[Rated] = field(default_factory=list)
    ended_at: float | None = None
    ended_by: str | None = None
    late_s: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def contact(self) -> ContactTruth | None:
        """The latest contact."""
        return self.contacts[-1] if self.contacts else None

    @property
    def agent(self) -> str | None:
        """The last agent who talked to the caller."""
        return next((each.agent for each in reversed(self.contacts) if each.agent is not None), None)

    @property
    def parted_at(self) -> float | None:
        """When the latest contact's conversation was over; ``None`` where there was none, or it goes on."""
        return self.contacts[-1].parted_at if self.contacts else None

    @property
    def connected_at(self) -> float | None:
        """When the first agent answered."""
        return next((each.connected_at for each in self.contacts if each.connected_at is not None), None)

    def enter(self, queue: str, at: float) -> ContactTruth:
        """Begin to wait."""
        self.contacts.append(ContactTruth(queue, at))
        return self.contacts[-1]

    def leave(self, reason: str, at: float) -> None:
        """Leave the queue without an agent; nothing where nobody waits."""
        contact = self.contact
        if contact is not None and contact.connected_at is None and contact.left_at is None:
            contact.left_at, contact.left_for = at, reason

    def part(self, at: float) -> None:
        """End the conversation; nothing where there is none, or it has ended."""
        contact = self.contact
        if contact is not None and contact.connected_at is not None and contact.parted_at is None:
            contact.parted_at = at

    def ended(self, by: str, at: float) -> None:
        """Note the end; the first to end the call counts."""
        if self.ended_at is None:
            self.ended_at, self.ended_by = at, by
            self.leave(_LEFT_BY.get(by, "failed"), at)
            self.part(at)

    def outcome(self, short_abandon_s: Threshold) -> str:
        """What became of the call, by the names of the service's reports."""
        if self.connected_at is not None:
            return "answered"
        reasons = [contact.left_for for contact in self.contacts]
        if "callback" in reasons:
            return "callback_requested"
        if self.message_left:
            return "voicemail"
        if reasons:
            if reasons[-1] == "abandoned":
                waited_s = sum(contact.wait_s for contact in self.contacts)
                is_short = within(waited_s, short_abandon_s, self.late_s)
                return "short_abandoned" if is_short else "abandoned"
            return _OUTCOME_OF.get(reasons[-1], "failed")
        if self.ended_by == "service" and (self.keys or self.spoken):
            return "self_served"
        return "ivr_abandoned" if self.ended_by == "caller" else "failed"


_LEFT_BY = {"caller": "abandoned", "service": "timeout"}
_OUTCOME_OF = {"timeout": "timed_out", "full": "blocked", "empty": "blocked", "closed": "closed"}


@dataclass(slots=True)
class Truth:
    """A whole simulation."""

    calls: list[CallTruth] = field(default_factory=list)
    callbacks: list[CallbackTruth] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def talks(self) -> list[CallTruth]:
        """The calls by which customers were called back and picked up."""
        return [talk for wish in self.callbacks for talk in wish.talks]

    @property
    def everything_wrong(self) -> list[str]:
        """What anybody saw go wrong."""
        own = [f"{call.number}: {problem}" for call in self.calls for problem in call.problems]
        own += [f"{talk.number}: {problem}" for talk in self.talks for problem in talk.problems]
        for wish in self.callbacks:
            own += [f"{wish.number}: {problem}" for problem in (*wish.problems, *wish.duplicates)]
        return [*self.problems, *own]

    def note(self, problem: str) -> None:
        """Remember what went wrong; the same problem once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def figures(self, answer_within_s: float = 20.0, short_abandon_s: float = 6.0) -> Figures:
        """The figures of the day with these thresholds."""
        return figures(self.calls, answer_within_s, short_abandon_s)

    def to_json(self, answer_within_s: float = 20.0, short_abandon_s: float = 6.0) -> dict[str, Any]:
        """Everything, ready for ``json.dumps``."""
        calls = [asdict(call) | {"outcome": call.outcome(short_abandon_s)} for call in self.calls]
        day = self.figures(answer_within_s, short_abandon_s).to_json()
        callbacks = [asdict(one) for one in self.callbacks]
        return {"calls": calls, "callbacks": callbacks, "figures": day, "problems": self.problems}
