"""How a request stands, in words: every state, both languages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from callback.policy import Wait
from callback.request import Callback, Mode, Source
from callback.state import ENDED, State
from callcenter.callbacks.models import Status
from callcenter.web.customer.language import LANGUAGES
from callcenter.web.customer.standing import KINDS, kind_of, standing
from callcenter.web.customer.visit import Visit

NOW = datetime(2026, 11, 26, 13, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_callback(state: State = State.QUEUED, **values: object) -> Callback:
    times = dict.fromkeys(
        ("state_since", "requested_at", "arrived_at", "not_before", "expires_at", "promised_from"), NOW
    )
    known: dict[str, object] = dict.fromkeys(Callback.__dataclass_fields__)
    known |= times | {"callback_id": uuid4(), "queue": "sales", "number": "+12025550142", "version": 1}
    known |= {"source": Source.PAGE, "mode": Mode.AGENT_FIRST, "state": state, "zone": "Europe/Berlin"}
    known |= {"attempts": 0, "attempts_max": 3, "promised_until": NOW + 20 * MINUTE, "ended_by": ""}
    known |= {"ended_at": NOW if state in ENDED else None}
    return Callback(**known | values)  # type: ignore[arg-type]


def a_status(callback: Callback, place: int | None = None, **values: object) -> Status:
    known = {"wait": Wait(), "next_at": None, "attempts_left": 3, "may_change": True}
    return Status(callback, place, **known | values)  # type: ignore[arg-type]


def a_visit(language: str = "en", now: datetime = NOW) -> Visit:
    return Visit.of("/callback/x", {"lang": language}, "", now)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", State)
def test_every_state_has_plain_words(state: State, language: str) -> None:
    shown = standing(a_status(a_callback(state)), "Contracts", a_visit(language))
    assert shown.title
    assert shown.text
    assert state.value not in shown.text
    assert shown.live is (state not in ENDED)
    assert "+12025550142" not in str(shown)
    assert shown.rows[1].text == "••••••••••42"


def test_each_end_has_words_of_its_own() -> None:
    titles = {standing(a_status(a_callback(state)), "", a_visit()).text for state in ENDED}
    assert len(titles) == len(ENDED)


def test_all_states_are_known() -> None:
    assert KINDS.keys() == set(State)


@pytest.mark.parametrize(
    ("values", "place", "kind"),
    [
        ({"state": State.DUE}, 7, "queued"),
        ({"state": State.DUE}, 2, "due"),
        ({"state": State.DUE}, None, "due"),
        ({"state": State.DUE, "slot_start": NOW}, 7, "due"),
        ({"state": State.RETRY_WAIT, "attempts": 1}, 1, "retry"),
        ({"state": State.RETRY_WAIT}, 1, "queued"),  # nobody has been called yet
        ({"state": State.CANCELLED, "ended_by": "customer"}, None, "cancelled"),
        ({"state": State.CANCELLED, "ended_by": "user admin"}, None, "withdrawn"),
    ],
)
def test_some_states_mean_several_things(values: dict[str, object], place: int | None, kind: str) -> None:
    assert kind_of(a_status(a_callback(**values), place)) == kind  # type: ignore[arg-type]


def test_place_and_window_are_shown_while_they_are_promised() -> None:
    shown = standing(a_status(a_callback(), 3), "Contracts", a_visit())
    assert (shown.place, shown.late) == ("3", "")
    assert shown.window.replace("\u00a0", " ") == "Today, 2:05–2:25 pm"
    assert shown.zone == "All times are Berlin time (UTC+1)."
    calling = standing(a_status(a_callback(State.DIALING), 3), "Contracts", a_visit())
    assert (calling.place, calling.window) == ("", "")


def test_a_broken_promise_is_owned_up_to() -> None:
    shown = standing(a_status(a_callback(), 3), "", a_visit(now=NOW + 21 * MINUTE))
    assert "longer than we promised" in shown.late
    assert shown.window_name == "We promised to call you"
    done = a_callback(State.COMPLETED)
    assert standing(a_status(done), "", a_visit(now=NOW + 21 * MINUTE)).late == ""


def test_the_next_attempt_is_named() -> None:
    again = a_callback(State.RETRY_WAIT, attempts=2)
    shown = standing(a_status(again, 1, next_at=NOW + 5 * MINUTE), "", a_visit())
    assert shown.window.replace("\u00a0", " ") == "Not before today, 2:10 pm"
    assert shown.rows[-1].text == "2 of 3 attempts made"


def test_the_page_is_drawn_anew_only_when_more_than_place_and_time_change() -> None:
    callback = a_callback()
    before = standing(a_status(callback, 5), "", a_visit())
    later = standing(a_status(callback, 4), "", a_visit(now=NOW + MINUTE))
    assert before.fingerprint == later.fingerprint
    assert before.as_json() != later.as_json()
    for other in (replace(callback, version=2), replace(callback, state=State.DIALING)):
        assert standing(a_status(other, 5), "", a_visit()).fingerprint != before.fingerprint
