"""Holds every figure of the service's report against what the simulated people lived through. Pure.

Counts, outcomes and both parts of every ratio must be equal, times must agree within ``TOLERANCE_S`` and how
late the machine made everybody meanwhile, where that was measured. Since a wait is known no better than that,
one that lies so close to a threshold may count on either side of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

from callcenter.demo.naming import CALLED_BACK, lived
from callcenter.simulator.figures import Figures, Limit, Ratings, Share, figures, ratings
from callcenter.simulator.truth import CallTruth, ContactTruth, Truth

TOLERANCE_S = 0.25
_RATIO_TOLERANCE = 1e-9

Value = float | str | None
Among = Callable[[ContactTruth], bool]


class Unit(StrEnum):
    """What a figure is measured in, and with it how it is compared."""

    COUNT = "count"
    RATIO = "ratio"
    SECONDS = "s"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure from both sides. ``scope`` is ``day``, else queue, agent, call or callback with its name."""

    scope: str
    name: str
    unit: Unit
    report: Value
    truth: Value
    equal: bool

    @property
    def difference(self) -> float | None:
        """Report less truth, where both are numbers."""
        if isinstance(self.report, str | None) or isinstance(self.truth, str | None):
            return None
        return self.report - self.truth


@dataclass(frozen=True, slots=True)
class Figure:
    """Where a figure is found on both sides; ``path`` leads through the report's JSON object."""

    name: str
    unit: Unit
    path: tuple[str, ...]
    of_truth: Callable[[Any], float | Share | None]


def _level(name: str) -> Figure:
    return Figure(
        f"service level, {name.replace('_', ' ')}",
        Unit.RATIO,
        ("service_level", name),
        lambda truth: truth.service_level[name],
    )


def _outcome(name: str) -> Figure:
    path = ("outcomes", name)
    return Figure(
        f"calls {name.replace('_', ' ')}", Unit.COUNT, path, lambda truth: truth.outcomes.get(name, 0)
    )


def _gone(kind: str, reason: str) -> Figure:
    return Figure(
        f"{kind}: {reason}",
        Unit.COUNT,
        (kind, reason),
        lambda truth: getattr(truth, kind).get(reason, 0),
    )


def _per_handled(total_s: float, truth: Figures) -> float | None:
    return total_s / truth.handled if truth.handled else None


OUTCOMES = (
    "answered",
    "abandoned",
    "short_abandoned",
    "callback_requested",
    "voicemail",
    "self_served",
    "ivr_abandoned",
    "closed",
    "blocked",
    "timed_out",
    "failed",
)
SERVICE_LEVELS = (
    "standard",
    "answered_only",
    "abandons_count_as_met",
    "abandons_ignored",
    "abandons_negative",
    "abandons_positive",
)
_OF_ONE = frozenset({"p50_s", "p90_s", "max_s"})
"""Figures that are one contact's, not a mean."""

LEFT = ("timeout", "key", "empty", "transfer", "callback", "voicemail", "overflow", "failed")
REFUSED = ("full", "closed")
_CALLS = (
    Figure("calls", Unit.COUNT, ("calls",), lambda truth: truth.calls),
    *map(_outcome, OUTCOMES),
    Figure("handle time per call", Unit.SECONDS, ("aht_per_call_s",), lambda truth: truth.aht_per_call_s),
)
_HANDLED = (
    Figure("handled", Unit.COUNT, ("handled",), lambda truth: truth.handled),
    Figure("handle time (AHT)", Unit.SECONDS, ("aht_s",), lambda truth: truth.aht_s),
    Figure("talk time (ATT)", Unit.SECONDS, ("att_s",), lambda truth: _per_handled(truth.talk_s, truth)),
    Figure("hold", Unit.SECONDS, ("average_hold_s",), lambda truth: _per_handled(truth.hold_s, truth)),
    Figure(
        "wrap-up (ACW)", Unit.SECONDS, ("average_acw_s",), lambda truth: _per_handled(truth.wrap_up_s, truth)
    ),
)
_QUEUED = (
    Figure("offered", Unit.COUNT, ("offered",), lambda truth: truth.offered),
    Figure("answered", Unit.COUNT, ("answered",), lambda truth: truth.answered),
    Figure("abandoned", Unit.COUNT, ("abandoned",), lambda truth: truth.abandoned),
    Figure("short abandoned", Unit.COUNT, ("short_abandoned",), lambda truth: truth.short_abandoned),
    *(_gone("left", reason) for reason in LEFT),
    *(_gone("refused", reason) for reason in REFUSED),
    Figure("answer rate", Unit.RATIO, ("answer_rate",), lambda truth: truth.answer_rate),
    Figure(
        "abandonment, gross", Unit.RATIO, ("abandonment_rate", "gross"), lambda truth: truth.abandonment_gross
    ),
    Figure("abandonment, net", Unit.RATIO, ("abandonment_rate", "net"), lambda truth: truth.abandonment_net),
    Figure("speed of answer (ASA)", Unit.SECONDS, ("asa", "mean_s"), lambda truth: truth.asa_mean_s),
    Figure("speed of answer, p50", Unit.SECONDS, ("asa", "p50_s"), lambda truth: truth.asa_p50_s),
    Figure("speed of answer, p90", Unit.SECONDS, ("asa", "p90_s"), lambda truth: truth.asa_p90_s),
    Figure("speed of answer, max", Unit.SECONDS, ("asa", "max_s"), lambda truth: truth.asa_max_s),
    *map(_level, SERVICE_LEVELS),
)


def _surveyed(what: str, name: str, unit: Unit = Unit.RATIO) -> Figure:
    return Figure(what, unit, ("satisfaction", name), lambda truth: getattr(truth, name))


_SURVEYED = (
    _surveyed("surveys offered", "offered", Unit.COUNT),
    _surveyed("survey response", "response"),
    _surveyed("CSAT", "csat"),
    _surveyed("CSAT response", "csat_response"),
    _surveyed("NPS", "nps"),
    _surveyed("NPS response", "nps_response"),
)


def compare(
    report: Mapping[str, Any], calls: Mapping[str, Mapping[str, Any]], truth: Truth
) -> list[Compared]:
    """Compare the report as a whole, by queue, by agent, and each call.

    ``report`` is the summary as the API gives it, ``calls`` the calls as it gives them by their names
    (``naming``); a call, queue or agent that one side does not know has no value there.
    """
    reading = _Reading(
        float(report["thresholds"]["service_level_s"]), float(report["thresholds"]["short_abandon_s"])
    )
    rows = list(reading.compare("day", (*_CALLS, *_QUEUED, *_HANDLED), report["total"], truth.calls))
    contacts = [contact for call in truth.calls for contact in call.contacts]
    for queue in sorted({*report["by_queue"], *(contact.queue for contact in contacts)}):
        figures_of = report["by_queue"].get(queue, {})
        rows += reading.compare(
            f"queue {queue}", (*_QUEUED, *_HANDLED), figures_of, truth.calls, _in_queue(queue)
        )
    everything = [*truth.calls, *truth.talks]  # whoever is called back is nobody's offer, but an agent's work
    agents = {each.agent for call in everything for each in call.contacts if each.agent}
    for agent in sorted({*report["by_agent"], *agents}):
        figures_of = report["by_agent"].get(agent, {})
        rows += reading.compare(f"agent {agent}", _HANDLED, figures_of, everything, _of_agent(agent))
    by_name = lived(truth)
    for name in sorted({*by_name, *calls}):
        rows += _compare_call(name, calls.get(name), by_name.get(name), reading)
    return rows


def _in_queue(queue: str) -> Among:
    return lambda contact: contact.queue == queue


def _of_agent(agent: str) -> Among:
    return lambda contact: contact.agent == agent


@dataclass(frozen=True, slots=True)
class _Reading:
    """Under which thresholds the truth is counted."""

    answer_within_s: float
    short_abandon_s: float

    def compare(
        self,
        scope: str,
        wanted: Sequence[Figure],
        report: Mapping[str, Any],
        calls: Sequence[CallTruth],
        among: Among = lambda _contact: True,
    ) -> Iterator[Compared]:
        truth = figures(calls, self.answer_within_s, self.short_abandon_s, among)
        nearby = [figures(calls, *thresholds, among) for thresholds in self._nearby()]
        late = [contact.late_s for call in calls for contact in call.contacts if among(contact)]
        for figure in wanted:
            is_one = figure.path[-1] in _OF_ONE
            late_s = max(late, default=0.0) if is_one else sum(late) / max(len(late), 1)
            yield _compare(scope, figure, report, truth, nearby, late_s)

    def outcomes(self, call: CallTruth) -> set[str]:
        """What may have become of a call, as far as its wait is known."""
        return {call.outcome(short_abandon_s) for _, short_abandon_s in self._nearby()}

    def _nearby(self) -> Iterator[tuple[Limit, Limit]]:
        signs = (-1, 0, 1)
        for answer, short in product(signs, signs if self.short_abandon_s else (0,)):
            yield (
                Limit(self.answer_within_s, answer, TOLERANCE_S),
                Limit(self.short_abandon_s, short, TOLERANCE_S),
            )


def compare_satisfaction(report: Mapping[str, Any], truth: Truth) -> list[Compared]:
    """Compare what callers said in surveys, as a whole, by queue and by agent of their last conversation.

    ``report`` is the report on quality as the API gives it.
    """
    asked = [call for call in truth.calls if call.survey_heard]
    rows = _satisfaction("day", report["total"], asked)
    queues, agents = ({_last(call, name) for call in asked} for name in ("queue", "agent"))
    for queue in sorted({*report["by_queue"], *queues}):
        own = [call for call in asked if _last(call, "queue") == queue]
        rows += _satisfaction(f"queue {queue}", report["by_queue"].get(queue, {}), own)
    for agent in sorted({*report["by_agent"], *agents}):
        own = [call for call in asked if _last(call, "agent") == agent]
        rows += _satisfaction(f"agent {agent}", report["by_agent"].get(agent, {}), own)
    return rows


def _satisfaction(scope: str, report: Mapping[str, Any], calls: Sequence[CallTruth]) -> list[Compared]:
    truth: Ratings = ratings(calls)
    return [_compare(scope, figure, report, truth, [truth]) for figure in _SURVEYED]


def _last(call: CallTruth, name: str) -> str:
    """Queue or agent of the last conversation."""
    return next(str(getattr(each, name)) for each in reversed(call.contacts) if each.connected_at is not None)


def _compare(
    scope: str,
    figure: Figure,
    report: Mapping[str, Any],
    truth: Any,
    nearby: Sequence[Any],
    late_s: float = 0.0,
) -> Compared:
    found: Any = report
    for key in figure.path:
        found = found.get(key) if isinstance(found, Mapping) else None
    near = [figure.of_truth(each) for each in nearby]
    true = figure.of_truth(truth)
    if isinstance(true, Share):
        return _compare_share(scope, figure, found, true, [each for each in near if isinstance(each, Share)])
    value = found["value"] if isinstance(found, Mapping) else found
    others = [each for each in near if isinstance(each, int | float)]
    equal = agree(figure.unit, value, true, late_s)
    if figure.unit is Unit.COUNT and value is not None and others:
        equal = min(others) <= value <= max(others)
    return Compared(scope, figure.name, figure.unit, value, true, equal)


def _compare_share(
    scope: str, figure: Figure, found: Mapping[str, float] | None, true: Share, near: Sequence[Share]
) -> Compared:
    """Both parts must lie where the waits that are near a threshold leave them; mostly that is one number."""
    if found is None:
        return Compared(scope, figure.name, figure.unit, None, true.value, true.whole == 0)
    value = found["numerator"] / found["denominator"] if found["denominator"] else None
    parts, wholes = [share.part for share in near], [share.whole for share in near]
    equal = min(parts) <= found["numerator"] <= max(parts) and min(wholes) <= found["denominator"] <= max(
        wholes
    )
    return Compared(scope, figure.name, figure.unit, value, true.value, equal)


def agree(unit: Unit, report: Value, truth: Value, late_s: float = 0.0) -> bool:
    """Whether two values are the same figure; a figure that neither side has is."""
    if isinstance(report, str | None) or isinstance(truth, str | None):
        return report == truth
    match unit:
        case Unit.SECONDS:
            return abs(report - truth) <= TOLERANCE_S + late_s
        case Unit.RATIO:
            return abs(report - truth) <= _RATIO_TOLERANCE
        case Unit.COUNT | Unit.NAME:
            return report == truth


def _compare_call(
    call_name: str, call: Mapping[str, Any] | None, truth: CallTruth | None, reading: _Reading
) -> Iterator[Compared]:
    scope = f"call {call_name}"
    reported = _reported(call) if call is not None else {}
    true = _lived(truth, reading.short_abandon_s) if truth is not None else {}
    # Each contact begins and ends at moments of its own.
    late_s = truth.late_s * (1 + len(truth.contacts)) if truth is not None else 0.0
    of_customers = {"length", "IVR", "wait"} if CALLED_BACK in call_name else set()
    for name, unit in CALL_FIGURES:
        if name in of_customers:  # who picks up knows nothing of what was before
            continue
        value, other = reported.get(name), true.get(name)
        equal = agree(unit, value, other, late_s)
        if name == "outcome" and truth is not None:
            equal = value in reading.outcomes(truth)
        yield Compared(scope, name, unit, value, other, equal)


CALL_FIGURES = (
    ("outcome", Unit.NAME),
    ("queue", Unit.NAME),
    ("agent", Unit.NAME),
    ("handed", Unit.NAME),
    ("said", Unit.NAME),
    ("length", Unit.SECONDS),
    ("IVR", Unit.SECONDS),
    ("wait", Unit.SECONDS),
    ("talk", Unit.SECONDS),
    ("hold", Unit.SECONDS),
    ("ACW", Unit.SECONDS),
)


def _reported(call: Mapping[str, Any]) -> dict[str, Value]:
    timeline = call["timeline"] or {"contacts": []}
    contacts = timeline["contacts"]
    answered = [contact for contact in contacts if contact["connected_at"]]

    def total(name: str, among: Sequence[Mapping[str, Any]]) -> float | None:
        return float(sum(contact[name] for contact in among)) if among else None

    return {
        "outcome": call["outcome"],
        "queue": " > ".join(contact["queue"] for contact in contacts) or None,
        "agent": " > ".join(contact["agent_id"] for contact in answered) or None,
        "handed": ", ".join(call.get("handed", ())) or None,
        "said": ", ".join(call.get("spoken", ())) or None,
        "length": timeline.get("total_s"),
        "IVR": timeline.get("ivr_s"),
        "wait": total("wait_s", contacts),
        "talk": total("talk_s", answered),
        "hold": total("hold_s", answered),
        "ACW": total("acw_s", answered),
    }


def _lived(call: CallTruth, short_abandon_s: float) -> dict[str, Value]:
    contacts = call.contacts
    talked = [contact for contact in contacts if contact.connected_at is not None]
    return {
        "outcome": call.outcome(short_abandon_s),
        "queue": " > ".join(contact.queue for contact in contacts) or None,
        "agent": " > ".join(str(contact.agent) for contact in talked) or None,
        "handed": ", ".join(call.handed) or None,
        "said": ", ".join(call.understood) or None,
        "length": _from(call.answered_at, call.ended_at),
        "IVR": _ivr_s(call),
        "wait": sum(contact.wait_s for contact in contacts) if contacts else None,
        "talk": sum(contact.talk_s for contact in talked) if talked else None,
        "hold": sum(contact.hold_s for contact in talked) if talked else None,
        "ACW": sum(contact.wrap_up_s for contact in talked) if talked else None,
    }


def _ivr_s(call: CallTruth) -> float | None:
    """The time in the flow: before, between and after the contacts."""
    begins = [call.answered_at, *(contact.ended_at for contact in call.contacts)]
    ends = [*(contact.entered_at for contact in call.contacts), call.ended_at]
    spans = [_from(begin, end) for begin, end in zip(begins, ends, strict=True)]
    return None if None in spans else sum(span or 0.0 for span in spans)


def _from(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin
