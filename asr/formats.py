"""Transcripts of recordings as text, JSON and subtitles. Pure.

Subtitles follow what broadcasters agree on: two lines of 42 columns at most, seven seconds at most, and a new
cue rather after a sentence or a clause than within one.
"""

import json
import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from asr.languages import units
from asr.recognizer import Segment

LINE_COLUMNS = 42
LINES_MAX = 2
CUE_MAX_S = 7.0
_CUE_MIN_S = 0.5
_MARKS = (".", "?", "!", ",", ";", ":", "…", "。", "？", "！", "、", "，")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said; ``speaker`` is empty where a recording does not tell speakers apart."""

    speaker: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was said in ``file``. ``complete`` is false where some of its sound could not be heard."""

    file: str
    duration_s: float
    language: str
    model: str
    complete: bool
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: its lines are shown together."""

    speaker: str
    start_s: float
    end_s: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word with the blanks and marks around it: a stretch of a segment's text, and when it was said."""

    text: str
    start_s: float
    end_s: float


def to_text(transcript: Transcript) -> str:
    """One line for each turn, with time and speaker where there are speakers."""
    lines = (
        f"[{clock(turn.segment.start_s)}] {turn.speaker}: {turn.segment.text}"
        if turn.speaker
        else turn.segment.text
        for turn in transcript.turns
    )
    return "".join(f"{line}\n" for line in lines)


def to_json(transcript: Transcript) -> str:
    """Everything that is known, as one object."""
    whole = {
        "file": transcript.file,
        "duration_s": round(transcript.duration_s, 3),
        "language": transcript.language,
        "model": transcript.model,
        "complete": transcript.complete,
        "segments": [_segment(turn) for turn in transcript.turns],
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def to_srt(transcript: Transcript) -> str:
    """SubRip. The speaker begins each cue, because it is all that the format has for one."""
    cues = (cue for turn in transcript.turns for cue in cues_of(turn, f"{turn.speaker}: "))
    return "\n".join(
        f"{number}\n{_time(cue.start_s, ',')} --> {_time(cue.end_s, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(sorted(cues, key=_order), 1)
    )


def to_vtt(transcript: Transcript) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/), the speaker as a voice span."""
    cues = (cue for turn in transcript.turns for cue in cues_of(turn))
    blocks = ["WEBVTT\n"]
    for cue in sorted(cues, key=_order):
        voice = f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""
        text = "\n".join(_escaped(line) for line in cue.lines)
        blocks.append(f"{_time(cue.start_s, '.')} --> {_time(cue.end_s, '.')}\n{voice}{text}\n")
    return "\n".join(blocks)


FORMATS: dict[str, Callable[[Transcript], str]] = {
    "txt": to_text,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
}
"""By the suffix of the file that they make."""


def clock(seconds: float) -> str:
    """``1:02:03``; the fraction of a second is cut off."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def cues_of(turn: Turn, lead: str = "") -> list[Cue]:
    """The turn as subtitles, each of which begins with ``lead`` where the turn has a speaker."""
    lead = lead if turn.speaker else ""
    groups: list[list[_Piece]] = []
    rest = list(_pieces(turn.segment))
    while rest:
        count = _fitting(rest, lead)
        groups.append(rest[:count])
        rest = rest[count:]
    cues = []
    for index, group in enumerate(groups):
        start_s, end_s = group[0].start_s, group[-1].end_s
        limit_s = groups[index + 1][0].start_s if index + 1 < len(groups) else start_s + CUE_MAX_S
        end_s = min(max(end_s, start_s + _CUE_MIN_S), max(limit_s, start_s + 0.001), start_s + CUE_MAX_S)
        cues.append(Cue(turn.speaker, start_s, end_s, tuple(_lines(lead + _text(group)))))
    return cues


def _fitting(pieces: list[_Piece], lead: str) -> int:
    """How many pieces the next cue takes: all, or up to the last mark in the later half of what fits."""
    count = 1
    while count < len(pieces) and _fits(pieces[: count + 1], lead):
        count += 1
    if count == len(pieces):
        return count
    for end in range(count, count // 2, -1):
        if pieces[end - 1].text.rstrip().endswith(_MARKS):
            return end
    return count


def _fits(pieces: list[_Piece], lead: str) -> bool:
    too_long = pieces[-1].end_s - pieces[0].start_s > CUE_MAX_S
    return not too_long and len(_lines(lead + _text(pieces))) <= LINES_MAX


def _text(pieces: list[_Piece]) -> str:
    return "".join(piece.text for piece in pieces).strip()


def _lines(text: str) -> list[str]:
    """``text`` in lines of the columns allowed; wide characters, as in Japanese, take two."""
    if _columns(text) == len(text):
        return textwrap.wrap(text, LINE_COLUMNS)
    lines, line = [], ""
    for character in text:
        if _columns(line + character) > LINE_COLUMNS:
            lines.append(line.strip())
            line = ""
        line += character
    return [*lines, line.strip()] if line.strip() else lines


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _pieces(segment: Segment) -> Iterator[_Piece]:
    """The segment's text word by word; together they are the whole text.

    Where the words have no times, or are not those of the text, they are given times by their length.
    """
    text = " ".join(segment.text.split())
    starts = _starts(text, [word.text for word in segment.words])
    if starts:
        starts[0] = 0
        for word, start, end in zip(segment.words, starts, [*starts[1:], len(text)], strict=True):
            start_s = min(max(word.start_s, segment.start_s), segment.end_s)
            end_s = min(max(word.end_s, start_s), segment.end_s)
            yield from _cut(_Piece(text[start:end], start_s, end_s))
        return
    starts = _starts(text, units(text, segment.language)) if text else []
    per_character_s = (segment.end_s - segment.start_s) / max(len(text), 1)
    for start, end in zip(starts, [*starts, len(text)][1:], strict=True):
        start_s = segment.start_s + start * per_character_s
        yield from _cut(_Piece(text[start:end], start_s, segment.start_s + end * per_character_s))


def _starts(text: str, words: list[str]) -> list[int]:
    """Where each word begins in ``text``; empty where it does not have all of them in their order."""
    starts, at = [], 0
    for word in words:
        start = text.find(word, at)
        if start < 0:
            return []
        starts.append(start)
        at = start + len(word)
    return starts


def _cut(piece: _Piece) -> Iterator[_Piece]:
    """A piece that is wider than a line, in parts that are not."""
    size = LINE_COLUMNS // 2
    if _columns(piece.text.strip()) <= LINE_COLUMNS:
        yield piece
        return
    per_character_s = (piece.end_s - piece.start_s) / len(piece.text)
    for start in range(0, len(piece.text), size):
        part = piece.text[start : start + size]
        start_s = piece.start_s + start * per_character_s
        yield _Piece(part, start_s, start_s + len(part) * per_character_s)


def _segment(turn: Turn) -> dict[str, object]:
    segment = turn.segment
    return {
        "speaker": turn.speaker,
        "start_s": round(segment.start_s, 3),
        "end_s": round(segment.end_s, 3),
        "text": segment.text,
        "confidence": round(segment.confidence, 3),
        "language": segment.language,
        "words": [
            {
                "text": word.text,
                "start_s": round(word.start_s, 3),
                "end_s": round(word.end_s, 3),
                "probability": round(word.probability, 3),
            }
            for word in segment.words
        ],
    }


def _order(cue: Cue) -> tuple[float, float]:
    return cue.start_s, cue.end_s


def _time(seconds: float, point: str) -> str:
    whole_s, ms = divmod(round(seconds * 1000), 1000)
    return f"{whole_s // 3600:02d}:{whole_s // 60 % 60:02d}:{whole_s % 60:02d}{point}{ms:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
