"""What a watcher of the live socket knows at a moment. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WORDS_KEPT = 12
STEPS_KEPT = 4
SAYING_MAX = 100
_NUMBERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of transcript, by whom: an agent's id or a caller's number."""

    speaker: str
    is_agent: bool
    text: str
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Saying:
    """What somebody is saying: ``stable`` and then ``volatile``, which may still change."""

    speaker: str
    is_agent: bool
    number: int
    start_ms: int
    stable: str
    volatile: str


class Board:
    """Fed with the messages of the live socket; keeps the latest state and the last words.

    ``saying`` has what is being said, by call and leg, until the segment comes.
    """

    def __init__(self) -> None:
        self.queues: list[Mapping[str, Any]] = []
        self.agents: list[Mapping[str, Any]] = []
        self.calls: list[Mapping[str, Any]] = []
        self.words: deque[Spoken] = deque(maxlen=WORDS_KEPT)
        self.saying: dict[tuple[str, str], Saying] = {}
        self.steps: deque[str] = deque(maxlen=STEPS_KEPT)
        self.calls_begun = 0
        self.calls_ended = 0
        self.words_heard = 0
        self._numbers: dict[str, str] = {}
        self._heard: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, message: Mapping[str, Any]) -> Spoken | None:
        """Take one message; returns what was said if it brings words. Unknown kinds are passed over."""
        match message.get("type"):
            case "state":
                self.queues, self.agents = message["queues"], message["agents"]
                self.calls = message["calls"]
            case "change":
                self.queues = _renewed(self.queues, message, "queues", "name")
                self.agents = _renewed(self.agents, message, "agents", "id")
                self.calls = _renewed(self.calls, message, "calls", "call_id")
            case "event":
                self._event(message["event"])
            case "segment":
                return self._segment(message)
            case "partial":
                self._partial(message)
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
                for leg in ("caller", "agent"):
                    self.saying.pop((event["call_id"], leg), None)
                    self._heard.pop((event["call_id"], leg), None)

    def _partial(self, message: Mapping[str, Any]) -> None:
        key, number, start_ms = _key(message), message["number"], message["start_ms"]
        before = self.saying.get(key)
        if self._is_over(key, number, start_ms) or (before is not None and before.start_ms > start_ms):
            return
        if not message["stable"] and not message["volatile"]:
            self.saying.pop(key, None)
            return
        speaker, is_agent = self._speaker(message)
        self.saying[key] = Saying(speaker, is_agent, number, start_ms, message["stable"], message["volatile"])
        if len(self.saying) > SAYING_MAX:
            del self.saying[next(iter(self.saying))]

    def _is_over(self, key: tuple[str, str], number: int, start_ms: int) -> bool:
        """Whether the segment of this utterance is there; numbers begin again, but later."""
        last_number, end_ms = self._heard.get(key, (0, 0))
        return number <= last_number and start_ms < end_ms

    def _speaker(self, message: Mapping[str, Any]) -> tuple[str, bool]:
        is_agent = message["leg"] == "agent"
        speaker = message["agent_id"] if is_agent else self.number_of(message["call_id"])
        return speaker or "agent", is_agent

    def _segment(self, message: Mapping[str, Any]) -> Spoken:
        key = _key(message)
        if len(self._heard) < _NUMBERS_MAX:
            self._heard[key] = message["number"] or 0, message["end_ms"]
        saying = self.saying.get(key)
        if saying is not None and self._is_over(key, saying.number, saying.start_ms):
            del self.saying[key]
        spoken = Spoken(*self._speaker(message), message["text"].strip(), message["degraded"])
        self.words.append(spoken)
        self.words_heard += len(spoken.text.split())
        return spoken


def _key(message: Mapping[str, Any]) -> tuple[str, str]:
    return message["call_id"], message["leg"]


def _renewed(
    known: list[Mapping[str, Any]], message: Mapping[str, Any], name: str, key: str
) -> list[Mapping[str, Any]]:
    """The rows with those that changed in their place, new ones first."""
    changed = {row[key]: row for row in message.get(name, ())}
    gone = set(message.get(f"{name}_gone", ()))
    kept = [changed.pop(row[key], row) for row in known if row[key] not in gone]
    return [*changed.values(), *kept]
