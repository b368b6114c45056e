"""WhisperLive 0.10.0 in batch mode: its own server in a process of its own, with real WebSocket clients.

It has no finals in our sense. A segment is ``completed`` when another follows it or when it came out the same
eleven times, which takes longer than 1.5 s even for one client. So a turn counts as known from the message
on after which its words never change again; that is the earliest that a client could have believed it.
Its server runs with both cores (``OMP_NUM_THREADS=2``; its own default is 1), greedy decoding and its
defaults, and is told that 1,000 clients may connect.
"""

import asyncio
import contextlib
import difflib
import json
import os
import random
import re
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
from _report import progress
from _speech_audio import Leg, Turn, line
from _speech_live import Final, Heard, Player, Shown
from _speech_servers import LANGUAGE, wide

PYTHON = Path(__file__).parent.parent / ".venv-benchmarks" / "bin" / "python"
"""Where ``make bench-peers`` puts it."""

_SERVE = """
import logging, sys
from whisper_live.server import TranscriptionServer
logging.getLogger().setLevel(logging.ERROR)
TranscriptionServer().run(
    "127.0.0.1", port=int(sys.argv[1]), backend="faster_whisper", batch_enabled=True,
    faster_whisper_custom_model_path=sys.argv[2], max_clients=1000, max_connection_time=7200,
)
"""
_START_TIMEOUT_S, _STOP_TIMEOUT_S = 60.0, 10.0
_ADMISSIONS_PER_S = 4
"""It turns clients away that come faster than 5 a second."""

_NOT_A_WORD = re.compile(r"[^a-z0-9' ]")


@asynccontextmanager
async def whisperlive(model: Path) -> AsyncIterator["WhisperLive | None"]:
    """The server with its model loaded; ``None`` where it is not installed."""
    if not PYTHON.exists():
        progress("WhisperLive is left out: `make bench-peers` installs it")
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        str(PYTHON),
        *("-c", _SERVE, str(port), str(model)),
        env={**os.environ, "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as http:
            server = WhisperLive(f"http://127.0.0.1:{port}", http)
            await server.ready(process)
            yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


@dataclass(slots=True)
class _Message:
    """All that the server has understood of a leg so far, as it was told at ``at_s``."""

    at_s: float
    words: list[str]


@dataclass(slots=True)
class _Client:
    """One leg's socket, the sound to be sent, and what came back."""

    socket: aiohttp.ClientWebSocketResponse
    outbox: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    messages: list[_Message] = field(default_factory=list)


class WhisperLive:
    """A ``Server`` that is reached over WebSockets."""

    name = "WhisperLive 0.10.0, batch mode"

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def ready(self, process: asyncio.subprocess.Process) -> None:
        """Wait until it serves a first client, for whom it loads the model."""
        async with asyncio.timeout(_START_TIMEOUT_S):
            while True:
                if process.returncode is not None:
                    raise ChildProcessError(f"WhisperLive ended with status {process.returncode}")
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    client = await self._connect(0)
                    break
                await asyncio.sleep(0.2)
        assert client is not None
        await client.socket.send_bytes(_as_int16(line(1.5, random.Random(0))))
        await asyncio.sleep(2)
        await client.socket.close()

    async def serve(self, player: Player, patience_s: float) -> list[Heard]:
        """See ``Server``. A leg that is turned away is heard nothing of."""
        clients: list[_Client | None] = []
        for number in range(len(player.legs)):
            clients.append(await self._connect(number))
            await asyncio.sleep(1 / _ADMISSIONS_PER_S)
        tasks = [
            asyncio.create_task(work, name=f"client {number}")
            for number, client in enumerate(clients)
            if client is not None
            for work in (_send(client), _receive(client, player, number))
        ]

        def feed(number: int, pcm16: bytes, _position: int) -> None:
            client = clients[number]
            if client is not None:
                client.outbox.put_nowait(pcm16)

        await player.play(feed)
        await asyncio.sleep(patience_s)
        for client in clients:
            if client is not None:
                await client.socket.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [
            Heard() if client is None else understood(leg, client.messages)
            for leg, client in zip(player.legs, clients, strict=True)
        ]

    async def _connect(self, number: int) -> _Client | None:
        """A client, or ``None`` where the server has no room."""
        socket = await self._http.ws_connect(self._url, max_msg_size=0)
        wanted = {
            "uid": str(number),
            "language": LANGUAGE,
            "task": "transcribe",
            "model": "demo",
            "use_vad": True,
            "audio_format": "int16",
            "send_last_n_segments": 500,
        }
        await socket.send_json(wanted)
        answer = await socket.receive(_START_TIMEOUT_S)
        if answer.type is not aiohttp.WSMsgType.TEXT or json.loads(answer.data).get("status"):
            await socket.close()
            return None
        return _Client(socket)


async def _send(client: _Client) -> None:
    while True:
        await client.socket.send_bytes(_as_int16(await client.outbox.get()))


async def _receive(client: _Client, player: Player, number: int) -> None:
    async for message in client.socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            told = json.loads(message.data).get("segments")
            if told is not None:
                text = " ".join(segment["text"] for segment in told)
                client.messages.append(_Message(player.clock(number), _words(text)))


def understood(leg: Leg, messages: Sequence[_Message]) -> Heard:
    """What was known of each turn, and since when."""
    if not messages:
        return Heard()
    said = [(word, turn) for turn in leg.turns for word in _words(turn.text)]
    last = messages[-1].words
    seen = Heard()
    for turn, upto in _reached(said, last):
        final = next(iter(_unchanged(messages, last[:upto])))
        seen.finals.append(Final(final.at_s, turn.start_s, turn.end_s, "told"))
        first = next(
            (one for one in messages if one.at_s > turn.start_s and _grew(one, turn, leg, said)), None
        )
        if first is not None:
            seen.shown.append(Shown(first.at_s, turn.start_s))
    return seen


def _reached(said: Sequence[tuple[str, Turn]], last: Sequence[str]) -> Iterator[tuple[Turn, int]]:
    """Each turn of which words were understood, and how many words there are up to the last of them."""
    match = difflib.SequenceMatcher(None, [word for word, _ in said], last, autojunk=False)
    upto: dict[Turn, int] = {}
    for block in match.get_matching_blocks():
        for offset in range(block.size):
            upto[said[block.a + offset][1]] = block.b + offset + 1
    yield from upto.items()


def _unchanged(messages: Sequence[_Message], words: Sequence[str]) -> list[_Message]:
    """The last messages, all of which begin with ``words``."""
    kept: list[_Message] = []
    for message in reversed(messages):
        if message.words[: len(words)] != words:
            break
        kept.append(message)
    return kept[::-1]


def _grew(message: _Message, turn: Turn, leg: Leg, said: Sequence[tuple[str, Turn]]) -> bool:
    """Whether there are more words than were said in all turns before."""
    before = sum(1 for _, one in said if one.start_s < turn.start_s)
    return len(message.words) > before


def _words(text: str) -> list[str]:
    return _NOT_A_WORD.sub(" ", text.lower()).split()


def _as_int16(pcm16: bytes) -> bytes:
    """8 kHz as the 16 kHz that the server wants."""
    sound = np.clip(np.round(wide(pcm16) * 32768), -32768, 32767).astype("<i2")
    return sound.tobytes()
