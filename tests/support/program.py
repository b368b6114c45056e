"""The program as its users run it: a subprocess, real sockets, a real database in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

CALLCENTER = Path(sys.executable).with_name("callcenter")
ACCOUNT_SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "a-token-of-the-tests"
ANNOUNCE_TOKEN = "announce-token-of-the-tests"
START_TIMEOUT_S = 60
FLOW = """
language: en
start: hello
nodes:
  hello: {kind: menu, prompts: Welcome., timeout_s: 30, attempts: 1, choices: {1: sales, 9: bye},
          no_input: {next: bye}, no_match: {next: bye}}
  sales: {kind: queue, queue: sales, timeout: bye, empty: bye, full: bye, closed: bye}
  bye: {kind: hangup, prompts: Goodbye., reason: completed}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Program:
    """One installation: settings, data, and the service while it runs."""

    folder: Path
    settings: dict[str, Any]
    port: int
    process: subprocess.Popen[bytes] | None = None
    token: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    command: str = "serve"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "callcenter.yaml"

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text(errors="replace")

    def save(self) -> None:
        self.config.write_text(yaml.safe_dump(self.settings))

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of the program to its end."""
        command = [str(CALLCENTER), *arguments, "--config", str(self.config)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=check, env=os.environ | self.environ
        )

    def start(self, *arguments: str) -> None:
        """Start the service and wait until it is ready."""
        self.save()
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(CALLCENTER), self.command, "--config", str(self.config), *arguments],
                stdout=log,
                stderr=log,
                env=os.environ | self.environ,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def sign_in(self) -> str:
        """Make an administrator's API token, once."""
        if not self.token:
            self.run("user", "add", "tests", "--role", "admin")
            self.token = self.run("user", "token", "tests").stdout.strip()
        return self.token

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the API as an administrator; raises ``HTTPError`` for 4xx and 5xx."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.sign_in()}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def kill(self) -> None:
        """End the service at once, as a crash would (all processes of it)."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self, timeout_s: float = 30) -> int:
        """Ask the service to end; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout_s)
        self.process = None
        return status


def new_program(folder: Path, **settings: Any) -> Program:
    """Make an installation in ``folder`` with settings that suit most tests, changed by ``settings``."""
    (folder / "flow.yaml").write_text(FLOW)
    port = free_port()
    twilio = {
        "enabled": True,
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "api_url": "http://127.0.0.1:9",
        "request_timeout_s": 2,
    }
    whole = {
        "data_dir": "data",
        "server": {"port": port, "drain_timeout_s": 10},
        "gateways": {"twilio": twilio},
        "asr": {"enabled": False},
        "queues": [{"name": "sales", "ring_timeout_s": 5, "wrap_up_s": 0}],
        "agents": [],
        "routes": [{"number": "*", "flow": "flow.yaml"}],
    }
    given = whole | settings
    given["gateways"] = {"transfer_prefixes": ["+1415555"]} | given["gateways"]
    program = Program(folder, given, port)
    program.save()
    return program


@contextmanager
def running(*arguments: str, **settings: Any) -> Iterator[Program]:
    """One running installation for all tests of a module; nothing of it is left at the end."""
    # Not pytest's folder: under root each run closes that one to the account of the embedded database.
    with TemporaryDirectory(prefix="callcenter-test-") as folder:
        program = new_program(Path(folder), **settings)
        try:
            program.start(*arguments)
            yield program
            assert program.stop() == 0
        finally:
            if program.process is not None:
                program.kill()
            stop_database(Path(folder) / "data" / "postgres")


@contextmanager
def running_worker(program: Program, **environ: str) -> Iterator[Program]:
    """A worker beside a program, on a port of its own; ended by a signal, as it should be."""
    worker = Program(program.folder, program.settings, free_port(), environ=program.environ | environ)
    with (program.folder / "worker.log").open("ab") as log:
        worker.process = subprocess.Popen(
            [str(CALLCENTER), "worker", "--config", str(program.config), "--port", str(worker.port)],
            stdout=log,
            stderr=log,
            env=os.environ | worker.environ,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not worker.is_ready():
            assert worker.process.poll() is None, (program.folder / "worker.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield worker
        assert worker.stop() == 0
    finally:
        if worker.process is not None:
            worker.kill()


def stop_database(folder: Path) -> None:
    """End a database that a killed program left behind."""
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGINT)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return
