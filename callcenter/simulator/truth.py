"""What really happened in a simulation, as the simulated people lived it, and the day's figures from it.

The figures are computed here from the people's own clocks and share no code with the service's reports,
so that the two can be held against each other. Times are seconds since 1970, UTC.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


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
    """One offer of the call to an agent; ``answer`` is answered, rejected, missed or cancelled."""

    agent: str
    at: float
    answer: str


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
class Rated:
    """An answer to the survey; ``kind`` is csat or nps."""

    kind: str
    score: int


@dataclass(slots=True)
class CallTruth:
    """One call. ``started_at`` is when the number was dialled, ``answered_at`` when the line was up.

    ``ended_by`` is caller, agent, service or network. ``understood`` are the service's names for what it took
    from the caller's words, in order. ``parted_at`` is when the conversation was over; the call may
    go on with a survey then, ``survey_heard`` says whether one was offered.
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
    queue: str | None = None
    queue_entered_at: float | None = None
    offers: list[Offered] = field(default_factory=list)
    agent: str | None = None
    connected_at: float | None = None
    parted_at: float | None = None
    survey_heard: bool = False
    ratings: list[Rated] = field(default_factory=list)
    holds: list[Held] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    message_left: bool = False
    ended_at: float | None = None
    ended_by: str | None = None
    wrap_up_ended_at: float | None = None
    problems: list[str] = field(default_factory=list)

    def ended(self, by: str, at: float) -> None:
        """Note the end; the first to end the call counts."""
        if self.ended_at is None:
            self.ended_at, self.ended_by = at, by

    @property
    def conversation_ended_at(self) -> float | None:
        """The end of the conversation, with which most calls end."""
        return self.parted_at if self.parted_at is not None else self.ended_at

    def outcome(self, short_abandon_s: float) -> str:
        """What became of the call, by the names of the service's reports."""
        if self.connected_at is not None:
            return "answered"
        if self.message_left:
            return "voicemail"
        if self.queue_entered_at is not None and self.ended_at is not None:
            if self.ended_by != "caller":
                return "timed_out" if self.ended_by == "service" else "failed"
            waited_s = self.ended_at - self.queue_entered_at
            return "short_abandoned" if waited_s <= short_abandon_s else "abandoned"
        if self.ended_by == "service" and (self.keys or self.spoken):
            return "self_served"
        return "ivr_abandoned" if self.ended_by == "caller" else "failed"


@dataclass(frozen=True, slots=True)
class Figures:
    """The day's figures. Durations in seconds; ``None`` where nothing can be divided."""

    calls: int
    outcomes: dict[str, int]
    offered: int
    handled: int
    abandoned: int
    short_abandoned: int
    abandonment_gross: float | None
    abandonment_net: float | None
    answer_rate: float | None
    talk_s: float
    hold_s: float
    wrap_up_s: float
    aht_s: float | None
    asa_mean_s: float | None
    asa_p50_s: float | None
    asa_p90_s: float | None
    asa_max_s: float | None
    service_level: dict[str, float | None]
    survey: "Ratings"


@dataclass(frozen=True, slots=True)
class Ratings:
    """What callers answered to the survey: counts, and the two figures made of them.

    ``csat`` is the share of 4 and 5, ``nps`` promoters (9, 10) less detractors (0 to 6), -100 to 100.
    """

    offered: int
    answered: int
    csat_answers: int
    satisfied: int
    nps_answers: int
    promoters: int
    detractors: int
    csat: float | None
    nps: float | None


@dataclass(slots=True)
class Truth:
    """A whole simulation."""

    calls: list[CallTruth] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

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
        day = asdict(self.figures(answer_within_s, short_abandon_s))
        return {"calls": calls, "figures": day, "problems": self.problems}


def nearest_rank(values: Sequence[float], percent: float) -> float | None:
    """The percentile that is itself one of the values."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(percent / 100 * len(values)), 1) - 1]


def figures(calls: Sequence[CallTruth], answer_within_s: float, short_abandon_s: float) -> Figures:
    """Count and divide, over calls that have ended."""
    outcomes = Counter(call.outcome(short_abandon_s) for call in calls)
    answered = [call for call in calls if call.outcome(short_abandon_s) == "answered"]
    waits = [_wait_s(call) for call in answered]
    short = outcomes["short_abandoned"]
    gone = outcomes["abandoned"] + short
    offered = sum(call.queue_entered_at is not None for call in calls)
    hold_s = sum(held.ended_at - held.started_at for call in answered for held in call.holds)
    talk_s = sum(_conversation_s(call) for call in answered) - hold_s
    wrap_up_s = sum(_wrap_up_s(call) for call in answered)
    return Figures(
        calls=len(calls),
        outcomes=dict(sorted(outcomes.items())),
        offered=offered,
        handled=len(answered),
        abandoned=gone,
        short_abandoned=short,
        abandonment_gross=_share(gone, offered),
        abandonment_net=_share(gone - short, offered - short),
        answer_rate=_share(len(answered), offered),
        talk_s=talk_s,
        hold_s=hold_s,
        wrap_up_s=wrap_up_s,
        aht_s=_share(talk_s + hold_s + wrap_up_s, len(answered)),
        asa_mean_s=_share(sum(waits), len(waits)),
        asa_p50_s=nearest_rank(waits, 50),
        asa_p90_s=nearest_rank(waits, 90),
        asa_max_s=nearest_rank(waits, 100),
        service_level=service_level(calls, answer_within_s, short_abandon_s),
        survey=ratings(calls),
    )


def ratings(calls: Sequence[CallTruth]) -> Ratings:
    """Count what callers answered."""
    csat = [rated.score for call in calls for rated in call.ratings if rated.kind == "csat"]
    nps = [rated.score for call in calls for rated in call.ratings if rated.kind == "nps"]
    satisfied = sum(score >= 4 for score in csat)
    promoters, detractors = sum(score >= 9 for score in nps), sum(score <= 6 for score in nps)
    share = _share(promoters - detractors, len(nps))
    return Ratings(
        offered=sum(call.survey_heard for call in calls),
        answered=sum(bool(call.ratings) for call in calls),
        csat_answers=len(csat),
        satisfied=satisfied,
        nps_answers=len(nps),
        promoters=promoters,
        detractors=detractors,
        csat=_share(satisfied, len(csat)),
        nps=None if share is None else 100 * share,
    )


def service_level(
    calls: Sequence[CallTruth], answer_within_s: float, short_abandon_s: float
) -> dict[str, float | None]:
    """All six readings of "answered within the threshold"."""
    soon = gone_soon = past = answered = gone = short = 0
    for call in calls:
        outcome = call.outcome(short_abandon_s)
        is_answered, is_gone = outcome == "answered", outcome in {"abandoned", "short_abandoned"}
        if not is_answered and not is_gone:
            continue
        in_time = _wait_s(call) <= answer_within_s
        answered += is_answered
        gone += is_gone
        short += outcome == "short_abandoned"
        soon += is_answered and in_time
        gone_soon += is_gone and in_time
        past += not in_time
    everything = soon + gone_soon + past
    return {
        "standard": _share(soon, answered + gone - short),
        "answered_only": _share(soon, answered),
        "abandons_count_as_met": _share(soon + gone_soon, answered + gone),
        "abandons_ignored": _share(soon, everything - gone_soon),
        "abandons_negative": _share(soon, everything),
        "abandons_positive": _share(soon + gone_soon, everything),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _wait_s(call: CallTruth) -> float:
    """From entering the queue to the agent, or to giving up."""
    until = call.connected_at if call.connected_at is not None else call.ended_at
    if call.queue_entered_at is None or until is None:
        return 0.0
    return max(until - call.queue_entered_at, 0.0)


def _conversation_s(call: CallTruth) -> float:
    if call.connected_at is None or call.conversation_ended_at is None:
        return 0.0
    return max(call.conversation_ended_at - call.connected_at, 0.0)


def _wrap_up_s(call: CallTruth) -> float:
    if call.conversation_ended_at is None or call.wrap_up_ended_at is None:
        return 0.0
    return max(call.wrap_up_ended_at - call.conversation_ended_at, 0.0)
