"""The service that the plan of load calls: its flow and its settings."""

from pathlib import Path
from typing import Any

import yaml

from callcenter.demo.stage import DATA, Credentials
from callcenter.simulator import load
from callcenter.simulator.scenario import CALLBACK_KEY, DECLINE_KEY, HOURS_KEY, VOICEMAIL_KEY, Scenario

ANSWER_WITHIN_S = 4.0
SHORT_ABANDON_S = 1.5
WRAP_UP_S = 20


def write_load(
    folder: Path, scenario: Scenario, gateway_url: str, wishes_url: str, credentials: Credentials
) -> Path:
    """Write flow and settings, readable by us alone; returns the settings' path."""
    flow, settings = folder / "load-flow.yaml", folder / "callcenter.yaml"
    host = wishes_url.split("/")[2]
    for path, document in (
        (flow, _flow(wishes_url)),
        (settings, _settings(scenario, flow, gateway_url, host, credentials)),
    ):
        path.touch(0o600, exist_ok=False)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return settings


def _flow(wishes_url: str) -> dict[str, Any]:
    """A menu of all queues; who is left by an agent gets a survey, who wants a callback is handed over."""
    goodbye = {"kind": "hangup", "prompts": "Goodbye.", "reason": "completed"}
    return {
        "language": "en",
        "start": "menu",
        "nodes": {
            "menu": {
                "kind": "menu",
                "prompts": "Welcome. Please choose.",
                "timeout_s": 5,
                "attempts": 3,
                "choices": {
                    **{key: queue for queue, key in load.KEYS.items()},
                    HOURS_KEY: "hours",
                    VOICEMAIL_KEY: "message",
                },
                "no_input": {"prompts": "Are you there?", "next": "goodbye"},
                "no_match": {"prompts": "Sorry?", "next": "goodbye"},
            },
            **{queue: _queue(queue) for queue in load.KEYS},
            "wish": {
                "kind": "lookup",
                "method": "post",
                "url": wishes_url,
                "body": {"number": "{caller}"},
                "next": "goodbye",
                "failed": "goodbye",
            },
            "survey": {
                "kind": "survey",
                "prompts": "Two questions?",
                "decline": DECLINE_KEY,
                "questions": [
                    {"id": "satisfied", "kind": "csat", "prompt": "How satisfied are you?"},
                    {"id": "recommend", "kind": "nps", "prompt": "Would you recommend us?"},
                ],
                "again": "Once more.",
                "next": "goodbye",
            },
            "hours": {"kind": "play", "prompts": "We are open.", "next": "goodbye"},
            "message": {
                "kind": "voicemail",
                "mailbox": "support",
                "prompts": "Please speak after the tone.",
                "silence_s": 2,
                "next": "goodbye",
            },
            "goodbye": goodbye,
            "late": {"kind": "hangup", "reason": "timed_out"},
            "refused": {"kind": "hangup", "reason": "full"},
        },
    }


def _queue(queue: str) -> dict[str, Any]:
    return {
        "kind": "queue",
        "queue": queue,
        "callback_key": CALLBACK_KEY,
        "callback": "wish",
        "answered": "survey",
        "timeout": "late",
        "empty": "refused",
        "full": "refused",
        "closed": "refused",
    }


def _settings(
    scenario: Scenario, flow: Path, gateway_url: str, lookup_host: str, credentials: Credentials
) -> dict[str, Any]:
    twilio = {
        "enabled": True,
        "account_sid": credentials.account_sid,
        "auth_token": credentials.auth_token,
        "api_url": gateway_url,
    }
    return {
        "data_dir": DATA,
        "gateways": {"twilio": twilio},
        "asr": {"enabled": False},
        "recording": {"enabled": False},
        "ivr": {"lookup_hosts": [lookup_host]},
        "metrics": {"service_level_s": ANSWER_WITHIN_S, "short_abandon_s": SHORT_ABANDON_S},
        "routes": [{"number": "*", "flow": str(flow)}],
        "queues": [_queue_settings(name) for name in load.QUEUES],
        "agents": [
            {"id": agent.id, "address": agent.address, "queues": list(agent.queues)}
            for agent in scenario.agents
        ],
    }


def _queue_settings(name: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "name": name,
        "ring_timeout_s": load.RING_TIMEOUT_S,
        "wrap_up_s": WRAP_UP_S,
        "redial_s": 0,
    }
    if name == "night":
        settings["max_wait_s"] = load.NIGHT_WAIT_S
    if name == "full":
        settings["max_length"] = 0
    if (way := load.OVERFLOWS.get(name)) is not None:
        reason = {"after_s": way.after_s, "when_waiting": way.when_waiting}
        given = {key: value for key, value in reason.items() if value is not None}
        settings["overflow"] = [{"to": way.to, **given}]
    return settings
