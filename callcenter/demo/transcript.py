"""A call's script beside what was written down of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from callcenter.demo.wer import WordErrors, word_errors
from callcenter.simulator.truth import CallTruth, Said

SPEAKERS = ("agent", "caller")


@dataclass(slots=True)
class Line:
    """One sentence as it was said, and what was written down of it; ``at_s`` from the call's start."""

    at_s: float
    speaker: str
    said: str
    heard: str = ""


@dataclass(frozen=True, slots=True)
class _Segment:
    speaker: str
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class CallTranscript:
    """One answered call. ``errors`` counts both speakers; the lines are in order of time."""

    number: str
    call_id: str
    agent: str
    errors: WordErrors
    lines: list[Line] = field(default_factory=list)


def transcript(
    truth: CallTruth, call: Mapping[str, Any], segments: Sequence[Mapping[str, Any]]
) -> CallTranscript:
    """Put a call's script and its segments (as the API gives both) together and count the errors."""
    started = datetime.fromisoformat(call["started_at"]).timestamp()
    heard = [
        _Segment(
            one["leg"], started + one["start_ms"] / 1000, started + one["end_ms"] / 1000, one["text"].strip()
        )
        for one in sorted(segments, key=lambda one: (one["start_ms"], one["end_ms"]))
    ]
    said = sorted(truth.said, key=lambda one: one.started_at)
    pairs = [
        (
            " ".join(one.text for one in said if one.speaker == speaker),
            " ".join(one.text for one in heard if one.speaker == speaker),
        )
        for speaker in SPEAKERS
    ]
    return CallTranscript(
        truth.number,
        call["call_id"],
        truth.agent or "",
        word_errors(pairs),
        _side_by_side(said, heard, started),
    )


def fully_said(call: CallTruth) -> bool:
    """Whether a call was answered and every sentence was said to its end, so that its text is known."""
    return call.connected_at is not None and bool(call.said) and all(one.complete for one in call.said)


def _side_by_side(said: Sequence[Said], heard: Sequence[_Segment], started: float) -> list[Line]:
    """Give each segment to the sentence it shares most time with; one that shares none stands alone."""
    lines = [Line(one.started_at - started, one.speaker, one.text) for one in said]
    alone: list[Line] = []
    for segment in heard:
        shared = [_shared_s(one, segment) for one in said]
        longest = max(shared, default=0.0)
        if longest > 0:
            line = lines[shared.index(longest)]
            line.heard = f"{line.heard} {segment.text}".strip()
        else:
            alone.append(Line(segment.start - started, segment.speaker, "", segment.text))
    return sorted([*lines, *alone], key=lambda line: line.at_s)


def _shared_s(said: Said, segment: _Segment) -> float:
    if said.speaker != segment.speaker:
        return 0.0
    return min(said.ended_at, segment.end) - max(said.started_at, segment.start)
