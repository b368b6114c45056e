"""Transcripts beside their scripts, what it all amounts to, and how it is shown and written."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from callcenter.demo.api import gauges
from callcenter.demo.compare import Compared, Unit
from callcenter.demo.results import Results, Run, to_json
from callcenter.demo.show import show
from callcenter.demo.transcript import CallTranscript, fully_said, transcript
from callcenter.demo.wer import WordErrors
from callcenter.errors import CallCenterError
from callcenter.simulator.calls import NetworkFigures
from callcenter.simulator.truth import CallTruth, ContactTruth, Said, Truth

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
T0 = START.timestamp()
CALL = {"call_id": "0b9d7c62-0000-4000-8000-000000000001", "started_at": START.isoformat()}
RUN = Run(20, 4, 1, "http://127.0.0.1:8080", START.isoformat(), 2.0, 6.5, 60.0, NetworkFigures())


def said(speaker: str, text: str, start: float, end: float, complete: bool = True) -> Said:
    return Said(speaker, text, T0 + start, T0 + end, complete)


def segment(leg: str, text: str, start_ms: int, end_ms: int) -> dict[str, Any]:
    return {"leg": leg, "text": text, "start_ms": start_ms, "end_ms": end_ms}


def lived(*sentences: Said) -> CallTruth:
    contact = ContactTruth("sales", T0, agent="alice", connected_at=T0)
    return CallTruth("+12125550100", "+13125550100", "talk", T0, contacts=[contact], said=list(sentences))


def test_each_segment_stands_beside_the_sentence_it_was_made_of() -> None:
    truth = lived(
        said("agent", "Hello, this is Anna.", 1.0, 3.0),
        said("caller", "My phone is down.", 2.8, 5.0),
        said("agent", "Please restart it.", 6.0, 8.0),
    )
    segments = [
        segment("agent", "Please restart", 6000, 7000),
        segment("agent", "it.", 7000, 8100),
        segment("caller", "My phone is brown.", 2700, 5100),
        segment("agent", "Hello, this is Anna.", 900, 3100),
    ]
    made = transcript(truth, CALL, segments)
    assert [(line.speaker, line.said, line.heard) for line in made.lines] == [
        ("agent", "Hello, this is Anna.", "Hello, this is Anna."),
        ("caller", "My phone is down.", "My phone is brown."),
        ("agent", "Please restart it.", "Please restart it."),
    ]
    assert made.errors == WordErrors(words=11, errors=1)
    assert made.agent == "alice"
    assert made.lines[0].at_s == pytest.approx(1.0)


def test_words_that_nobody_said_and_words_that_nobody_heard() -> None:
    truth = lived(said("caller", "Hello.", 5.0, 6.0))
    made = transcript(
        truth, CALL, [segment("agent", "Hello.", 5000, 6000), segment("caller", "Oh", 1000, 1500)]
    )
    assert [(line.speaker, line.said, line.heard) for line in made.lines] == [
        ("caller", "", "Oh"),
        ("caller", "Hello.", ""),
        ("agent", "", "Hello."),
    ]
    assert made.errors == WordErrors(words=1, errors=2)


def test_only_calls_whose_text_is_known_are_counted() -> None:
    assert fully_said(lived(said("agent", "Hello.", 1, 2)))
    assert not fully_said(lived(said("agent", "Hello.", 1, 2), said("caller", "My ph", 2, 3, complete=False)))
    assert not fully_said(lived())
    voicemail = lived(said("caller", "Call me.", 1, 2))
    voicemail.contacts.clear()
    assert not fully_said(voicemail)


def spoken(number: str, words: int, errors: int, lines: int = 1) -> CallTranscript:
    truth = lived(*(said("agent", f"word {n}", n, n + 1) for n in range(lines)))
    return CallTranscript(
        number, str(CALL["call_id"]), "alice", WordErrors(words, errors), transcript(truth, CALL, []).lines
    )


def figure(equal: bool = True, scope: str = "day", name: str = "offered") -> Compared:
    return Compared(scope, name, Unit.COUNT, 3, 3 if equal else 4, equal)


def results(*transcripts: CallTranscript, figures: tuple[Compared, ...] = (figure(),)) -> Results:
    thresholds = {"service_level_s": 20.0, "short_abandon_s": 6.0}
    return Results(RUN, {"thresholds": thresholds}, Truth(problems=["late"]), figures, transcripts)


def test_median_and_verdict() -> None:
    good = results(
        spoken("+12125550100", 20, 0), spoken("+12125550101", 20, 1), spoken("+12125550102", 20, 18)
    )
    assert good.median_wer == pytest.approx(0.05)
    assert good.ok
    bad = results(spoken("+12125550100", 10, 1))
    assert not bad.words_are_good
    assert not bad.ok
    assert not results(figures=(figure(), figure(equal=False))).ok


def test_without_words_only_the_figures_count() -> None:
    assert results().median_wer is None
    assert results().ok


def test_json_holds_everything_and_can_be_written() -> None:
    figures = (figure(), Compared("day", "aht", Unit.SECONDS, 2.5, 2.25, True), figure(equal=False))
    written = json.loads(json.dumps(to_json(results(spoken("+12125550100", 10, 1), figures=figures))))
    assert written["ok"] is False
    assert written["comparison"]["matched"] == 2
    assert written["comparison"]["total"] == 3
    assert written["comparison"]["figures"][1]["difference"] == 0.25
    assert written["wer"]["median"] == pytest.approx(0.1)
    assert written["run"]["first_word_s"] == 6.5
    assert written["problems"] == ["late"]
    assert written["transcripts"][0]["lines"][0]["said"] == "word 0"


def printed(made: Results) -> str:
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        show(console, made, "Report of [today]\n")
    return captured.get()


def test_what_is_printed() -> None:
    figures = (
        figure(),
        figure(scope="queue sales"),
        figure(scope="agent alice"),
        *(Compared("call +12125550100", name, Unit.SECONDS, 2.5, 2.25, True) for name in ("length", "IVR")),
        *(
            Compared("call +12125550100", name, Unit.NAME, None, None, True)
            for name in ("outcome", "queue", "agent", "wait", "talk", "hold", "ACW")
        ),
    )
    text = printed(
        results(spoken("+12125550100", 40, 1), spoken("+12125550101", 40, 2, lines=3), figures=figures)
    )
    assert "Report of [today]" in text
    assert "Call of +12125550101 with alice: 2 of 40 words wrong, WER 5.0 %" in text
    assert "12 of 12 figures equal the truth" in text
    assert "median WER of 2 answered calls: 3.8 % (limit 8.0 %)" in text
    assert "seen by the simulated people: late" in text
    assert "differs" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_what_differs_is_named() -> None:
    text = printed(results(figures=(figure(), figure(equal=False, scope="day", name="abandoned"))))
    assert "differs: day, abandoned: report 3, truth 4" in text
    assert "1 of 2 figures equal the truth" in text


EXPOSITION = """# HELP callcenter_calls Calls in progress on this process
# TYPE callcenter_calls gauge
callcenter_calls 2.0
callcenter_waiting{queue="sales"} 1.0
callcenter_events_pending 0.0
"""


def test_gauges_are_read() -> None:
    assert gauges(EXPOSITION, ("callcenter_calls", "callcenter_events_pending")) == [2.0, 0.0]


@pytest.mark.parametrize("text", ["", "callcenter_calls none\n", "<html>"])
def test_other_text_is_no_exposition(text: str) -> None:
    with pytest.raises(CallCenterError):
        gauges(text, ("callcenter_calls",))
