"""Settings of callbacks: one line for what is wrong, the same after they were stored, and what they mean."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from callback.hours import Dialling
from callback.policy import AtClose
from callback.request import Mode
from callcenter import config
from callcenter.callback_settings import CallbackRules, Callbacks
from callcenter.callbacks.rules import RuleBook, rules_of, zone_of
from callcenter.errors import ConfigError
from callcenter.queueing import Queue, fallback_fault
from callcenter.storage.closures import Closure, Scope
from support.callbacks import NOON, at

CONFIGS = Path(__file__).parents[2] / "configs"
GOOD = """
queues:
  - name: sales
    callback:
      enabled: true
      mode: customer_first
      dial_from: 8:30
      dial_until: 19:00
      fallback: support
      zone: Asia/Tokyo
      hours:
        zone: Europe/Berlin
        weekly:
          - {days: mon-fri, from: 10:00, to: "17:00"}
        holidays:
          - 2026-12-24
          - {from: 2026-12-25, to: 2026-12-26}
      machine: {detect: true, then: message_complete, message: We called you.}
      slots: {minutes: 30}
  - name: support
"""


def problem(folder: Path, text: str) -> str:
    path = folder / "callcenter.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, {})
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def test_what_yaml_makes_of_times_and_days_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "callcenter.yaml"
    path.write_text(GOOD)
    settings = config.load(path, {}).queues[0].callback
    assert (settings.dial_from, settings.dial_until) == ("08:30", "19:00")
    assert settings.plan is not None
    assert settings.plan.open(at("2026-12-23T09:00"))
    assert not settings.plan.open(at("2026-12-24T09:00"))
    assert not settings.plan.open(at("2026-12-25T09:00"))


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        (
            "mode: customer_first",
            "mode: first",
            ":6: queues.0.callback.mode: Input should be 'agent_first' or",
        ),
        ("dial_from: 8:30", "dial_from: morning", ":7: queues.0.callback.dial_from: String should match"),
        ("19:00", "08:30", ":8: queues.0.callback.dial_until: 08:30 is not after dial_from, 08:30"),
        (
            "fallback: support",
            "fallback: nowhere",
            ":9: queue sales: its callbacks fall back to nowhere, which does not exist",
        ),
        ("fallback: support", "fallback: sales", ":9: queue sales: its callbacks cannot fall back to itself"),
        ("zone: Asia/Tokyo", "zone: Mars", ":10: queues.0.callback.zone: there is no time zone 'Mars'"),
        (
            "zone: Europe/Berlin",
            "zone: Mars",
            ":12: queues.0.callback.hours.zone: no such time zone 'Mars'; use an IANA name",
        ),
        (
            'to: "17:00"',
            'to: "09:00"',
            ":14: queues.0.callback.hours.weekly.0: 09:00 is not after 10:00; split a night at 24:00",
        ),
        (
            "days: mon-fri",
            "days: someday",
            ":14: queues.0.callback.hours.weekly.0.days: 'someday' is not a day or a range",
        ),
        ("holidays:", "holydays:", ":16: queues.0.callback.hours.holydays: Extra"),
        (
            "{from: 2026-12-25, to: 2026-12-26}",
            "{from: 2026-12-25}",
            ":17: queues.0.callback.hours.holidays.1.to: Field required",
        ),
        (
            ", message: We called you.",
            "",
            ":18: queues.0.callback.machine: a message is needed where one is left",
        ),
        ("minutes: 30", "minutes: 7", ":19: queues.0.callback.slots.minutes: Input should be 5, 10, 15"),
        ("enabled: true", "attempts: 0", ":5: queues.0.callback.attempts: Input should be greater than"),
        ("enabled: true", "key: 11", ":5: queues.0.callback.key: Input should be a valid string"),
        ("enabled: true", "offer: 1", ":5: queues.0.callback.offer: Extra inputs are not permitted"),
    ],
)
def test_a_bad_section_is_one_line(tmp_path: Path, good: str, bad: str, message: str) -> None:
    assert good in GOOD
    assert problem(tmp_path, GOOD.replace(good, bad, 1)).startswith(message)


def test_a_bad_section_for_all_queues_is_one_line(tmp_path: Path) -> None:
    message = problem(tmp_path, "callbacks:\n  own_numbers:\n    - '123'\n")
    assert message.startswith(":3: callbacks.own_numbers.0: String should match pattern")


def test_settings_of_a_queue_are_the_same_after_they_were_stored(tmp_path: Path) -> None:
    path = tmp_path / "callcenter.yaml"
    path.write_text(GOOD)
    queue = config.load(path, {}).queues[0]
    stored = queue.model_dump(mode="json", exclude={"name", "agents"})
    again = Queue(name="sales", **stored)
    assert again == queue
    assert again.callback.plan == queue.callback.plan


def test_the_example_files_show_all_defaults() -> None:
    settings = config.load(CONFIGS / "callcenter.yaml", {})
    assert settings.callbacks == Callbacks()
    assert settings.queues[0].callback == CallbackRules()
    shown = yaml.safe_load((CONFIGS / "queues.yaml").read_text())["queues"][0]["callback"]
    assert set(CallbackRules.model_fields) - set(shown) == {"hours", "fallback"}  # shown as comments
    shown = yaml.safe_load((CONFIGS / "callcenter.yaml").read_text())["callbacks"]
    assert set(Callbacks.model_fields) == set(shown)
    assert set(type(settings.callbacks.page).model_fields) - set(shown["page"]) == {"code_secret"}


def test_fallbacks_of_queues_that_are_there() -> None:
    queue = Queue.model_validate({"name": "a", "callback": {"fallback": "b"}})
    assert fallback_fault([queue]) is not None
    assert fallback_fault([queue], ["b"]) is None
    assert fallback_fault([queue, Queue(name="b")]) is None


# What they mean.


def whole(**values: Any) -> config.Settings:
    return config.Settings.model_validate(values)


def test_defaults_of_a_queue_are_those_that_were_promised() -> None:
    rules = rules_of(CallbackRules(enabled=True), whole(), NOON)
    assert (rules.attempts, rules.ring_s, rules.earliest_s, rules.offer_after_s) == (3, 20, 60, 180)
    assert (rules.mode, rules.pacing, rules.at_close) == (Mode.AGENT_FIRST, 1.0, AtClose.CARRY_OVER)
    assert (rules.retry.busy_s, rules.retry.no_answer_s, rules.retry.machine_s) == (120, 300, 1800)
    assert (rules.retry.jitter, rules.stop_before_close_s) == (0.2, 120)
    assert rules.dialling == Dialling(8 * 60, 21 * 60)
    assert rules.calendar.at(NOON) is not None
    assert rules.accept


def test_two_switches() -> None:
    assert not rules_of(CallbackRules(), whole(), NOON).accept
    assert not rules_of(CallbackRules(enabled=True, accept=False), whole(), NOON).accept
    assert rules_of(CallbackRules(enabled=True, accept=False), whole(), NOON).process
    paused = rules_of(CallbackRules(enabled=True, process=False), whole(), NOON)
    assert (paused.accept, paused.process) == (True, False)


def test_zones_and_numbers() -> None:
    tokyo = whole(metrics={"timezone": "Asia/Tokyo"}, callbacks={"own_numbers": ["+12025550100"]})
    plan = {"zone": "Europe/Berlin", "weekly": []}
    assert zone_of(CallbackRules(), tokyo) == "Asia/Tokyo"
    assert zone_of(CallbackRules(hours=plan), tokyo) == "Europe/Berlin"
    assert zone_of(CallbackRules(hours=plan, zone="UTC"), tokyo) == "UTC"
    rules = rules_of(CallbackRules(region="DE", regions=["DE"]), tokyo, NOON)
    assert (rules.numbers.region, set(rules.numbers.regions)) == ("DE", {"DE"})
    assert "+12025550100" in rules.numbers.own
    assert set(rules_of(CallbackRules(region="JP"), tokyo, NOON).numbers.regions) == {"JP"}
    assert not rules_of(CallbackRules(regions=["*"]), tokyo, NOON).numbers.regions
    assert rules.slots.zone == rules.zone == "Asia/Tokyo"


def test_we_do_not_call_ourselves() -> None:
    agent = {"id": "ann", "address": "PJSIP/ann", "gateway": "asterisk"}
    settings = whole(
        gateways={"twilio": {"from_number": "+1 202 555 0101"}},
        routes=[{"number": "+12025550102", "flow": "main.yaml"}, {"number": "*", "flow": "main.yaml"}],
        agents=[{"id": "bob", "address": "+1 (202) 555-0103"}, agent],
        callbacks={"own_numbers": ["+12025550104"]},
    )
    own = rules_of(CallbackRules(from_number="+12025550105"), settings, NOON).numbers.own
    assert own == {f"+1202555010{last}" for last in range(1, 6)}


def test_without_a_message_a_machine_is_tried_again() -> None:
    settings = CallbackRules.model_validate(
        {"machine": {"detect": True, "then": "message_complete", "message": "We called."}}
    )
    assert rules_of(settings, whole(), NOON).machine == "message_complete"
    assert rules_of(CallbackRules(), whole(), NOON).machine == "retry"


def test_opening_hours_and_closures_are_one_calendar() -> None:
    settings = CallbackRules(
        hours={"zone": "Europe/Berlin", "weekly": [{"days": "mon-fri", "from": "09:00", "to": "17:00"}]}
    )
    calendar = rules_of(settings, whole(), NOON).calendar
    assert calendar.opening(at("2026-03-04T16:00")) == at("2026-03-05T08:00")
    assert calendar.opening(at("2026-03-28T00:00")) == at("2026-03-30T07:00")  # in summer
    closure = Closure(Scope.QUEUE, "sales", "", NOON, "ann", at("2026-03-05T10:00"))
    assert rules_of(settings, whole(), NOON, closure).calendar.opening(NOON) == at("2026-03-05T10:00")
    endless = Closure(Scope.ALL, "", "", NOON, "ann", None)
    assert rules_of(settings, whole(), NOON, endless).calendar.opening(NOON) is None
    assert rules_of(CallbackRules(), whole(), NOON, endless).calendar.opening(NOON) is None


class Board:
    """Queues that one process knows, and closures."""

    def __init__(self, *queues: Queue) -> None:
        self.queues = {queue.name: queue for queue in queues}
        self.closure: Closure | None = None

    def find(self, name: str) -> Queue | None:
        return self.queues.get(name)

    def of_queue(self, _queue: str, _now: datetime) -> Closure | None:
        return self.closure


def test_rules_are_those_of_now() -> None:
    open_ = {"zone": "UTC", "weekly": [{"days": "mon-sun", "from": "09:00", "to": "17:00"}]}
    board = Board(Queue.model_validate({"name": "q", "callback": {"enabled": True, "hours": open_}}))
    now = [NOON]
    book = RuleBook(board, whole(), board, lambda: now[0])  # type: ignore[arg-type]
    first = book.of("q")
    assert book.of("q") is first
    now[0] = NOON + timedelta(days=200)
    assert book.of("q").calendar.at(now[0]) is not None
    board.closure = Closure(Scope.ALL, "", "", now[0], "ann", None)
    assert book.of("q").calendar.at(now[0]) is None
    board.closure = None
    board.queues["q"] = Queue.model_validate({"name": "q", "callback": {"enabled": True, "attempts": 7}})
    assert book.of("q").attempts == 7
    board.queues.clear()
    gone = book.of("q")
    assert (gone.accept, gone.process) == (False, False)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({"code": "sms"}, "code_url"),
        ({"code": "sms", "code_url": "ftp://example.com", "code_secret": "x" * 16}, "code_url"),
        ({"code": "call", "code_url": "https://", "code_secret": "x" * 16}, "code_url"),
        ({"code": "call", "code_url": "https://example.com", "code_secret": "short"}, "code_secret"),
        ({"trusted_proxies": ["10.0.0.0/8", "proxy.example.com"]}, "proxy.example.com"),
    ],
)
def test_a_page_that_cannot_work(page: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Callbacks(page=page)  # type: ignore[arg-type]
