"""What other processes tell of words while they are said."""

import json
from typing import Any

import pytest

from callcenter.web.partials import partials_of

CALL = "0b9d7c62-0000-4000-8000-000000000001"


def document(**changes: Any) -> dict[str, Any]:
    given = {"call_id": CALL, "leg": "caller", "queue": "sales", "agent": "ann", "number": 1, "seq": 4}
    return {**given, "start_ms": 0, "end_ms": 700, "stable": "my", "volatile": " phone", **changes}


def test_a_partial_tells_the_watcher_who_speaks_and_the_hub_whose_call_it_is() -> None:
    caller, agent = partials_of(json.dumps({"partials": [document(), document(leg="agent")]}))
    assert (caller.queue, caller.agent, caller.key) == ("sales", "ann", (CALL, "caller"))
    assert caller.text == {
        "call_id": CALL,
        "leg": "caller",
        "agent_id": None,
        "number": 1,
        "seq": 4,
        "start_ms": 0,
        "end_ms": 700,
        "stable": "my",
        "volatile": " phone",
    }
    assert (agent.text["agent_id"], agent.key) == ("ann", (CALL, "agent"))


@pytest.mark.parametrize("payload", ["", "[]", "{}", "null", '{"partials": [1]}', '{"partials": [{}]}'])
def test_what_is_no_partial_is_refused(payload: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whichever: json has its own
        partials_of(payload)
