"""The engine's order, batches and behaviour under pressure, with a model that the test controls."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from asr import (
    ClosedSpeechError,
    EngineSettings,
    ModelError,
    OverloadedSpeechError,
    Recognition,
    RecognitionError,
    Speech,
    SpeechEngine,
    Urgency,
    Word,
)
from asr.engine import Outcome, Retry
from asr.ladder import LadderSettings, Rung
from asr.schedule import Plan


class Echo:
    """Recognises an utterance as its own bytes, while the gate is open; some words make it fail."""

    def __init__(self, row_s: float = 0.0) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.row_s = row_s
        self.batches: list[list[str]] = []
        self.full: list[str] = []

    def load(self) -> None:
        pass

    def close(self) -> None:
        pass

    def plan(self, speech: Speech, *, full: bool) -> Plan:
        return Plan("full" if full else "words" if speech.with_words else "short", 3000 if full else 400)

    def run(self, batch: Sequence[Speech], plan: Plan) -> list[Outcome]:
        said = [speech.pcm16.decode() for speech in batch]
        self.batches.append(said)
        assert self.gate.wait(10)
        time.sleep(self.row_s * len(batch))
        if "poison" in said:
            raise ZeroDivisionError("secret words")
        return [self._outcome(speech, text, plan) for speech, text in zip(batch, said, strict=True)]

    def _outcome(self, speech: Speech, text: str, plan: Plan) -> Outcome:
        if plan.lane == "full":
            self.full.append(text)
        if text == "bad":
            return RecognitionError("bad")
        if text == "half":
            return Retry(Recognition("ha", speech.language, 0.4))
        if text == "mad" or (text == "loop" and plan.lane != "full"):
            return Retry()
        words = (Word(text, 0.0, 1.0, 1.0),) if speech.with_words else ()
        return Recognition(text, speech.language, 1.0, words)


def final(text: str, **how: object) -> Speech:
    return Speech(**{"pcm16": text.encode(), "language": "en", **how})  # type: ignore[arg-type]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_what_waits_while_the_model_is_busy_goes_together() -> None:
    model = Echo()
    model.gate.clear()
    async with SpeechEngine(model) as engine:
        tasks = [asyncio.create_task(engine.recognize(final("0")))]
        await settle()
        tasks += [asyncio.create_task(engine.recognize(final(str(number)))) for number in range(1, 6)]
        await settle()
        assert (engine.stats().running, engine.stats().waiting) == (1, 5)
        model.gate.set()
        heard = await asyncio.gather(*tasks)
        assert [one.text for one in heard] == ["0", "1", "2", "3", "4", "5"]
        assert model.batches == [["0"], ["1", "2", "3", "4", "5"]]
        assert (engine.stats().done, engine.stats().batches, engine.stats().rows) == (6, 2, 6)


async def test_what_comes_at_once_goes_together_without_a_window() -> None:
    model = Echo()
    async with SpeechEngine(model, EngineSettings(workers=2, batch_s=10)) as engine:
        await asyncio.gather(*(engine.recognize(final(str(number))) for number in range(8)))
    assert sorted(map(len, model.batches)) == [4, 4]


async def test_a_failure_in_a_batch_stays_with_its_utterance(caplog: pytest.LogCaptureFixture) -> None:
    model = Echo()
    model.gate.clear()
    async with SpeechEngine(model) as engine:
        said = ["first", "fine", "bad", "poison", "still fine"]
        tasks = [asyncio.create_task(engine.recognize(final(text))) for text in said]
        await settle()
        model.gate.set()
        with caplog.at_level(logging.ERROR):
            heard = await asyncio.gather(*tasks, return_exceptions=True)
        assert engine.stats().failed == 2
    assert [getattr(one, "text", str(one)) for one in heard] == [
        "first",
        "fine",
        "bad",
        "recognition failed: ZeroDivisionError",
        "still fine",
    ]
    assert len(caplog.records) == 1


async def test_what_is_not_to_be_trusted_is_tried_once_at_full_context() -> None:
    model = Echo()
    async with SpeechEngine(model) as engine:
        assert (await engine.recognize(final("loop"))).text == "loop"
        with pytest.raises(RecognitionError, match="repeated itself"):
            await engine.recognize(final("mad"))
        assert (await engine.recognize(final("half"))).text == "ha"
        assert (engine.stats().retries, engine.stats().done, engine.stats().failed) == (3, 2, 1)
    assert model.full == ["loop", "mad", "half"]


async def test_who_hangs_up_is_passed_over() -> None:
    model = Echo()
    model.gate.clear()
    async with SpeechEngine(model) as engine:
        tasks = [asyncio.create_task(engine.recognize(final("a")))]
        await settle()
        tasks += [asyncio.create_task(engine.recognize(final(text))) for text in ("b", "c")]
        await settle()
        tasks[1].cancel()
        await settle()
        model.gate.set()
        assert (await tasks[2]).text == "c"
    assert model.batches == [["a"], ["c"]]


async def test_the_end_waits_for_what_is_queued() -> None:
    model = Echo(row_s=0.01)
    async with SpeechEngine(model) as engine:
        tasks = [asyncio.create_task(engine.recognize(final(str(number)))) for number in range(5)]
        await settle()
    assert [task.result().text for task in tasks] == ["0", "1", "2", "3", "4"]
    with pytest.raises(ClosedSpeechError):
        await engine.recognize(final("late"))


async def test_the_end_is_bounded_and_says_so_to_everyone(caplog: pytest.LogCaptureFixture) -> None:
    model = Echo()
    model.gate.clear()
    async with SpeechEngine(model, EngineSettings(max_rows=1, drain_timeout_s=0.05)) as engine:
        tasks = [asyncio.create_task(engine.recognize(final(str(number)))) for number in range(3)]
        await settle()
        asyncio.get_running_loop().call_later(0.2, model.gate.set)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(one, "text", type(one)) for one in results] == ["0", ClosedSpeechError, ClosedSpeechError]
    assert "2 utterances" in caplog.text


async def test_a_model_that_cannot_be_loaded_is_told_on_entry() -> None:
    class Broken(Echo):
        def load(self) -> None:
            raise ModelError("asr.model: broken")

    with pytest.raises(ModelError, match=r"asr\.model: broken"):
        async with SpeechEngine(Broken()):
            pass


WAITS = LadderSettings(wait_s=(0.02, 0.05, 0.1, 0.3), busy=(2.0, 2.0), calm_s=0.05)
"""How long finals may wait before something gives way; being busy alone does no harm."""


async def test_partials_go_first_then_word_times_then_finals_wait_on_disk(tmp_path: Path) -> None:
    model = Echo(row_s=0.02)
    settings = EngineSettings(max_rows=1, ladder=WAITS, spool_folder=tmp_path)
    async with SpeechEngine(model, settings) as engine:
        await engine.recognize(final("warm up"))
        assert engine.pace() == 1.0
        tasks = [
            asyncio.create_task(engine.recognize(final(str(number), with_words=True))) for number in range(60)
        ]
        await settle()
        assert engine.stats().rung == Rung.FINALS_LATER
        assert engine.pace() == float("inf")
        with pytest.raises(OverloadedSpeechError):
            await engine.recognize(final("partial", urgency=Urgency.PARTIAL))
        stats = engine.stats()
        assert stats.partials_shed == 1
        assert 0 < stats.put_off <= stats.finals_later < stats.words_later < 60
        heard = await asyncio.gather(*tasks)
        assert [one.text for one in heard] == [str(number) for number in range(60)]
        assert sum(one.degraded for one in heard) == stats.finals_later
        assert sum(not one.words for one in heard) == stats.words_later
        assert engine.stats().put_off == 0
        assert engine.stats().climbs == (0, 1, 1, 1, 1)
        for _ in range(20):
            await asyncio.sleep(0.05)
            engine.pace()
        assert engine.stats().rung == Rung.ALL
        assert (await engine.recognize(final("partial", urgency=Urgency.PARTIAL))).text == "partial"


async def test_finals_put_off_let_new_ones_go_first(tmp_path: Path) -> None:
    model = Echo(row_s=0.01)
    model.gate.clear()
    ladder = LadderSettings(wait_s=(0.001, 0.001, 0.001, 0.001), busy=(2.0, 2.0), calm_s=0.0)
    async with SpeechEngine(
        model, EngineSettings(max_rows=1, ladder=ladder, spool_folder=tmp_path)
    ) as engine:
        tasks = [asyncio.create_task(engine.recognize(final("running")))]
        await settle()
        tasks += [asyncio.create_task(engine.recognize(final(text))) for text in ("waits", "put off")]
        await settle()
        assert engine.stats().finals_later == 1
        tasks[1].cancel()
        await settle()
        for _ in range(8):
            engine.pace()
        tasks[1] = asyncio.create_task(engine.recognize(final("new")))
        await settle()
        model.gate.set()
        await asyncio.gather(*tasks)
    assert [text for batch in model.batches for text in batch] == ["running", "new", "put off"]


async def test_hundreds_of_legs_at_once_lose_nothing() -> None:
    model = Echo(row_s=0.0005)
    async with SpeechEngine(model, EngineSettings(workers=2)) as engine:

        async def leg(number: int) -> list[str]:
            return [(await engine.recognize(final(f"{number}-{turn}"))).text for turn in range(10)]

        heard = await asyncio.gather(*(leg(number) for number in range(100)))
        assert heard == [[f"{number}-{turn}" for turn in range(10)] for number in range(100)]
        assert engine.stats().batches < 500
