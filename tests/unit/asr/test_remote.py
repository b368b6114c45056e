"""Asking again after a loss, on virtual time, with replicas that the test controls."""

import asyncio
import logging

import pytest

from asr import (
    ClosedSpeechError,
    LanguageError,
    OverloadedSpeechError,
    Recognition,
    RecognitionError,
    Speech,
    Urgency,
)
from asr.remote import ClusterStats, RemoteRecognizer, RemoteSettings, ReplicaLostError
from asr.replica import Answer
from support.virtual_time import now, run


class Replicas:
    """Answer an utterance with its own bytes after ``work_s``; ``losses`` of them are lost first."""

    def __init__(self, losses: int = 0, closes: bool = False, work_s: float = 0.1, pace: float = 1.0) -> None:
        self.losses = losses
        self.closes = closes
        self.work_s = work_s
        self.pace = pace
        self.asked: list[Speech] = []
        self.given_up: list[bytes] = []

    async def ask(self, speech: Speech) -> Answer:
        self.asked.append(speech)
        try:
            await asyncio.sleep(self.work_s)
        except asyncio.CancelledError:
            self.given_up.append(speech.pcm16)
            raise
        if self.losses:
            self.losses -= 1
            if self.closes:
                return Answer(ClosedSpeechError("the recognizer is closed"), self.pace)
            raise ReplicaLostError("ActorDiedError")
        if speech.language == "tlh":
            return Answer(LanguageError("unknown"), self.pace)
        return Answer(Recognition(speech.pcm16.decode(), speech.language, 1.0), self.pace)


def final(text: str = "yes", **how: object) -> Speech:
    return Speech(text.encode(), "en", **how)  # type: ignore[arg-type]


def recognizer(replicas: Replicas, asked_max: int = 100, attempts: int = 4) -> RemoteRecognizer:
    return RemoteRecognizer(replicas.ask, RemoteSettings(asked_max, attempts, 0.25, 0.5))


@pytest.mark.parametrize("closes", [False, True])
def test_what_is_lost_is_asked_again_with_pauses(closes: bool) -> None:
    async def work() -> None:
        replicas = Replicas(losses=3, closes=closes)
        remote, began_s = recognizer(replicas), now()
        assert (await remote.recognize(final())).text == "yes"
        assert now() - began_s == pytest.approx(4 * 0.1 + 0.25 + 0.5 + 0.5)
        assert remote.stats() == ClusterStats(waiting=0, done=1, failed=0, retried=3)

    run(work())


def test_attempts_are_bounded() -> None:
    async def work() -> None:
        replicas = Replicas(losses=9)
        remote = recognizer(replicas)
        with pytest.raises(RecognitionError, match="lost by 4 replicas"):
            await remote.recognize(final())
        assert len(replicas.asked) == 4
        assert remote.stats() == ClusterStats(waiting=0, done=0, failed=1, retried=3)

    run(work())


def test_a_lost_partial_is_not_asked_again() -> None:
    async def work() -> None:
        replicas = Replicas(losses=1)
        remote = recognizer(replicas)
        with pytest.raises(OverloadedSpeechError):
            await remote.recognize(final(urgency=Urgency.PARTIAL))
        assert len(replicas.asked) == 1

    run(work())


def test_an_error_of_the_engine_is_raised_and_not_asked_again() -> None:
    async def work() -> None:
        replicas = Replicas()
        remote = recognizer(replicas)
        with pytest.raises(LanguageError):
            await remote.recognize(Speech(b"Qapla'", "tlh"))
        assert (len(replicas.asked), remote.stats().failed) == (1, 1)

    run(work())


def test_when_all_are_busy_partials_are_refused_and_finals_wait() -> None:
    async def work() -> None:
        remote = recognizer(Replicas(), asked_max=3)
        finals = [asyncio.create_task(remote.recognize(final(str(number)))) for number in range(5)]
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadedSpeechError, match="busy"):
            await remote.recognize(final(urgency=Urgency.PARTIAL))
        assert [one.text for one in await asyncio.gather(*finals)] == ["0", "1", "2", "3", "4"]

    run(work())


def test_what_nobody_waits_for_leaves_room_for_finals() -> None:
    async def work() -> None:
        replicas = Replicas()
        remote = recognizer(replicas, asked_max=4)
        files = [
            asyncio.create_task(remote.recognize(final("file", urgency=Urgency.LATER))) for _ in range(6)
        ]
        await asyncio.sleep(0.01)
        assert len(replicas.asked) == 2
        await remote.recognize(final())
        assert [speech.pcm16 for speech in replicas.asked[:3]] == [b"file", b"file", b"yes"]
        await asyncio.gather(*files)

    run(work())


def test_a_replica_is_told_how_much_time_is_left() -> None:
    async def work() -> None:
        replicas = Replicas(losses=1)
        remote = recognizer(replicas)
        await remote.recognize(final(deadline_s=now() + 1.0))
        await remote.recognize(final(deadline_s=now() - 1.0))
        await remote.recognize(final())
        assert [speech.deadline_s for speech in replicas.asked] == pytest.approx([1.0, 0.65, 0.0, 0.0])

    run(work())


def test_the_pace_is_that_of_the_last_answer_and_does_not_last() -> None:
    async def work() -> None:
        remote = recognizer(Replicas(pace=2.5))
        assert remote.pace() == 1.0
        await remote.recognize(final())
        assert remote.pace() == 2.5
        await asyncio.sleep(5.1)
        assert remote.pace() == 1.0

    run(work())


def test_who_hangs_up_is_given_up_and_counted_nowhere() -> None:
    async def work() -> None:
        replicas = Replicas()
        remote = recognizer(replicas)
        task = asyncio.create_task(remote.recognize(final()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert replicas.given_up == [b"yes"]
        assert remote.stats() == ClusterStats()

    run(work())


@pytest.mark.parametrize(("timeout_s", "expected"), [(1.0, Recognition), (0.05, ClosedSpeechError)])
def test_the_end_waits_for_what_was_asked_but_not_forever(
    timeout_s: float, expected: type, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        remote = recognizer(Replicas())
        tasks = [asyncio.create_task(remote.recognize(final())) for _ in range(3)]
        await asyncio.sleep(0)
        await remote.close(timeout_s)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in outcomes] == [expected] * 3
        with pytest.raises(ClosedSpeechError):
            await remote.recognize(final())

    with caplog.at_level(logging.WARNING):
        run(work())
    assert ("3 utterances" in caplog.text) == (expected is ClosedSpeechError)
