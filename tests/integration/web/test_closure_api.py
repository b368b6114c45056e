"""``/api/v1/closure``: closing, opening, and who may."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

CLOSURE = "/api/v1/closure"


async def test_closing_and_opening(site: Any) -> None:
    assert (await site.get(CLOSURE)) == (200, {"closures": []})
    until = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    body = {"queue": "sales", "message": "Fire drill.", "until": until.isoformat()}
    status, closed = await site.send("PUT", CLOSURE, body)
    assert (status, closed["scope"], closed["name"], closed["by"]) == (200, "queue", "sales", "supervisor")
    assert datetime.fromisoformat(closed["until"]) == until
    status, everything = await site.send("PUT", CLOSURE, {}, "admin")
    assert (everything["scope"], everything["name"], everything["until"]) == ("all", "", None)
    _, answer = await site.get(CLOSURE)
    assert answer == {"closures": [everything, closed]}
    assert (await site.send("DELETE", CLOSURE))[0] == 204
    assert (await site.send("DELETE", CLOSURE))[0] == 404
    assert (await site.send("DELETE", f"{CLOSURE}?queue=sales"))[0] == 204
    assert (await site.get(CLOSURE)) == (200, {"closures": []})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"queue": "nowhere"}, "queue"),
        ({"flow": "nowhere"}, "flow"),
        ({"queue": "sales", "flow": "main"}, None),
        ({"message": "x" * 501}, "message"),
        ({"message": "a\nb"}, "message"),
        ({"until": "tomorrow"}, "until"),
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"until": "2099-01-01T00:00:00"}, "until"),
        ({"since": "2020-01-01T00:00:00Z"}, "since"),
    ],
)
async def test_a_wrong_closure_is_refused(site: Any, body: dict[str, Any], field: str | None) -> None:
    status, answer = await site.send("PUT", CLOSURE, body)
    assert (status, answer["error"].get("field")) == (422, field)
    assert (await site.get(CLOSURE)) == (200, {"closures": []})


async def test_what_is_no_place_cannot_be_opened(site: Any) -> None:
    assert (await site.send("DELETE", f"{CLOSURE}?queue=nowhere"))[0] == 422
    assert (await site.send("DELETE", f"{CLOSURE}?q=sales"))[0] == 422


async def test_agents_neither_close_nor_open_nor_look(site: Any) -> None:
    assert (await site.get(CLOSURE, "agent"))[0] == 403
    assert (await site.send("PUT", CLOSURE, {}, "agent"))[0] == 403
    assert (await site.send("DELETE", CLOSURE, role="agent"))[0] == 403
