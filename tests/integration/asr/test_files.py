"""Recordings of every kind, really encoded, to turns; with a recognizer of the test's own, and a real one."""

import asyncio
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from asr import AUTO, Recognition, RecognitionError, Speech, Urgency, Word
from asr.errors import SoundError
from asr.files import FileTranscriber, Heard, Reading
from asr.sound import SoundFile
from asr.whisper import WhisperSettings, open_engine
from support.encoded import CODECS, encode, shorten, silence

GREETING = "Hello, how can I help you today?"
ANSWER = "I would like to change my address please."


class Clerk:
    """Writes down how long each utterance was, while the gate is open."""

    def __init__(self, *outcomes: Recognition | RecognitionError, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.outcomes = list(outcomes)
        self.asked: list[Speech] = []
        self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def recognize(self, speech: Speech) -> Recognition:
        self.asked.append(speech)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            await asyncio.sleep(self.delay_s)
        finally:
            self.at_once -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else Recognition("said", "en", 0.9)
        if isinstance(outcome, RecognitionError):
            raise outcome
        return outcome

    def pace(self) -> float:
        return 1.0

    async def has(self, count: int) -> None:
        """Wait until ``count`` utterances wait at the gate."""
        async with asyncio.timeout(10):
            while self.at_once < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def read(path: Path, clerk: Clerk | None = None, in_flight: int = 4, **how: object) -> Heard:
    transcriber = FileTranscriber(clerk or Clerk(), Reading(**how), in_flight=in_flight)  # type: ignore[arg-type]
    return await transcriber.transcribe(path, lambda _: None)


@pytest.fixture(scope="session")
def greeting(telephone: Callable[..., bytes]) -> bytes:
    return telephone(GREETING)


@pytest.fixture(scope="session")
def answer(telephone: Callable[..., bytes]) -> bytes:
    return telephone(ANSWER)


def seconds(pcm16: bytes) -> float:
    return len(pcm16) / 16000


def spans(heard: Heard) -> list[tuple[str, float, float]]:
    return [(turn.speaker, turn.segment.start_s, turn.segment.end_s) for turn in heard.turns]


# What is heard.


@pytest.mark.parametrize("suffix", CODECS)
async def test_legs_and_times_are_the_same_in_every_format(
    suffix: str, tmp_path: Path, greeting: bytes, answer: bytes
) -> None:
    answer_at_s = seconds(greeting) + 1
    left, right = greeting + silence(2 + seconds(answer)), silence(answer_at_s) + answer
    heard = await read(encode(tmp_path / f"call{suffix}", left, right), speakers=("agent", "caller"))
    (first, first_s, _), (second, second_s, end_s) = spans(heard)
    assert (first, second) == ("agent", "caller")
    assert first_s == pytest.approx(0.3, abs=0.1)
    assert second_s == pytest.approx(answer_at_s + 0.3, abs=0.1)
    assert end_s == pytest.approx(answer_at_s + seconds(answer) - 0.2, abs=0.35)
    assert heard.duration_s == pytest.approx(seconds(left), abs=0.1)
    assert (heard.problems, heard.notes, heard.language) == ((), (), "en")


async def test_mono_has_no_speakers(tmp_path: Path, greeting: bytes) -> None:
    heard = await read(encode(tmp_path / "call.flac", greeting))
    assert [turn.speaker for turn in heard.turns] == [""]


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".ogg"])
async def test_the_same_on_both_channels_is_heard_once(suffix: str, tmp_path: Path, greeting: bytes) -> None:
    heard = await read(encode(tmp_path / f"call{suffix}", greeting, greeting))
    assert [turn.speaker for turn in heard.turns] == [""]
    assert heard.notes == ("has the same sound on both channels and is taken as mono",)


async def test_a_leg_that_says_nothing_is_still_a_leg(tmp_path: Path, greeting: bytes) -> None:
    heard = await read(encode(tmp_path / "call.wav", silence(seconds(greeting)), greeting))
    assert [turn.speaker for turn in heard.turns] == ["right"]


async def test_channels_can_be_mixed(tmp_path: Path, greeting: bytes, answer: bytes) -> None:
    path = encode(tmp_path / "call.wav", greeting + silence(4), silence(seconds(greeting) + 1) + answer)
    heard = await read(path, mix=True)
    assert [turn.speaker for turn in heard.turns] == ["", ""]


async def test_of_more_than_two_channels_the_first_two_are_heard(
    tmp_path: Path, greeting: bytes, answer: bytes
) -> None:
    path = encode(tmp_path / "call.wav", greeting, silence(1), answer, answer, answer, answer)
    heard = await read(path)
    assert [turn.speaker for turn in heard.turns] == ["left"]
    assert heard.notes == ("has 6 channels; only the first two are heard",)
    mixed = await read(path, mix=True)
    assert mixed.notes == ()


async def test_a_pause_in_a_files_times_is_a_pause(tmp_path: Path, greeting: bytes) -> None:
    sound = greeting + silence(1) + greeting
    path = encode(tmp_path / "call.mkv", sound, pause=(seconds(greeting) + 0.5, 30.0))
    heard = await read(path)
    (_, first_s, _), (_, second_s, _) = spans(heard)
    assert second_s - first_s == pytest.approx(seconds(greeting) + 1 + 30, abs=0.1)
    assert heard.problems == ()


async def test_words_are_asked_for_and_placed_on_the_files_clock(tmp_path: Path, greeting: bytes) -> None:
    path = encode(tmp_path / "call.wav", silence(5) + greeting)
    clerk = Clerk(Recognition("said", "en", 0.9, (Word("said", 0.5, 0.9, 0.8),)))
    heard = await read(path, clerk)
    (asked,) = clerk.asked
    assert (asked.with_words, asked.urgency) == (True, Urgency.LATER)
    (word,) = heard.turns[0].segment.words
    assert word.start_s == pytest.approx(5.0 + 0.5, abs=0.1)
    silent = Clerk()
    await read(path, silent, with_words=False)
    assert not silent.asked[0].with_words


async def test_a_monologue_is_cut_and_nothing_is_said_twice(tmp_path: Path) -> None:
    at = np.arange(20 * 8000) / 8000
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * at) / harmonic for harmonic in range(1, 20))
    path = encode(tmp_path / "call.wav", (buzz * 8000).astype("<i2").tobytes())
    clerk = Clerk(Recognition("one two three", "en", 0.9), Recognition("three four", "en", 0.9))
    heard = await read(path, clerk)
    assert [turn.segment.text for turn in heard.turns] == ["one two three", "four"]


# Languages.


async def test_a_language_is_settled_and_what_was_taken_for_another_is_heard_again(
    tmp_path: Path, greeting: bytes
) -> None:
    path = encode(tmp_path / "call.wav", (greeting + silence(1)) * 6)
    clerk = Clerk(
        Recognition("early", "cy", 0.3, language_probability=0.3),
        *(Recognition("sure", "en", 0.9, language_probability=0.99) for _ in range(20)),
    )
    heard = await read(path, clerk, language=AUTO)
    asked = [speech.language for speech in clerk.asked]
    settled = asked.index("en")
    assert asked == [AUTO] * settled + ["en"] * (len(asked) - settled)
    assert len(clerk.asked) == len(heard.turns) + 1 == 7
    assert {turn.segment.language for turn in heard.turns} == {"en"}
    assert heard.turns[0].segment.text == "sure"
    assert heard.language == "en"


# What is wrong with files.


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".mkv"])
async def test_what_is_left_of_a_file_is_heard_and_the_rest_is_missed(
    suffix: str, tmp_path: Path, greeting: bytes
) -> None:
    path = shorten(encode(tmp_path / f"call{suffix}", greeting + silence(1) + greeting + silence(3)))
    heard = await read(path)
    assert heard.turns
    (problem,) = heard.problems
    assert "cut short" in problem
    assert heard.duration_s < 2 * seconds(greeting) + 3.5


async def test_damage_in_the_middle_is_told_and_keeps_the_clock(tmp_path: Path, greeting: bytes) -> None:
    sound = greeting + silence(0.5) + greeting * 2 + silence(0.5) + greeting
    path = encode(tmp_path / "call.flac", sound)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(3).bytes(3000)
    path.write_bytes(data)
    heard = await read(path)
    assert "damaged" in heard.problems[0]
    assert heard.turns[-1].segment.start_s == pytest.approx(
        seconds(sound) - seconds(greeting) + 0.3, abs=0.15
    )


def no_file(path: Path) -> None:
    """The name of nothing."""


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("This is a list of things to buy.\n" * 40)


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(2).bytes(50_000))


def only_a_header(path: Path) -> None:
    path.write_bytes(encode(path, silence(1)).read_bytes()[:78])


def folder(path: Path) -> None:
    path.mkdir()


def video(path: Path) -> None:
    with av.open(path, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=5, width=32, height=32, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])


def play_list(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_file, "there is no such file"),
        (empty, "is empty"),
        (text, "cannot be read as sound"),
        (noise, "cannot be read as sound|none of its sound|no audio"),
        (only_a_header, "there is no sound in it"),
        (folder, "is not a file"),
        (video, "there is no audio in it"),
        (play_list, "cannot be read as sound|no audio in it"),
    ],
)
async def test_what_is_no_recording_is_said_in_one_line(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    make(path)
    with pytest.raises(SoundError, match=message) as error:
        await read(path)
    assert len(str(error.value).splitlines()) == 1


async def test_an_utterance_that_fails_is_told_and_the_others_are_there(
    tmp_path: Path, greeting: bytes
) -> None:
    path = encode(tmp_path / "call.wav", (greeting + silence(1)) * 3)
    clerk = Clerk(Recognition("one", "en", 0.9), RecognitionError("the model repeated itself"))
    heard = await read(path, clerk, in_flight=1)
    assert [turn.segment.text for turn in heard.turns] == ["one", "said"]
    assert heard.problems == ("an utterance at 0:00:03 could not be recognised: the model repeated itself",)


# Bounds.


async def test_no_more_is_decoded_than_is_recognised(tmp_path: Path, greeting: bytes) -> None:
    path = encode(tmp_path / "call.flac", (greeting + silence(1)) * 40)
    clerk, reached = Clerk(), [0.0]
    clerk.gate.clear()
    transcriber = FileTranscriber(clerk, Reading(), in_flight=3)
    task = asyncio.create_task(transcriber.transcribe(path, reached.append))
    await clerk.has(3)
    await asyncio.sleep(0.1)
    assert len(clerk.asked) == 3
    assert reached[-1] < 5.0
    clerk.gate.set()
    heard = await task
    assert (len(heard.turns), clerk.most_at_once) == (40, 3)
    assert reached == sorted(reached)
    assert reached[-1] == pytest.approx(heard.duration_s)


async def test_the_first_of_several_files_goes_first(tmp_path: Path, greeting: bytes) -> None:
    path = encode(tmp_path / "call.flac", (greeting + silence(1)) * 12)
    transcriber = FileTranscriber(Clerk(delay_s=0.1), Reading(), in_flight=1)
    order: list[int] = []

    async def run(number: int) -> None:
        await transcriber.transcribe(path, lambda _: None)
        order.append(number)

    await asyncio.gather(*(run(number) for number in range(3)))
    assert order == [0, 1, 2]


async def test_what_is_cancelled_leaves_its_places_to_others(tmp_path: Path, greeting: bytes) -> None:
    path = encode(tmp_path / "call.flac", (greeting + silence(1)) * 12)
    clerk = Clerk()
    clerk.gate.clear()
    transcriber = FileTranscriber(clerk, Reading(), in_flight=2)
    task = asyncio.create_task(transcriber.transcribe(path, lambda _: None))
    await clerk.has(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clerk.at_once == 0
    clerk.gate.set()
    assert len((await transcriber.transcribe(path, lambda _: None)).turns) == 12


def four_hours_of_silence(path: Path) -> Path:
    """230 MB of which the disk holds none."""
    size = 14_400 * 16_000
    header = struct.pack(
        "<4sI8sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVEfmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", size
    )
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)
    return path


async def test_hours_take_no_memory(tmp_path: Path) -> None:
    path = four_hours_of_silence(tmp_path / "night.wav")
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clerk = Clerk()
    heard = await read(path, clerk)
    assert heard.duration_s == 14_400
    assert clerk.asked == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 50_000


# With the bundled model.


async def test_a_call_is_written_down(tmp_path: Path, greeting: bytes, answer: bytes) -> None:
    left, right = greeting + silence(4), silence(seconds(greeting) + 1) + answer
    path = encode(tmp_path / "call.ogg", left, right)
    async with open_engine(WhisperSettings()) as engine:
        transcriber = FileTranscriber(engine, Reading(speakers=("agent", "caller")), in_flight=4)
        heard = await transcriber.transcribe(path, lambda _: None)
    agent, caller = heard.turns
    assert (agent.speaker, caller.speaker) == ("agent", "caller")
    assert "help you today" in agent.segment.text
    assert "would like to" in caller.segment.text
    last = caller.segment.words[-1]
    assert caller.segment.start_s < last.start_s < last.end_s < heard.duration_s


def test_a_file_can_be_opened_where_others_have_read_it(tmp_path: Path, greeting: bytes) -> None:
    path = encode(tmp_path / "call.mp3", greeting)
    with SoundFile(path) as one, SoundFile(path) as other:
        assert [block.position for block in one.blocks()] == [block.position for block in other.blocks()]
        assert one.duration_s == pytest.approx(seconds(greeting), abs=0.1)
