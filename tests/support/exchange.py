"""A telephone exchange that outlives the workers: rings customers up, counts, and remembers.

What a call comes to is planned when it is dialled and follows from the time alone. Customers who answer talk
until they hang up themselves, whether or not anybody of ours is still there.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from callback.ports import Fate, Found
from callback.request import Attempt, Callback

ANSWER = "answer"
OVER = frozenset({Fate.ANSWERED, Fate.BUSY, Fate.NO_ANSWER, Fate.FAILED})


class RefusedByNetworkError(Exception):
    """The network does not take the call."""


@dataclass(frozen=True)
class Plan:
    """What a call comes to: ``then`` is ``ANSWER`` or the fate after the ringing.

    ``never_rings``: accepted, and nothing more is heard. ``silent``: it is dialled, and who asked for it
    never gets an answer. ``amnesia``: the network cannot tell what became of it. ``events`` is what is done
    to the messages about it: lost, twice, turned round, late.
    """

    then: str = ANSWER
    ring_s: float = 0.03
    talk_s: float = 0.05
    never_rings: bool = False
    silent: bool = False
    refused: bool = False
    amnesia: bool = False
    events: str = ""


@dataclass
class Call:
    attempt_id: UUID
    number: str
    plan: Plan
    since: float
    hung_up_at: float | None = None
    dials: int = 1
    extra: list[tuple[str, str]] = field(default_factory=list)

    def fate(self, now: float) -> Fate:
        at = now if self.hung_up_at is None else min(now, self.hung_up_at)
        age, is_cut, plan = at - self.since, self.hung_up_at is not None, self.plan
        if plan.never_rings or age < plan.ring_s:
            return Fate.NO_ANSWER if is_cut else Fate.RINGING
        if plan.then != ANSWER:
            return Fate(plan.then)
        return Fate.ANSWERED if is_cut or age >= plan.ring_s + plan.talk_s else Fate.TALKING

    def events(self, now: float) -> list[tuple[str, str]]:
        """What has been told so far."""
        fate = self.fate(now)
        told = [("1", "ringing")]
        if fate in (Fate.TALKING, Fate.ANSWERED):
            told.append(("2", "talking"))
        if fate in OVER:
            told.append(("3", fate.value))
        match self.plan.events:
            case "lost":
                return told[:1]
            case "twice":
                return told + told
            case "turned":
                return told[::-1]
            case "late":
                return self.events_late(told, now)
        return told

    def events_late(self, told: list[tuple[str, str]], now: float) -> list[tuple[str, str]]:
        return told if now - self.since > self.plan.ring_s + self.plan.talk_s + 0.3 else told[:1]


class Exchange:
    """The network itself. ``double`` are customers who were rung up while they were on the line with us."""

    def __init__(self, plan: Callable[[str, int], Plan] = lambda *_: Plan()) -> None:
        self._plan = plan
        self.calls: dict[UUID, Call] = {}
        self.asked: Counter[str] = Counter()
        self.dialled: Counter[str] = Counter()
        self.double: list[str] = []
        self.is_away = False

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def dial(self, attempt_id: UUID, number: str) -> Plan:
        if (again := self.calls.get(attempt_id)) is not None:
            again.dials += 1
            return again.plan
        plan = self._plan(number, self.asked[number])
        self.asked[number] += 1
        if plan.refused:
            return plan
        self.dialled[number] += 1
        if any(call.number == number and call.fate(self.now()) not in OVER for call in self.calls.values()):
            self.double.append(number)
        self.calls[attempt_id] = Call(attempt_id, number, plan, self.now())
        return plan

    def found(self, attempt_id: UUID) -> Fate:
        call = self.calls.get(attempt_id)
        if self.is_away or (call is not None and call.plan.amnesia):
            return Fate.UNKNOWN
        return Fate.NEVER if call is None else call.fate(self.now())

    def told(self, attempt_id: UUID) -> list[tuple[str, str]]:
        call = self.calls.get(attempt_id)
        return [] if call is None else call.events(self.now())

    def cut(self, attempt_id: UUID) -> None:
        call = self.calls.get(attempt_id)
        if call is not None and call.hung_up_at is None:
            call.hung_up_at = self.now()


class Line:
    """The way to an exchange of the same process; ``callback.ports.Network`` and what a carrier needs."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def dial(self, attempt_id: UUID, number: str) -> None:
        plan = self._exchange.dial(attempt_id, number)
        await asyncio.sleep(0)
        if plan.refused:
            raise RefusedByNetworkError
        if plan.silent:
            raise TimeoutError

    async def fate(self, callback: Callback, attempt: Attempt) -> Found:
        return Found(await self.found(attempt.attempt_id), "ref")

    async def found(self, attempt_id: UUID) -> Fate:
        await asyncio.sleep(0)
        return self._exchange.found(attempt_id)

    async def told(self, attempt_id: UUID) -> list[tuple[str, str]]:
        await asyncio.sleep(0)
        return self._exchange.told(attempt_id)

    async def hang_up(self, attempt: Attempt, call_ref: str) -> None:
        await self.cut(attempt.attempt_id)

    async def cut(self, attempt_id: UUID) -> None:
        await asyncio.sleep(0)
        self._exchange.cut(attempt_id)


class ExchangeServer:
    """An exchange for other processes: one JSON object per line over a socket."""

    def __init__(self, exchange: Exchange, path: Path) -> None:
        self._exchange = exchange
        self._path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while line := await reader.readline():
                answer = self._answer(json.loads(line))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    def _answer(self, asked: dict[str, Any]) -> Any:
        attempt_id = UUID(asked["attempt"])
        match asked["what"]:
            case "dial":
                plan = self._exchange.dial(attempt_id, asked["number"])
                return {"refused": plan.refused, "silent": plan.silent}
            case "found":
                return self._exchange.found(attempt_id).value
            case "told":
                return self._exchange.told(attempt_id)
            case _:
                self._exchange.cut(attempt_id)
                return None


class FarLine(Line):
    """The way to an exchange in another process. ``around`` is told before and after each question."""

    def __init__(self, path: str, around: Callable[[str], None] = lambda _: None) -> None:
        self._path = path
        self._around = around
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _ask(self, what: str, attempt_id: UUID, **more: str) -> Any:
        async with self._lock:
            if self._streams is None:
                self._streams = await asyncio.open_unix_connection(self._path)
            reader, writer = self._streams
            # Until the answer is there: who is cancelled meanwhile must not leave it to the next question.
            self._streams = None
            self._around(f"before {what}")
            writer.write(json.dumps({"what": what, "attempt": str(attempt_id), **more}).encode() + b"\n")
            answer = json.loads(await reader.readline())
            self._around(f"after {what}")
            self._streams = reader, writer
            return answer

    async def dial(self, attempt_id: UUID, number: str) -> None:
        answer = await self._ask("dial", attempt_id, number=number)
        if answer["refused"]:
            raise RefusedByNetworkError
        if answer["silent"]:
            raise TimeoutError

    async def found(self, attempt_id: UUID) -> Fate:
        return Fate(await self._ask("found", attempt_id))

    async def told(self, attempt_id: UUID) -> list[tuple[str, str]]:
        return [(event_id, status) for event_id, status in await self._ask("told", attempt_id)]

    async def cut(self, attempt_id: UUID) -> None:
        await self._ask("cut", attempt_id)
