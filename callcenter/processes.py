"""Several service processes behind one listening address.

Each child listens on the same address itself (``SO_REUSEPORT``; the kernel deals the connections out) and
is a node of its own in the database. The parent carries no calls: it starts children, starts one again
that died, and passes the signal to stop on.
"""

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from types import FrameType

from callcenter import config
from callcenter.places import bind_shared

log = logging.getLogger(__name__)

RESTART_PAUSE_S = 1.0
GIVE_UP_AFTER_S = 5.0
"""A first child that gives up within this time has a reason that a restart will not mend."""


def serve_many(settings: config.Settings, processes: int) -> int:
    """Serve with ``processes`` children until SIGTERM or SIGINT; returns the exit status."""
    with bind_shared(settings.server) as reserved:
        port = reserved.getsockname()[1]
        server = settings.server.model_copy(update={"port": port})
        return _Children(settings.model_copy(update={"server": server}), processes).run()


class _Children:
    def __init__(self, settings: config.Settings, count: int) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("spawn")
        self._children: list[BaseProcess] = []
        self._count = count
        self._stopping = False
        # A signal's handler may run between any two lines, so all that it does is to set a flag and wake.
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        started_s = time.monotonic()
        while not self._stopping and len(self._children) < self._count:
            self._children.append(self._start())
        while not self._stopping:
            self._wait([child.sentinel for child in self._children], None)
            dead = [child for child in self._children if not child.is_alive()]
            early = time.monotonic() - started_s < GIVE_UP_AFTER_S
            if hopeless := [child.exitcode for child in dead if early and (child.exitcode or 0) > 0]:
                self._stop()
                return hopeless[0] or 1
            self._replace(dead)
        return self._stop()

    def _replace(self, dead: Sequence[BaseProcess]) -> None:
        for child in dead:
            if self._stopping:
                return
            log.error("process %s ended with status %s; starting another", child.pid, child.exitcode)
            self._wait([], RESTART_PAUSE_S)
            self._children.remove(child)
            self._children.append(self._start())

    def _wait(self, sentinels: Sequence[int], timeout_s: float | None) -> None:
        multiprocessing.connection.wait([*sentinels, self._woken], timeout=timeout_s)

    def _start(self) -> BaseProcess:
        child = self._context.Process(target=_child, args=(self._settings,), name="callcenter serve")
        child.start()
        return child

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        with suppress(BlockingIOError):
            self._wake.send(b".")

    def _stop(self) -> int:
        """Let all children drain; returns the exit status."""
        for child in self._children:
            if child.is_alive() and child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)
        for child in self._children:
            child.join()
        # A child that was asked before it could listen to signals ends by the signal itself.
        statuses = [0 if child.exitcode == -signal.SIGTERM else child.exitcode for child in self._children]
        return max((abs(status or 0) for status in statuses), default=0)


def _child(settings: config.Settings) -> None:
    from callcenter.app import Place, run_service
    from callcenter.cli import report_errors, set_up_logging

    set_up_logging(settings.log_level)
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    shared = bind_shared(settings.server)
    raise SystemExit(report_errors(lambda: run_service(settings, Place(shared, shares_ports=True))))


def _end_with_parent() -> None:
    """Drain and end when the parent is gone: nobody else would ever ask."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
