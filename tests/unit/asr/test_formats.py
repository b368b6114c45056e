"""Transcripts as files: what is in them, and that subtitles can be read."""

import json
import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr import Segment, Word
from asr.formats import FORMATS, Transcript, Turn, clock, cues_of, to_json, to_srt, to_text, to_vtt

LONG = (
    "I would like to change the address on my account, and then I want to know why the last bill was so high."
    " Nobody told me that the price would go up in the new year."
)


def words_of(text: str, start_s: float, word_s: float = 0.4) -> tuple[Word, ...]:
    return tuple(
        Word(word, start_s + index * word_s, start_s + (index + 1) * word_s, 0.9)
        for index, word in enumerate(text.split())
    )


def turn(text: str, speaker: str = "", start_s: float = 62.5, timed: bool = True) -> Turn:
    words = words_of(text, start_s)
    end_s = start_s + 0.4 * len(text.split())
    return Turn(speaker, Segment(1, start_s, end_s, text, "en", 0.87654, words if timed else ()))


def transcript(*turns: Turn) -> Transcript:
    return Transcript("calls/a.wav", 75.25, "en", "demo-en", True, turns)


def test_text_of_one_voice_is_its_lines() -> None:
    assert to_text(transcript(turn("Hello."), turn("Who is there?"))) == "Hello.\nWho is there?\n"


def test_text_of_two_voices_says_when_and_who() -> None:
    text = to_text(transcript(turn("Hello.", "agent"), turn("Hi.", "caller", start_s=3723.9)))
    assert text == "[0:01:02] agent: Hello.\n[1:02:03] caller: Hi.\n"


def test_json_has_everything() -> None:
    whole = json.loads(to_json(transcript(turn("Guten Tag, Käthe", "agent", start_s=1.0))))
    (segment,) = whole.pop("segments")
    assert whole == {
        "file": "calls/a.wav",
        "duration_s": 75.25,
        "language": "en",
        "model": "demo-en",
        "complete": True,
    }
    words = segment.pop("words")
    assert segment == {
        "speaker": "agent",
        "start_s": 1.0,
        "end_s": 2.2,
        "text": "Guten Tag, Käthe",
        "confidence": 0.877,
        "language": "en",
    }
    assert words[2] == {"text": "Käthe", "start_s": 1.8, "end_s": 2.2, "probability": 0.9}
    assert "Käthe" in to_json(transcript(turn("Käthe")))


def test_srt_counts_its_cues_and_names_the_speaker_in_each() -> None:
    assert to_srt(transcript(turn("Hello there.", "agent"), turn("Hi.", "caller", 64))) == (
        "1\n00:01:02,500 --> 00:01:03,300\nagent: Hello there.\n\n"
        "2\n00:01:04,000 --> 00:01:04,500\ncaller: Hi.\n"
    )


def test_vtt_escapes_text_and_speaker() -> None:
    text = to_vtt(transcript(turn("A < B & C --> D", "R&D")))
    assert text.startswith("WEBVTT\n\n00:01:02.500 --> ")
    assert "<v R&amp;D>A &lt; B &amp; C --&gt; D\n" in text
    assert text.count("-->") == 1


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_said_is_a_valid_file(name: str) -> None:
    text = FORMATS[name](transcript())
    assert text == {"txt": "", "srt": "", "vtt": "WEBVTT\n"}.get(name, text)
    if name == "json":
        assert json.loads(text)["segments"] == []


def test_cues_of_two_who_talk_at_once_come_by_their_time() -> None:
    text = to_srt(transcript(turn(LONG, "agent", 0.0), turn("Yes.", "caller", 5.0)))
    starts = re.findall(r"^(\S+) -->", text, re.MULTILINE)
    assert starts == sorted(starts)
    assert len(starts) > 3


@pytest.mark.parametrize("timed", [True, False])
def test_a_long_turn_becomes_cues_that_can_be_read(timed: bool) -> None:
    cues = cues_of(turn(LONG, timed=timed))
    assert " ".join(" ".join(cue.lines) for cue in cues) == LONG
    assert all(len(cue.lines) <= 2 and cue.end_s - cue.start_s <= 7 for cue in cues)
    assert all(len(line) <= 42 for cue in cues for line in cue.lines)
    assert cues[0].lines[-1].endswith("account,")
    assert "high." in [cue.lines[-1].split()[-1] for cue in cues]


def test_a_cue_begins_when_its_first_word_is_said() -> None:
    said = turn(LONG, start_s=10.0)
    second = cues_of(said)[1]
    first_word = next(word for word in said.segment.words if word.text == second.lines[0].split()[0])
    assert second.start_s == first_word.start_s


def test_words_that_are_not_those_of_the_text_are_not_believed() -> None:
    segment = Segment(1, 0.0, 4.0, "four words are said", "en", 0.9, words_of("something else", 0.0))
    (cue,) = cues_of(Turn("", segment))
    assert (cue.lines, cue.start_s, cue.end_s) == (("four words are said",), 0.0, 4.0)


def test_japanese_fills_lines_of_half_as_many_characters() -> None:
    text = (
        "お電話ありがとうございます。本日はどのようなご用件でしょうか。請求書の住所を変更したいのですが。" * 2
    )
    cues = cues_of(Turn("", Segment(1, 0.0, 20.0, text, "ja", 0.9)))
    assert "".join("".join(cue.lines) for cue in cues) == text
    assert all(len(line) <= 21 for cue in cues for line in cue.lines)
    assert cues[0].lines[-1].endswith("。")


def test_a_pause_within_a_turn_does_not_leave_a_cue_standing() -> None:
    words = (Word("Wait.", 0.0, 0.5, 0.9), Word("Now.", 9.0, 9.5, 0.9))
    first, second = cues_of(Turn("", Segment(1, 0.0, 9.5, "Wait. Now.", "en", 0.9, words)))
    assert (first.end_s, second.start_s) == (0.5, 9.0)


def test_the_clock_of_a_long_recording() -> None:
    assert clock(36_059.99) == "10:00:59"
    late = turn("Late.", start_s=36_059.9996)
    assert "10:01:00,000 --> " in to_srt(transcript(late))


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), min_size=1, max_size=40),
    st.floats(0.05, 3.0),
    st.sampled_from(["", "caller"]),
)
def test_whatever_is_said_cues_keep_their_bounds(parts: list[str], word_s: float, speaker: str) -> None:
    text = " ".join(" ".join(parts).split())
    words = words_of(text, 1.0, word_s)
    segment = Segment(1, 1.0, 1.0 + word_s * max(len(words), 1), text, "en", 0.9, words)
    lead = f"{speaker}: " if speaker else ""
    cues = cues_of(Turn(speaker, segment), lead)
    shown = "".join(re.sub(r"\s", "", "".join(cue.lines)).removeprefix(lead.strip()) for cue in cues)
    assert shown == re.sub(r"\s", "", text)
    for before, after in pairwise(cues):
        assert before.start_s <= after.start_s
    for cue in cues:
        assert len(cue.lines) <= 2
        assert 0 < cue.end_s - cue.start_s <= 7.001
        wide = [sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in line) for line in cue.lines]
        assert max(wide) <= 42
