"""What carries the audio in ``media.py``: the service, and a forwarder that does the least there is to do.

Both are run as a child process with uvloop, on the cores of the process that starts them.
"""

import asyncio
import base64
import json
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import uvloop
from _media_load import Account
from aiohttp import WSMsgType, web
from pydantic import SecretStr

from asr import Recognition, SpeechEngine
from asr import Speech as Utterance
from asr.engine import Outcome
from asr.schedule import Plan
from callcenter import app, config
from callcenter.acd.presence import AgentEvent
from callcenter.acd.roster import Roster
from callcenter.speech import Speech
from callcenter.storage.agents import Agents

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
QUEUE = "bench"
FLOW = f"""\
language: en
start: wait
nodes:
  wait: {{kind: queue, queue: {QUEUE}, timeout: bye, empty: bye, full: bye, closed: bye}}
  bye: {{kind: hangup, prompts: Goodbye., reason: completed}}
"""

Server = Callable[..., AbstractAsyncContextManager[str]]
"""Serves while it is entered, at the URL that it gives."""


class DeafModel:
    """A model that understands nothing and does so at once."""

    def load(self) -> None:
        """Load nothing."""

    def close(self) -> None:
        """Free nothing."""

    def plan(self, speech: Utterance, *, full: bool) -> Plan:
        """All speech is alike to it."""
        return Plan(full, 1)

    def run(self, batch: Sequence[Utterance], _plan: Plan) -> list[Outcome]:
        """Hear nothing in anything."""
        return [Recognition("", speech.language, 0.0) for speech in batch]


async def deaf(stack: AsyncExitStack, _: config.Asr) -> Speech:
    """Speech without a model: legs are listened to, what they say comes to nothing."""
    return Speech(await stack.enter_async_context(SpeechEngine(DeafModel())))


def settings(folder: Path, calls: int, account: Account) -> config.Settings:
    """The service's settings for so many calls, each with an agent of its own."""
    flow = folder / "flow.yaml"
    flow.write_text(FLOW)
    twilio = config.Twilio(
        enabled=True,
        account_sid=account.sid,
        auth_token=SecretStr(account.token),
        api_url=f"http://127.0.0.1:{account.port}",
        from_number="+12025550100",
    )
    return config.Settings(
        data_dir=folder / "data",
        server=config.Server(port=0, max_calls=calls),
        gateways=config.Gateways(twilio=twilio),
        recording=config.Recording(format="wav"),
        queues=[config.Queue(name=QUEUE, wrap_up_s=0, max_length=calls)],
        agents=[
            config.Agent(id=f"agent-{number}", address="+12025550199", queues=[QUEUE])
            for number in range(calls)
        ],
        routes=[config.Route(number="*", flow=flow)],
    )


@asynccontextmanager
async def service(wanted: config.Settings) -> AsyncIterator[str]:
    """The whole service with all of its agents signed in; only the speech model is left out."""
    with patch.object(app, "open_speech", deaf):
        async with app.serving(wanted) as running:
            roster = Roster(Agents(running.database))
            for agent in wanted.agents:
                await roster.signal(agent.id, AgentEvent.SIGN_IN)
            app.spare_garbage_collection()
            yield running.url


@asynccontextmanager
async def forwarder() -> AsyncIterator[str]:
    """aiohttp and nothing else: reads a message's JSON and base64 and sends it on to the partner's socket.

    ``/0`` and ``/1`` are partners, ``/2`` and ``/3``, and so on.
    """
    sockets: dict[int, web.WebSocketResponse] = {}

    async def media(request: web.Request) -> web.WebSocketResponse:
        number = int(request.match_info["number"])
        sockets[number] = ours = web.WebSocketResponse(compress=False)
        await ours.prepare(request)
        async for message in ours:
            if message.type is not WSMsgType.TEXT:
                break
            content = json.loads(message.data)
            if content["event"] == "media":
                base64.b64decode(content["media"]["payload"])
                await sockets[number ^ 1].send_str(message.data)
        return ours

    application = web.Application()
    application.router.add_get("/{number}", media)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Child:
    """A server in a process of its own, on the core ``core``."""

    def __init__(self, server: Server, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._ready, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(theirs, server, arguments))
        self.url = ""

    def __enter__(self) -> Self:
        self._process.start()
        if not self._ready.poll(START_TIMEOUT_S):
            raise TimeoutError(f"{self._process.name} did not start")
        self.url = self._ready.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(STOP_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()

    @property
    def cpu_s(self) -> float:
        """Processor time of all of its threads until now, its child processes (the database) left out."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def pinned(cores: Sequence[int]) -> Iterator[None]:
    """Stay on these cores, as do the processes that are started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _run(ready: Connection, server: Server, arguments: tuple[Any, ...]) -> None:
    async def until_told() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with server(*arguments) as url:
            ready.send(url)
            await stop.wait()

    uvloop.run(until_told())
