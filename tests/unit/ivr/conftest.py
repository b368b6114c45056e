"""Flows written in the test that needs them, and a caller who goes through one."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from ivr import (
    Action,
    Digit,
    Engine,
    Entered,
    Event,
    Flow,
    FlowError,
    Input,
    Play,
    Say,
    Speech,
    SpeechEnded,
    SpeechStarted,
    StartTimer,
    check,
)

NOON = datetime(2025, 3, 5, 12, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a flow file and gives its path."""

    def write(text: str, name: str = "flow.yaml") -> Path:
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def load(write: Callable[..., Path]) -> Callable[[str], Flow]:
    return lambda text: check(write(text))


@pytest.fixture
def error_of() -> Callable[..., str]:
    """Gives the one line that a flow file is refused with, less the folder."""

    def error_of(path: Path, queues: set[str] | None = None) -> str:
        with pytest.raises(FlowError) as caught:
            check(path, queues)
        message = str(caught.value)
        assert "\n" not in message
        return message.removeprefix(f"{path.parent}/")

    return error_of


class Caller:
    """An engine together with what has come out of it."""

    def __init__(self, flow: Flow, caller: str, variables: dict[str, str], hears: bool = False) -> None:
        self.engine = Engine(flow, variables, caller, "+12025550100", hears=hears)
        self.now = NOON
        self.last: list[Action] = []
        self.all: list[Action] = []

    def start(self, now: datetime = NOON) -> list[Action]:
        self.now = now
        return self._seen(self.engine.start(now))

    def feed(self, event: Event, after_s: float = 0.0) -> list[Action]:
        self.now += timedelta(seconds=after_s)
        return self._seen(self.engine.feed(event, self.now))

    def dial(self, keys: Iterable[str]) -> list[Action]:
        """Press keys one after the other; the actions of all of them."""
        actions = [action for key in keys for action in self.feed(Digit(key))]
        self.last = actions
        return actions

    def hear(self, text: str, confidence: float = 1.0) -> list[Action]:
        """Have something said and recognised; the actions of all of it."""
        events = (SpeechStarted(), SpeechEnded(), Speech(text, confidence))
        actions = [action for event in events for action in self.feed(event, 0.5)]
        self.last = actions
        return actions

    @property
    def inputs(self) -> list[Input]:
        return [action for action in self.all if isinstance(action, Input)]

    @property
    def timer(self) -> StartTimer:
        return [action for action in self.all if isinstance(action, StartTimer)][-1]

    @property
    def heard(self) -> list[str]:
        """The texts of what was played last."""
        plays = [action for action in self.last if isinstance(action, Play)]
        return [prompt.text for prompt in plays[-1].prompts if isinstance(prompt, Say)] if plays else []

    @property
    def path(self) -> list[str]:
        return [action.node for action in self.all if isinstance(action, Entered)]

    def _seen(self, actions: list[Action]) -> list[Action]:
        self.last = actions
        self.all += actions
        return actions


@pytest.fixture
def call(load: Callable[[str], Flow]) -> Callable[..., Caller]:
    """Begins a call of the flow in the text."""

    def call(text: str, caller: str = "+12025550123", **variables: str) -> Caller:
        return Caller(load(text), caller, variables)

    return call


@pytest.fixture
def spoken_call(load: Callable[[str], Flow]) -> Callable[..., Caller]:
    """Begins a call of the flow in the text, with somebody who carries out ``Listen``."""

    def spoken_call(text: str, hears: bool = True, **variables: str) -> Caller:
        return Caller(load(text), "+12025550123", variables, hears)

    return spoken_call
