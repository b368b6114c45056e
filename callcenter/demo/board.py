"""What a watcher of the live socket knows at a moment. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WORDS_KEPT = 12
STEPS_KEPT = 4
_NUMBERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of transcript, by whom: an agent's id or a caller's number."""

    speaker: str
    is_agent: bool
    text: str


class Board:
    """Fed with the messages of the live socket; keeps the latest state and the last words."""

    def __init__(self) -> None:
        self.queues: list[Mapping[str, Any]] = []
        self.agents: list[Mapping[str, Any]] = []
        self.calls: list[Mapping[str, Any]] = []
        self.words: deque[Spoken] = deque(maxlen=WORDS_KEPT)
        self.steps: deque[str] = deque(maxlen=STEPS_KEPT)
        self.calls_begun = 0
        self.calls_ended = 0
        self.words_heard = 0
        self._numbers: dict[str, str] = {}

    def take(self, message: Mapping[str, Any]) -> Spoken | None:
        """Take one message; returns what was said if it brings words. Unknown kinds are passed over."""
        match message.get("type"):
            case "state":
                self.queues, self.agents = message["queues"], message["agents"]
                self.calls = message["calls"]
            case "event":
                self._event(message["event"])
            case "segment":
                return self._segment(message)
        return None

    def number_of(self, call_id: str) -> str:
        """The number of the caller of a call, the beginning of its id while that is not known."""
        return self._numbers.get(call_id, call_id[:8])

    def _event(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "call.started":
                self.calls_begun += 1
                if len(self._numbers) < _NUMBERS_MAX:
                    self._numbers[event["call_id"]] = event["data"]["from"]
            case "call.ended":
                self.calls_ended += 1

    def _segment(self, message: Mapping[str, Any]) -> Spoken:
        is_agent = message["leg"] == "agent"
        speaker = message["agent_id"] if is_agent else self.number_of(message["call_id"])
        spoken = Spoken(speaker or "agent", is_agent, message["text"].strip())
        self.words.append(spoken)
        self.words_heard += len(spoken.text.split())
        return spoken
