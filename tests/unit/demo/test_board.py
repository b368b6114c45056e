"""What a watcher knows after some messages."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from callcenter.demo.board import WORDS_KEPT, Board
from callcenter.demo.live_view import draw

CALL = "0b9d7c62-0000-4000-8000-000000000001"
NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


def started(call_id: str = CALL, number: str = "+12125550100") -> dict[str, Any]:
    return {
        "type": "event",
        "event": {"type": "call.started", "call_id": call_id, "data": {"from": number}},
    }


def segment(text: str, leg: str = "caller", agent: str | None = None) -> dict[str, Any]:
    return {"type": "segment", "call_id": CALL, "leg": leg, "agent_id": agent, "text": text}


def state(agents: int = 1, calls: int = 1) -> dict[str, Any]:
    since = "2026-01-01T12:00:00Z"
    return {
        "type": "state",
        "queues": [
            {"name": "sales", "waiting": 2, "oldest_at": since},
            {"name": "support", "waiting": 0, "oldest_at": None},
        ],
        "agents": [
            {"id": f"agent{n}", "state": "wrap_up", "since": since, "call_id": CALL} for n in range(agents)
        ],
        "calls": [
            {
                "from": f"+121255501{n:02d}",
                "phase": "waiting",
                "queue": None,
                "agent_id": None,
                "started_at": since,
            }
            for n in range(calls)
        ],
    }


def picture(board: Board) -> str:
    console = Console(width=100, height=60, force_terminal=False)
    with console.capture() as captured:
        console.print(draw(board, "http://127.0.0.1:8080", 20, 12.4, NOW))
    return captured.get()


def test_words_are_attributed_to_who_said_them() -> None:
    board = Board()
    board.take(started())
    caller = board.take(segment(" My phone is down. "))
    agent = board.take(segment("I see.", leg="agent", agent="alice"))
    assert caller is not None
    assert (caller.speaker, caller.is_agent, caller.text) == ("+12125550100", False, "My phone is down.")
    assert agent is not None
    assert (agent.speaker, agent.is_agent) == ("alice", True)
    assert board.words_heard == 6


def test_words_of_a_call_that_began_before_the_watch() -> None:
    spoken = Board().take(segment("Hello."))
    assert spoken is not None
    assert spoken.speaker == CALL[:8]


def test_calls_are_counted() -> None:
    board = Board()
    board.take(started())
    board.take(started("0b9d7c62-0000-4000-8000-000000000002", "+12125550101"))
    board.take({"type": "event", "event": {"type": "call.ended", "call_id": CALL, "data": {}}})
    assert (board.calls_begun, board.calls_ended) == (2, 1)


def test_other_messages_change_nothing() -> None:
    board = Board()
    assert board.take({"type": "error", "code": "too_slow", "message": "too slow"}) is None
    assert board.take({"type": "event", "event": {"type": "offer.sent", "call_id": CALL}}) is None
    assert board.take({}) is None
    assert (board.calls_begun, board.words_heard) == (0, 0)


def test_only_the_last_words_are_kept() -> None:
    board = Board()
    for number in range(WORDS_KEPT + 5):
        board.take(segment(f"sentence {number}"))
    assert [spoken.text for spoken in board.words][-1] == f"sentence {WORDS_KEPT + 4}"
    assert len(board.words) == WORDS_KEPT


def test_picture_shows_queues_agents_calls_and_words() -> None:
    board = Board()
    board.take(started())
    board.take(state())
    board.take(segment("My phone is [down]."))
    text = picture(board)
    for wanted in (
        "sales",
        "2",
        "30 s",
        "agent0",
        "wrap up",
        "waiting",
        "My phone is [down].",
        "1 of 20 begun",
    ):
        assert wanted in text


def test_picture_of_a_large_day_stays_within_the_screen() -> None:
    board = Board()
    board.take(state(agents=100, calls=200))
    text = picture(board)
    assert "and 92 more" in text
    assert "and 192 more" in text
    assert len(text.splitlines()) < 50


def test_picture_before_anything_is_known() -> None:
    assert "0 of 20 begun" in picture(Board())
