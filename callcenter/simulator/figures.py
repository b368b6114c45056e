"""The day's figures as the simulated people's own clocks have them; no code is shared with the reports."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callcenter.simulator.truth import CallTruth, ContactTruth


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold that is moved up (``sign`` 1) or down (-1) by ``off_s`` and by how late a call is known."""

    seconds: float
    sign: int = 0
    off_s: float = 0.0


Threshold = float | Limit


def within(wait_s: float, threshold: Threshold, late_s: float) -> bool:
    """Whether a wait that is known to ``late_s`` is within a threshold."""
    if isinstance(threshold, Limit):
        return wait_s <= threshold.seconds + threshold.sign * (threshold.off_s + late_s)
    return wait_s <= threshold


REFUSED = frozenset({"full", "closed"})
"""Why a queue does not take a caller at all; such a contact is offered to nobody."""

_SATISFIED_FROM = 4
_PROMOTES_FROM, _DETRACTS_TO = 9, 6


@dataclass(frozen=True, slots=True)
class Share:
    """A quotient of which both parts are known."""

    part: float
    whole: float

    @property
    def value(self) -> float | None:
        """The quotient; ``None`` where nothing can be divided."""
        return self.part / self.whole if self.whole > 0 else None


@dataclass(frozen=True, slots=True)
class Ratings:
    """What callers answered to the survey, which asks one question of each kind.

    ``csat`` is the share of 4 and 5, ``nps`` promoters (9, 10) less detractors (0 to 6), -100 to 100.
    """

    offered: int
    answered: int
    csat_answers: int
    satisfied: int
    nps_answers: int
    promoters: int
    detractors: int

    @property
    def response(self) -> Share:
        """Who answered at least one question, of those who were asked."""
        return Share(self.answered, self.offered)

    @property
    def csat(self) -> Share:
        """Who was satisfied, of those who said."""
        return Share(self.satisfied, self.csat_answers)

    @property
    def csat_response(self) -> Share:
        """Who said whether they were satisfied, of those who were asked."""
        return Share(self.csat_answers, self.offered)

    @property
    def nps(self) -> Share:
        """Points, of those who said."""
        return Share(100 * (self.promoters - self.detractors), self.nps_answers)

    @property
    def nps_response(self) -> Share:
        """Who said whether they would recommend us, of those who were asked."""
        return Share(self.nps_answers, self.offered)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some calls and contacts. Durations in seconds; ``None`` where nothing can be divided.

    ``handled`` are all contacts that reached an agent, ``answered`` those of them that had waited in a queue.
    """

    calls: int
    outcomes: dict[str, int]
    offered: int
    answered: int
    handled: int
    abandoned: int
    short_abandoned: int
    left: dict[str, int]
    refused: dict[str, int]
    abandonment_gross: Share
    abandonment_net: Share
    answer_rate: Share
    talk_s: float
    hold_s: float
    wrap_up_s: float
    aht_s: float | None
    aht_per_call_s: float | None
    asa_mean_s: float | None
    asa_p50_s: float | None
    asa_p90_s: float | None
    asa_max_s: float | None
    service_level: dict[str, Share]
    survey: Ratings

    def to_json(self) -> dict[str, Any]:
        """Ready for ``json.dumps``; shares as their values."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}


def figures(
    calls: Sequence["CallTruth"],
    answer_within_s: Threshold,
    short_abandon_s: Threshold,
    among: Callable[["ContactTruth"], bool] = lambda _contact: True,
) -> Figures:
    """Count and divide, over calls that have ended and those of their contacts that are ``among``."""
    contacts = [contact for call in calls for contact in call.contacts if among(contact)]
    queued = [contact for contact in contacts if not contact.attended]
    handled = [contact for contact in contacts if contact.connected_at is not None]
    waits = [contact.wait_s for contact in queued if contact.connected_at is not None]
    left = Counter(contact.left_for for contact in queued if contact.connected_at is None)
    gone = left.pop("abandoned", 0)
    refused = Counter({reason: left.pop(reason) for reason in REFUSED & left.keys()})
    short = sum(_is_short(contact, short_abandon_s) for contact in queued)
    offered = len(waits) + gone + left.total()
    talk_s, hold_s, wrap_up_s = (
        sum(getattr(contact, name) for contact in handled) for name in ("talk_s", "hold_s", "wrap_up_s")
    )
    bridged = sum(any(each.connected_at is not None for each in _of(call, among)) for call in calls)
    handle_s = talk_s + hold_s + wrap_up_s
    return Figures(
        calls=len(calls),
        outcomes=dict(sorted(Counter(call.outcome(short_abandon_s) for call in calls).items())),
        offered=offered,
        answered=len(waits),
        handled=len(handled),
        abandoned=gone,
        short_abandoned=short,
        left=dict(sorted(left.items())),
        refused=dict(sorted(refused.items())),
        abandonment_gross=Share(gone, offered),
        abandonment_net=Share(gone - short, offered - short),
        answer_rate=Share(len(waits), offered),
        talk_s=talk_s,
        hold_s=hold_s,
        wrap_up_s=wrap_up_s,
        aht_s=Share(handle_s, len(handled)).value,
        aht_per_call_s=Share(handle_s, bridged).value,
        asa_mean_s=Share(sum(waits), len(waits)).value,
        asa_p50_s=nearest_rank(waits, 50),
        asa_p90_s=nearest_rank(waits, 90),
        asa_max_s=nearest_rank(waits, 100),
        service_level=service_level(queued, answer_within_s, short_abandon_s),
        survey=ratings(calls),
    )


def service_level(
    contacts: Sequence["ContactTruth"], answer_within_s: Threshold, short_abandon_s: Threshold
) -> dict[str, Share]:
    """All six readings of "answered within the threshold"."""
    soon = gone_soon = past = answered = gone = short = 0
    for contact in contacts:
        if contact.left_for in REFUSED:
            continue
        is_answered, is_gone = contact.connected_at is not None, _gave_up(contact)
        in_time = within(contact.wait_s, answer_within_s, contact.late_s)
        answered += is_answered
        gone += is_gone
        short += _is_short(contact, short_abandon_s)
        soon += is_answered and in_time
        gone_soon += is_gone and in_time
        past += not in_time
    everything = soon + gone_soon + past
    return {
        "standard": Share(soon, answered + gone - short),
        "answered_only": Share(soon, answered),
        "abandons_count_as_met": Share(soon + gone_soon, answered + gone),
        "abandons_ignored": Share(soon, everything - gone_soon),
        "abandons_negative": Share(soon, everything),
        "abandons_positive": Share(soon + gone_soon, everything),
    }


def ratings(calls: Sequence["CallTruth"]) -> Ratings:
    """Count what callers answered."""
    scores: dict[str, list[int]] = {"csat": [], "nps": []}
    for call in calls:
        for rated in call.ratings:
            scores[rated.kind].append(rated.score)
    csat, nps = scores["csat"], scores["nps"]
    return Ratings(
        offered=sum(call.survey_heard for call in calls),
        answered=sum(bool(call.ratings) for call in calls),
        csat_answers=len(csat),
        satisfied=sum(score >= _SATISFIED_FROM for score in csat),
        nps_answers=len(nps),
        promoters=sum(score >= _PROMOTES_FROM for score in nps),
        detractors=sum(score <= _DETRACTS_TO for score in nps),
    )


def nearest_rank(values: Sequence[float], percent: float) -> float | None:
    """The percentile that is itself one of the values."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(percent / 100 * len(values)), 1) - 1]


def _gave_up(contact: "ContactTruth") -> bool:
    return contact.connected_at is None and contact.left_for == "abandoned"


def _is_short(contact: "ContactTruth", short_abandon_s: Threshold) -> bool:
    return _gave_up(contact) and within(contact.wait_s, short_abandon_s, contact.late_s)


def _of(call: "CallTruth", among: Callable[["ContactTruth"], bool]) -> Iterator["ContactTruth"]:
    return (contact for contact in call.contacts if among(contact))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Ratings):
        return asdict(value) | {"csat": value.csat.value, "nps": value.nps.value}
    return value.value if isinstance(value, Share) else value
