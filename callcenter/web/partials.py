"""Words while they are said, as the processes that carry the calls tell of them. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class LivePartial:
    """What was heard so far of an utterance, and whose it is: that of a call of ``agent`` in ``queue``.

    ``text`` is what watchers are told. What is newest of a call's leg replaces what was before.
    """

    queue: str | None
    agent: str | None
    text: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """The call and the leg."""
        return self.text["call_id"], self.text["leg"]

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        """Raises ``KeyError`` for a document without the fields of a partial."""
        agent, leg = document["agent"], document["leg"]
        text = {
            "call_id": document["call_id"],
            "leg": leg,
            "agent_id": agent if leg == "agent" else None,
            **{name: document[name] for name in _AS_THEY_ARE},
        }
        return cls(document["queue"], agent, text)


_AS_THEY_ARE = ("number", "seq", "start_ms", "end_ms", "stable", "volatile")


def partials_of(payload: str) -> list[LivePartial]:
    """The partials of one notification; raises ``ValueError`` for one that is none."""
    try:
        return [LivePartial.of_document(document) for document in json.loads(payload)["partials"]]
    except (KeyError, TypeError) as error:
        raise ValueError("a notification that holds no partial words") from error
