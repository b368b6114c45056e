"""What a watcher knows after some messages."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from callcenter.demo.board import SAYING_MAX, WORDS_KEPT, Board
from callcenter.demo.live_view import draw

CALL = "0b9d7c62-0000-4000-8000-000000000001"
NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


def started(call_id: str = CALL, number: str = "+12125550100") -> dict[str, Any]:
    return {
        "type": "event",
        "event": {"type": "call.started", "call_id": call_id, "data": {"from": number}},
    }


def segment(text: str, leg: str = "caller", agent: str | None = None, **more: Any) -> dict[str, Any]:
    given = {"call_id": CALL, "leg": leg, "agent_id": agent, "text": text}
    return {"type": "segment", "number": 1, "start_ms": 0, "end_ms": 900, "degraded": False, **given, **more}


def partial(stable: str, volatile: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "partial",
        "call_id": CALL,
        "leg": "caller",
        "agent_id": None,
        "number": 1,
        "start_ms": 0,
        "stable": stable,
        "volatile": volatile,
        **more,
    }


def shown(board: Board) -> list[str]:
    return [saying.stable + saying.volatile for saying in board.saying.values()]


def day(offered: int, answered: int, level: float | None) -> dict[str, Any]:
    return {"offered": offered, "answered": answered, "service_level": {"value": level}}


def state(agents: int = 1, calls: int = 1) -> dict[str, Any]:
    since = "2026-01-01T12:00:00Z"
    return {
        "type": "state",
        "queues": [
            {"name": "sales", "waiting": 2, "oldest_at": since, "today": day(4, 3, 0.75)},
            {"name": "support", "waiting": 0, "oldest_at": None, "today": day(0, 0, None)},
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


def test_what_is_being_said_changes_until_it_is_said() -> None:
    board = Board()
    board.take(started())
    assert board.take(partial("", "My")) is None
    board.take(partial("My phone", " is"))
    board.take(partial("I", " see", leg="agent", agent_id="alice"))
    assert shown(board) == ["My phone is", "I see"]
    assert [saying.speaker for saying in board.saying.values()] == ["+12125550100", "alice"]
    assert board.words_heard == 0
    board.take(segment("My phone is down."))
    assert shown(board) == ["I see"]
    board.take(partial("", "", leg="agent", agent_id="alice"))
    assert shown(board) == []


def test_a_partial_that_comes_after_its_segment_is_not_shown() -> None:
    board = Board()
    board.take(segment("My phone is down.", number=3, start_ms=5000, end_ms=6000))
    board.take(partial("My phone", "", number=3, start_ms=5000))
    assert shown(board) == []
    board.take(partial("It", "", number=4, start_ms=5800))
    assert shown(board) == ["It"]
    board.take(partial("", "", number=2, start_ms=4000))
    board.take(segment("Late.", number=2, start_ms=4000, end_ms=4500))
    assert shown(board) == ["It"]


def test_a_leg_that_is_listened_to_anew_counts_from_one_again() -> None:
    board = Board()
    board.take(segment("First message.", number=7, start_ms=0, end_ms=6000))
    board.take(partial("Second", "", number=1, start_ms=9000))
    assert shown(board) == ["Second"]


def test_nothing_is_said_in_a_call_that_has_ended() -> None:
    board = Board()
    board.take(partial("My", ""))
    board.take({"type": "event", "event": {"type": "call.ended", "call_id": CALL, "data": {}}})
    assert shown(board) == []


def test_few_partials_are_kept() -> None:
    board = Board()
    for number in range(SAYING_MAX + 5):
        board.take(partial(f"call {number}", "", call_id=str(number)))
    assert len(board.saying) == SAYING_MAX
    assert shown(board)[-1] == f"call {SAYING_MAX + 4}"


def test_picture_shows_what_is_being_said_dimmed_where_it_may_change() -> None:
    board = Board()
    board.take(partial("well " * 40 + "my phone", " is [red]"))
    board.take(segment("That is all.", degraded=True, leg="agent", agent="alice"))
    assert "my phone is [red] …" in picture(board)
    assert "That is all. (came late)" in picture(board)
    console = Console(width=100, height=60, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(draw(board, "http://127.0.0.1:8080", 20, 12.4, NOW))
    assert "my phone\x1b[2;3m is [red] …" in captured.get()


def test_picture_of_a_large_day_stays_within_the_screen() -> None:
    board = Board()
    board.take(state(agents=100, calls=200))
    text = picture(board)
    assert "and 92 more" in text
    assert "and 192 more" in text
    assert len(text.splitlines()) < 50


def test_picture_before_anything_is_known() -> None:
    assert "0 of 20 begun" in picture(Board())


def test_changes_are_put_in_their_place() -> None:
    board = Board()
    board.take(state(agents=2, calls=0))
    since = "2026-01-01T12:00:00Z"
    changed = {"id": "agent1", "state": "talking", "since": since, "call_id": None}
    new = {"id": "agent2", "state": "break", "since": since, "call_id": None}
    board.take({"type": "change", "agents": [changed, new], "agents_gone": ["agent0"]})
    assert sorted((row["id"], row["state"]) for row in board.agents) == [
        ("agent1", "talking"),
        ("agent2", "break"),
    ]
    assert len(board.queues) == 2
    assert "3 of 4" in picture(board)
    assert "75 %" in picture(board)
