"""The bounded line before the worker threads, with a recogniser that the test controls."""

import asyncio
import logging
import threading

import pytest

from asr import ClosedSpeechError, OverloadedSpeechError, Recognition, RecognitionError
from asr.queued import QueuedRecognizer


class Gate:
    """Recognises an utterance as its own bytes, when the gate is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.started: list[bytes] = []

    def __call__(self, pcm16: bytes, language: str) -> Recognition:
        self.started.append(pcm16)
        self.open.wait(10)
        if pcm16 == b"bad":
            raise RecognitionError("bad")
        if pcm16 == b"worse":
            raise ZeroDivisionError
        return Recognition(pcm16.decode(), language, 1.0)


async def settle() -> None:
    """Let every task that can run do so; none of them needs a thread for it."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_in_order_of_arrival() -> None:
    gate = Gate()
    gate.open.set()
    async with QueuedRecognizer(gate, 1, 100) as queued:
        heard = await asyncio.gather(*(queued.recognize(b"%d" % number, "en") for number in range(20)))
    assert [one.text for one in heard] == [str(number) for number in range(20)]
    assert gate.started == [b"%d" % number for number in range(20)]


async def test_too_many_are_refused_at_once_and_counted() -> None:
    gate = Gate()
    async with QueuedRecognizer(gate, 1, 2) as queued:
        first = asyncio.create_task(queued.recognize(b"0", "en"))
        await settle()
        rest = [asyncio.create_task(queued.recognize(b"1", "en")) for _ in range(2)]
        await settle()
        assert (queued.stats().waiting, queued.stats().running) == (2, 1)
        with pytest.raises(OverloadedSpeechError, match="2 utterances"):
            await queued.recognize(b"2", "en")
        assert queued.stats().refused == 1
        gate.open.set()
        await asyncio.gather(first, *rest)
        assert (queued.stats().done, queued.stats().waiting, queued.stats().running) == (3, 0, 0)


async def test_a_failure_stays_with_its_utterance(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    gate.open.set()
    async with QueuedRecognizer(gate, 1, 10) as queued:
        said = [b"fine", b"bad", b"worse", b"still fine"]
        with caplog.at_level(logging.ERROR):
            heard = await asyncio.gather(
                *(queued.recognize(one, "en") for one in said), return_exceptions=True
            )
        assert queued.stats().failed == 2
    assert [type(one) for one in heard] == [Recognition, RecognitionError, RecognitionError, Recognition]
    assert "ZeroDivisionError" in str(heard[2])
    assert len(caplog.records) == 1


async def test_a_caller_who_gave_up_is_passed_over() -> None:
    gate = Gate()
    async with QueuedRecognizer(gate, 1, 10) as queued:
        tasks = [asyncio.create_task(queued.recognize(one, "en")) for one in (b"a", b"b", b"c")]
        await settle()
        tasks[1].cancel()
        await asyncio.sleep(0)
        gate.open.set()
        assert (await tasks[2]).text == "c"
    assert gate.started == [b"a", b"c"]


async def test_the_end_waits_for_what_is_queued() -> None:
    gate = Gate()
    async with QueuedRecognizer(gate, 1, 10) as queued:
        tasks = [asyncio.create_task(queued.recognize(b"%d" % number, "en")) for number in range(5)]
        await settle()
        gate.open.set()
    assert [task.result().text for task in tasks] == ["0", "1", "2", "3", "4"]


async def test_the_end_is_bounded_and_says_so_to_everyone(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    async with QueuedRecognizer(gate, 1, 10, drain_timeout_s=0.05) as queued:
        tasks = [asyncio.create_task(queued.recognize(b"%d" % number, "en")) for number in range(3)]
        await settle()
        asyncio.get_running_loop().call_later(0.2, gate.open.set)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results] == [ClosedSpeechError] * 3
    assert gate.started == [b"0"]
    assert "2 utterances" in caplog.text
