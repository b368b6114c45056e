"""What the demo needs before anything runs: its plan, its flow, its address, its settings."""

import errno
import os
import secrets
import socket
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

import callcenter
from callcenter import config
from callcenter.demo.options import DemoOptions
from callcenter.errors import UsageError
from callcenter.simulator.dialogue import Topic
from callcenter.simulator.scenario import Scenario

HOST = "127.0.0.1"
DEFAULT_PORT = config.Server().port
FLOW = Path("configs/ivr/main.yaml")
DATA = "data"
"""The service's folder within the demo's."""

RING_TIMEOUT_S = 5
WRAP_UP_S = 20
CALLBACK: Mapping[str, Any] = {
    "enabled": True,
    "offer_after_s": 60,
    "earliest_s": 3,
    "ring_s": 10,
    "retry": {"busy_s": 5, "no_answer_s": 5, "failed_s": 5, "jitter": 0},
    "dial_from": "00:00",
    "dial_until": "24:00",
    "slots": {"minutes": 5, "days": 2, "lead_s": 60},
}
"""Quicker than in life, and at any hour."""

BACKLOG = 1024
MAX_PORT = 65535

_SHORTEST_DEADLINE_S = 150.0
_SECONDS_PER_CALL_OF_AN_AGENT = 30.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """The simulated network's account, random for each run."""

    account_sid: str = field(default_factory=lambda: f"AC{secrets.token_hex(16)}")
    auth_token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def plan(options: DemoOptions) -> Scenario:
    """The day to be lived; raises ``UsageError`` for more people than there are numbers for."""
    if options.calls < 1 or options.agents < 1:
        raise UsageError("--calls and --agents must be at least 1")
    scenario = Scenario.demo(seed=options.seed, calls=options.calls, agents=options.agents)
    for option, numbers in (
        ("--agents", [agent.address for agent in scenario.agents]),
        ("--calls", [caller.number for caller in scenario.callers]),
    ):
        if Counter(numbers).most_common(1)[0][1] > 1:
            raise UsageError(f"{option} must be at most {len(set(numbers))}")
    busy_s = options.calls / options.agents * _SECONDS_PER_CALL_OF_AN_AGENT
    return replace(scenario, deadline_s=max(_SHORTEST_DEADLINE_S, busy_s))


def flow_file() -> Path:
    """The sample flow of the checkout that this package belongs to; raises ``UsageError`` without one."""
    path = Path(callcenter.__file__).resolve().parents[1] / FLOW
    if not path.is_file():
        raise UsageError(f"the demo runs from a checkout: there is no {path}")
    return path


def check_json_file(path: Path | None) -> None:
    """Raise ``UsageError`` for a file that could not be written when all is over."""
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--json: {path} is a folder")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--json: there is no folder {path.absolute().parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise UsageError(f"--json: {path} cannot be written")


def listen(port: int) -> socket.socket:
    """A listening socket on ``port``, or on a free one where the default is taken.

    Raises ``UsageError`` for a port that does not exist, may not be used, or was chosen and is taken.
    """
    if not 0 <= port <= MAX_PORT:
        raise UsageError(f"--port must be between 0 and {MAX_PORT}")
    try:
        return socket.create_server((HOST, port), backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and port == DEFAULT_PORT:
            return socket.create_server((HOST, 0), backlog=BACKLOG)
        raise UsageError(f"--port: cannot listen on {HOST}:{port}: {error.strerror}") from None


def write_settings(
    folder: Path, scenario: Scenario, flow: Path, gateway_url: str, credentials: Credentials
) -> Path:
    """Write the service's settings file, readable by us alone, with its data in ``folder`` too."""
    path = folder / "callcenter.yaml"
    document = _settings(scenario, flow, gateway_url, credentials)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        yaml.safe_dump(document, file, sort_keys=False)
    return path


def _settings(scenario: Scenario, flow: Path, gateway_url: str, credentials: Credentials) -> dict[str, Any]:
    twilio = {
        "enabled": True,
        "account_sid": credentials.account_sid,
        "auth_token": credentials.auth_token,
        "api_url": gateway_url,
        "from_number": scenario.dialled,
    }
    return {
        "data_dir": DATA,
        "gateways": {"twilio": twilio},
        "routes": [{"number": "*", "flow": str(flow)}],
        "queues": [
            {
                "name": str(topic),
                "ring_timeout_s": RING_TIMEOUT_S,
                "wrap_up_s": WRAP_UP_S,
                "callback": deepcopy(CALLBACK),
            }
            for topic in Topic
        ],
        "agents": [
            {
                "id": agent.id,
                "name": agent.id.title(),
                "address": agent.address,
                "queues": list(agent.queues),
            }
            for agent in scenario.agents
        ],
    }
