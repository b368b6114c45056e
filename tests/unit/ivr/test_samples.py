"""The flows that come with the program."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr import (
    Digit,
    Engine,
    Entered,
    HangUp,
    HangUpReason,
    Hours,
    Input,
    JoinQueue,
    Play,
    Played,
    QueueEnded,
    QueueExit,
    Say,
    StartTimer,
    Timeout,
    Voicemail,
    VoicemailEnded,
    check,
)

CONFIGS = Path(__file__).parents[3] / "configs" / "ivr"
NOW = datetime(2025, 3, 5, 12, tzinfo=UTC)
QUEUES = {"sales", "support", "billing"}


@pytest.fixture
def engine() -> Engine:
    """A caller who has heard the welcome of the main flow."""
    engine = Engine(check(CONFIGS / "main.yaml", QUEUES), {}, "+12025550123", "+12025550100")
    welcome = engine.start(NOW)[-1]
    assert isinstance(welcome, Play)
    text = "Welcome to Acme Support. This call may be recorded for quality and training purposes."
    assert welcome.prompts == (Say(text, "en", "welcome"),)
    engine.feed(Played(), NOW)
    return engine


def press(engine: Engine, keys: str) -> list[object]:
    return [action for key in keys for action in engine.feed(Digit(key), NOW)]


@pytest.mark.parametrize(("key", "queue"), [("1", "sales"), ("2", "support")])
def test_a_key_leads_to_its_queue(engine: Engine, key: str, queue: str) -> None:
    join = press(engine, key)[-1]
    assert isinstance(join, JoinQueue)
    assert join.queue == queue


def test_billing_asks_for_the_account_number_and_masks_it(engine: Engine) -> None:
    actions = press(engine, "312345#")
    assert Input("account", "gather", "*****") in actions
    assert isinstance(actions[-1], JoinQueue)
    assert actions[-1].queue == "billing"
    assert engine.variables["account"] == "12345"


def test_opening_hours_are_self_service(engine: Engine) -> None:
    press(engine, "9")
    engine.feed(Played(), NOW)
    assert engine.feed(Played(), NOW) == [HangUp(HangUpReason.COMPLETED)]


def test_a_message(engine: Engine) -> None:
    press(engine, "0")
    assert isinstance(engine.feed(Played(), NOW)[-1], Voicemail)
    assert Entered("main", "goodbye") in engine.feed(VoicemailEnded(4.0), NOW)


@pytest.mark.parametrize(
    ("reason", "end"), [(QueueExit.FULL, HangUpReason.FULL), (QueueExit.EMPTY, HangUpReason.CLOSED)]
)
def test_a_queue_that_takes_nobody(engine: Engine, reason: QueueExit, end: HangUpReason) -> None:
    press(engine, "1")
    engine.feed(QueueEnded(reason), NOW)
    assert engine.feed(Played(), NOW) == [HangUp(end)]


def test_a_long_wait_ends_in_a_message(engine: Engine) -> None:
    press(engine, "1")
    engine.feed(QueueEnded(QueueExit.TIMEOUT), NOW)
    engine.feed(Played(), NOW)
    assert isinstance(engine.feed(Played(), NOW)[-1], Voicemail)


def test_two_retries_and_goodbye(engine: Engine) -> None:
    press(engine, "7")
    for _ in range(2):
        (timer,) = engine.feed(Played(), NOW)
        assert isinstance(timer, StartTimer)
        play = engine.feed(Timeout(timer.timer_id), NOW)[-1]
    assert isinstance(play, Play)
    assert play.prompts == (Say("Goodbye.", "en", "goodbye"),)
    assert engine.feed(Played(), NOW) == [HangUp(HangUpReason.COMPLETED)]


def test_the_office_is_open_whenever_the_demo_runs() -> None:
    office: Hours = check(CONFIGS / "main.yaml").hours["office"]
    assert all(office.open(NOW.replace(day=day, hour=hour)) for day in range(1, 8) for hour in range(24))


@pytest.mark.parametrize(("caller", "node"), [("+12025550123", "offer"), ("anonymous", "call-again")])
def test_after_hours(tmp_path: Path, caller: str, node: str) -> None:
    text = (CONFIGS / "main.yaml").read_text().replace('"24:00"', '"00:01"')
    (tmp_path / "main.yaml").write_text(text)
    for name in ("after-hours.yaml", "faq.yaml"):
        (tmp_path / name).write_text((CONFIGS / name).read_text())
    engine = Engine(check(tmp_path / "main.yaml", QUEUES), {}, caller, "+12025550100")
    engine.start(NOW)
    assert Entered("after-hours", node) in engine.feed(Played(), NOW)


def test_after_hours_stands_alone() -> None:
    assert check(CONFIGS / "after-hours.yaml", set()).name == "after-hours"


def test_a_message_after_hours_comes_back_to_the_main_flow(tmp_path: Path) -> None:
    text = (CONFIGS / "main.yaml").read_text().replace('"24:00"', '"00:01"')
    (tmp_path / "main.yaml").write_text(text)
    for name in ("after-hours.yaml", "faq.yaml"):
        (tmp_path / name).write_text((CONFIGS / name).read_text())
    engine = Engine(check(tmp_path / "main.yaml"), {}, "+12025550123", "+12025550100")
    engine.start(NOW)
    engine.feed(Played(), NOW)
    press(engine, "1")
    engine.feed(Played(), NOW)
    assert Entered("main", "goodbye") in engine.feed(VoicemailEnded(1.0), NOW)
