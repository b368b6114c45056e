"""Numbers and times of a call's events."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

from callcenter.call.journal import Journal
from callcenter.events import Event, EventType

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_events_are_numbered_timed_and_handed_on_in_order() -> None:
    handed_on: list[Event] = []
    seconds = count()
    call_id, chain_id = uuid4(), uuid4()
    journal = Journal(call_id, chain_id, lambda: START + timedelta(seconds=next(seconds)), handed_on.append)
    first = journal.write(EventType.CALL_STARTED, direction="inbound", **{"from": "+12065550101"})
    journal.write(EventType.OFFER_SENT, queue="sales", agent="ann")
    journal.write(EventType.MEDIA_GAP, leg="caller", ms=40)
    assert first.data == {"direction": "inbound", "from": "+12065550101"}
    assert [event.seq for event in handed_on] == [1, 2, 3]
    assert [event.at for event in handed_on] == [START + timedelta(seconds=second) for second in range(3)]
    assert {(event.call_id, event.chain_id) for event in handed_on} == {(call_id, chain_id)}
    assert (handed_on[1].queue, handed_on[1].agent, handed_on[1].leg) == ("sales", "ann", None)
    assert (handed_on[2].leg, handed_on[2].data) == ("caller", {"ms": 40})
    assert journal.events == handed_on


def test_a_number_is_taken_even_when_handing_on_fails() -> None:
    """The outcome is computed from the journal, so what happened stays in it."""

    def refuse(_event: Event) -> None:
        raise RuntimeError

    journal = Journal(uuid4(), uuid4(), lambda: START, refuse)
    try:
        journal.write(EventType.CALL_STARTED)
    except RuntimeError:
        pass
    assert [event.seq for event in journal.events] == [1]


def test_what_was_seen_before_it_was_confirmed_keeps_its_time() -> None:
    journal = Journal(uuid4(), uuid4(), lambda: START + timedelta(seconds=5), lambda _event: None)
    assert journal.write(EventType.QUEUE_ENTERED, queue="sales", at=START).at == START
    assert journal.write(EventType.OFFER_SENT, queue="sales").at == START + timedelta(seconds=5)
    assert journal.write(EventType.CALL_ENDED, at=START).at == START + timedelta(seconds=5)
