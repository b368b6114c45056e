"""How a request stands, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from callback.numbers import masked
from callback.request import Callback
from callback.state import OPEN, State
from callcenter.callbacks.models import Status
from callcenter.web.customer.dates import Calendar
from callcenter.web.customer.visit import Visit

KINDS = {
    State.REQUESTED: "queued",
    State.QUEUED: "queued",
    State.SCHEDULED: "scheduled",
    State.DUE: "queued",
    State.CLAIMED: "preparing",
    State.AGENT_RESERVED: "preparing",
    State.AGENT_ACCEPTED: "preparing",
    State.DIALING: "dialing",
    State.ANSWERED: "talking",
    State.CONFIRMING: "talking",
    State.WAITING_AGENT: "talking",
    State.BRIDGED: "talking",
    State.RETRY_WAIT: "retry",
    State.RECONCILING: "checking",
    State.COMPLETED: "completed",
    State.CANCELLED: "cancelled",
    State.MERGED: "merged",
    State.EXHAUSTED: "exhausted",
    State.EXPIRED: "expired",
    State.REJECTED: "rejected",
    State.FAILED: "failed",
}
NOW = frozenset({"due", "preparing", "dialing", "talking"})
SORRY = frozenset({"retry", "checking", "exhausted", "expired", "rejected", "failed", "withdrawn"})
PROMISED = frozenset({"queued", "scheduled", "due"})
AGAIN = frozenset({"completed", "cancelled", "withdrawn", "merged", "exhausted", "expired", "failed"})
ALMOST = 2
"""From this place on it is almost one's turn."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is known of the request; ``href`` leads to where it is changed.

    ``heard`` is read out instead of a text that is only for the eye.
    """

    name: str
    text: str
    href: str = ""
    note: str = ""
    heard: str = ""


def number_row(number: str, visit: Visit) -> Row:
    """The number as it may be shown."""
    heard = visit.words["ending"].format(ending=number[-2:])
    return Row(visit.words["your_number"], masked(number), heard=heard)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the page of one request shows.

    ``fingerprint`` changes when the page has to be drawn anew. ``live``: it has not ended. ``again``: another
    call may be asked for.
    """

    fingerprint: str
    tone: str
    title: str
    text: str
    late: str
    place: str
    window_name: str
    window: str
    zone: str
    rows: Sequence[Row]
    updated: str
    live: bool
    may_change: bool
    again: bool

    def as_json(self) -> dict[str, str]:
        """What changes without anything else changing."""
        return {
            "state": self.fingerprint,
            "place": self.place,
            "window": self.window,
            "updated": self.updated,
            "spoken": self.place and f"{self.title}. {self.place}",
        }


def standing(status: Status, topic: str, visit: Visit) -> Standing:
    """``topic`` is what it is about, in the visitor's language."""
    callback, words = status.callback, visit.words
    texts: dict[str, str] = {**words}  # type: ignore[dict-item]
    kind, calendar = kind_of(status), visit.calendar(callback.zone)
    is_late = kind in PROMISED and visit.now > callback.promised_until
    window_name, window = _window(kind, status, calendar, visit)
    live = callback.state in OPEN
    return Standing(
        fingerprint=f"{kind}-{callback.version}-{callback.attempts}-{status.may_change:d}{is_late:d}",
        tone=_tone(kind, live),
        title=texts[f"{kind}_title"],
        text=texts[f"{kind}_text"],
        late=words["late"] if is_late else "",
        place=_place(kind, status),
        window_name=window_name,
        window=window,
        zone=words["zone_line"].format(zone=calendar.zone_name(callback.promised_from)) if live else "",
        rows=_rows(callback, topic, visit),
        updated=words["updated"].format(time=calendar.clock(visit.now)),
        live=live,
        may_change=status.may_change,
        again=kind in AGAIN,
    )


def kind_of(status: Status) -> str:
    """Which of the texts holds."""
    callback, place = status.callback, status.place
    match callback.state:
        case State.DUE if place is None or place <= ALMOST:
            return "due"
        case State.DUE if callback.slot_start is not None:
            return "due"
        case State.RETRY_WAIT if not callback.attempts:
            return "queued"
        case State.CANCELLED if callback.ended_by != "customer":
            return "withdrawn"
        case state:
            return KINDS[state]


def _place(kind: str, status: Status) -> str:
    return str(status.place) if status.place is not None and kind in PROMISED else ""


def _window(kind: str, status: Status, calendar: Calendar, visit: Visit) -> tuple[str, str]:
    callback, words = status.callback, visit.words
    if kind in PROMISED:
        name = words["window_was" if visit.now > callback.promised_until else "window"]
        return name, calendar.span(callback.promised_from, callback.promised_until)
    if kind == "retry" and status.next_at is not None:
        return words["next_try"], words["not_before"].format(
            time=calendar.moment(status.next_at, inside=True)
        )
    return "", ""


def _rows(callback: Callback, topic: str, visit: Visit) -> list[Row]:
    words = visit.words
    rows = [Row(words["about"], topic), number_row(callback.number, visit)]
    if callback.attempts:
        made = words["attempts"].format(made=callback.attempts, most=callback.attempts_max)
        rows.append(Row(words["calls_made"], made))
    return [row for row in rows if row.text]


def _tone(kind: str, live: bool) -> str:
    if kind in NOW:
        return "now"
    if kind in SORRY:
        return "sorry"
    return "waiting" if live else "over"
