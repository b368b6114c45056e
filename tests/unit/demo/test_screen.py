"""The terminal where nobody could watch a picture."""

import io
from typing import Any

from rich.console import Console

from callcenter.demo.screen import Screen

GIVEN: dict[str, Any] = {
    "call_id": "0b9d7c62",
    "leg": "agent",
    "agent_id": "alice",
    "number": 1,
    "start_ms": 0,
}


async def test_lines_have_finals_only_and_the_first_word_is_theirs() -> None:
    printed, elapsed_s = io.StringIO(), iter((5.0, 6.0))
    console = Console(file=printed, width=100)
    async with Screen(console, "http://127.0.0.1:8080", 1, lambda: next(elapsed_s), plain=True) as screen:
        screen.take({**GIVEN, "type": "partial", "stable": "Good", "volatile": " mourning"})
        assert screen.first_word_s is None
        final = {"type": "segment", "text": "Good morning.", "end_ms": 900, "degraded": False}
        screen.take({**GIVEN, **final})
    assert screen.first_word_s == 5.0
    assert printed.getvalue().split() == ["6.0", "alice", "Good", "morning.", "(transcript)"]
