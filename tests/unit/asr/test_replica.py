"""What one replica answers, and when it calls itself dead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from asr import LanguageError, OverloadedSpeechError, Recognition, RecognitionError, Speech
from asr.replica import Pulse, Replica


class Engine:
    """Recognises an utterance as its own bytes; some of them are errors."""

    def __init__(self) -> None:
        self.heard: list[Speech] = []

    async def recognize(self, speech: Speech) -> Recognition:
        self.heard.append(speech)
        text = speech.pcm16.decode()
        match text:
            case "bad":
                raise RecognitionError("recognition failed: RuntimeError")
            case "klingon":
                raise LanguageError("the model does not know 'tlh'")
            case "busy":
                raise OverloadedSpeechError("no partials at the moment")
        return Recognition(text, speech.language, 1.0)

    def pace(self) -> float:
        return 2.5

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Engine"]:
        yield self


async def replica_of(engine: Engine) -> Replica:
    made = Replica.__new__(Replica)
    await Replica.__init__(made, engine.opened)  # type: ignore[misc, func-returns-value]
    return made


async def test_answers_tell_the_text_and_the_pace() -> None:
    answer = await (await replica_of(Engine())).recognize(Speech(b"yes", "en"))
    assert (answer.outcome, answer.pace) == (Recognition("yes", "en", 1.0), 2.5)


async def test_an_error_is_an_answer_of_its_own_kind() -> None:
    replica = await replica_of(Engine())
    outcomes = [
        (await replica.recognize(Speech(said, "en"))).outcome for said in (b"bad", b"klingon", b"busy")
    ]
    assert [type(one) for one in outcomes] == [RecognitionError, LanguageError, OverloadedSpeechError]
    assert str(outcomes[1]) == "the model does not know 'tlh'"


async def test_the_deadline_is_put_on_the_clock_of_the_replica() -> None:
    engine = Engine()
    replica = await replica_of(engine)
    began_s = asyncio.get_running_loop().time()
    await replica.recognize(Speech(b"yes", "en", deadline_s=7.0))
    await replica.recognize(Speech(b"yes", "en"))
    assert 7.0 <= engine.heard[0].deadline_s - began_s < 8.0
    assert engine.heard[1].deadline_s == 0.0


async def test_a_replica_that_only_fails_is_dead_and_bad_requests_do_not_count() -> None:
    replica = await replica_of(Engine())
    for said in [b"klingon"] * 30 + [b"bad"] * 19:
        await replica.recognize(Speech(said, "en"))
        await replica.check_health()
    await replica.recognize(Speech(b"bad", "en"))
    with pytest.raises(RuntimeError, match="the last 20 utterances failed"):
        await replica.check_health()


def test_one_success_between_failures_is_life() -> None:
    pulse = Pulse(failures_max=3)
    for well in (False, False, True, False, False):
        pulse.asked(0)
        pulse.answered(0, well)
    assert pulse.trouble(0) == ""


def test_an_engine_that_is_asked_nothing_is_well() -> None:
    assert Pulse(stall_s=10).trouble(1e6) == ""


def test_an_engine_that_answers_nothing_is_dead() -> None:
    pulse = Pulse(stall_s=10)
    pulse.asked(100)
    pulse.asked(105)
    assert pulse.trouble(110) == ""
    pulse.answered(110, well=None)
    assert "while 1 utterances wait" in pulse.trouble(111)
    pulse.answered(112, well=True)
    pulse.asked(200)
    assert pulse.trouble(209) == ""
