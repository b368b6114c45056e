"""How much speech two cores recognise, how soon, and how well, beside other ways to use the same models.

Whatever machine this is, two of its cores are used, by everything that is measured. All sound is synthesised
telephone speech of the bundled model's grammar, with exact times of its words (``_speech_audio.py``). What is
compared is measured in turn, on the same sound with the same model files:

- ``throughput``: 200 call segments of 0.5 to 15 s; and with random weights in the shapes of ``tiny`` and
  ``base``, where every system decodes the same number of tokens (``_speech_models.py``).
- ``live``: legs in real time until finals are late or partials are gone; the same at twice that load
  (``_speech_live.py``). The peers are a thread for each client (``_speech_servers.py``) and WhisperLive's own
  server (``_speech_whisperlive.py``); one that cannot carry a single leg is compared as if it carried one.
- ``accuracy``: errors with short input, the same text in company, the times of words.
- ``non_speech``: an hour of music, tones, noise and coughs.
- ``memory``: half an hour of 32 legs; ``--soak`` feeds it in real time.
"""

import argparse
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import _speech_accuracy as accuracy_of
import _speech_endurance as endurance
import _speech_throughput as throughput_of
import uvloop
from _report import Report, progress
from _speech_audio import callers, legs, new_sentences, segments
from _speech_live import Server, Step, capacity, rated_load, step
from _speech_models import BUNDLED
from _speech_servers import OneEngine, ThreadPerClient
from _speech_whisperlive import whisperlive

from asr.silero import SpeechConfirmer
from asr.whisper import open_engine

CORES = 2
OVERLOAD_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; ``shape_segments`` of the segments are for random weights."""

    people: int
    segments: int
    shape_segments: int
    rounds: int
    shape_rounds: int
    shapes: tuple[str, ...]
    leg_s: float
    start: tuple[int, int, int]
    most: tuple[int, int, int]
    tries: int
    sentences: int
    non_speech_s: float
    memory_s: float
    memory_legs: int


FULL = Size(
    people=60,
    segments=200,
    shape_segments=30,
    rounds=3,
    shape_rounds=3,
    shapes=("tiny", "base"),
    leg_s=26,
    start=(32, 4, 2),
    most=(1024, 256, 128),
    tries=2,
    sentences=400,
    non_speech_s=600,
    memory_s=1800,
    memory_legs=32,
)
QUICK = Size(
    people=8,
    segments=12,
    shape_segments=3,
    rounds=1,
    shape_rounds=1,
    shapes=("tiny",),
    leg_s=9,
    start=(4, 1, 1),
    most=(4, 1, 1),
    tries=1,
    sentences=24,
    non_speech_s=20,
    memory_s=60,
    memory_legs=4,
)


async def throughput(report: Report, size: Size) -> None:
    """Figures 1: sound per second."""
    drawn = segments(callers(size.people), size.segments)
    await throughput_of.bundled(report, drawn, size.rounds)
    await throughput_of.shapes(report, drawn[: size.shape_segments], size.shape_rounds, size.shapes)


async def live(report: Report, size: Size) -> None:
    """Figures 2, 3 and 5: legs in real time, twice as many, and their partials."""
    drawn = legs(callers(size.people), 2 * size.most[0], size.leg_s)
    found: list[tuple[Server, Step]] = []

    async def ramp(server: Server, place: int) -> Step:
        seen = await capacity(server, drawn[: size.most[place]], size.start[place], size.tries)
        found.append((server, seen))
        return seen

    async with open_engine(throughput_of.settings("demo-en")) as engine, SpeechConfirmer() as confirmer:
        ours = OneEngine(engine, confirmer)
        most = await ramp(ours, 0)
        rated = await rated_load(ours, drawn, most)
        twice = await step(ours, drawn[: 2 * rated.legs], OVERLOAD_PATIENCE_S)
        stats = engine.stats()
        progress(f"{stats}")
    await ramp(ThreadPerClient(throughput_of.whisper(BUNDLED, threads=1, workers=CORES)), 1)
    async with whisperlive(BUNDLED) as peer:
        if peer is not None:
            await ramp(peer, 2)
    for server, seen in found:
        report.add(f"live_legs ({server.name})", seen.legs if seen.passes else 0, "legs")
        report.add(f"final_p95 ({server.name}, {seen.legs} legs)", seen.final_p95_s, "s")
    for (server, seen), target in zip(found[1:], (">= 8", ">= 4"), strict=False):
        others = seen.legs if seen.passes else 1
        report.add(f"live_legs_ratio (to {server.name})", round(most.legs / others, 1), "", target)
    report.add("retries_at_full_context", round(100 * stats.retries / max(stats.done, 1), 2), "% of passes")
    _rated(report, rated)
    _overload(report, rated, twice)


def _rated(report: Report, rated: Step) -> None:
    report.add("rated_load (first partials in time, too)", rated.legs, "legs")
    report.add("final_p95 (rated load)", rated.final_p95_s, "s", "<= 1.5")
    report.add("first_partial_p95 (rated load)", rated.first_shown_p95_s, "s", "<= 1.0")
    changed = 100 * rated.changed / max(rated.stable, 1)
    report.add("stable_words", rated.stable, "words")
    report.add("stable_words_changed", round(changed, 2), "% of words", "<= 1")
    report.add("played_late_p99 (rated load)", rated.played_late_p99_s, "s")


def _overload(report: Report, rated: Step, twice: Step) -> None:
    report.add("final_p95 (twice the rated load)", twice.final_p95_s, "s")
    ratio = round(twice.final_p95_s / max(rated.final_p95_s, 0.001), 2)
    report.add("final_p95_ratio (twice the rated load)", ratio, "", "<= 1.5")
    report.add("finals_lost (twice the rated load)", twice.missed, "finals", "= 0")
    report.add("turns_without_text (twice the rated load)", twice.lost, f"of {twice.turns} turns")


async def accuracy(report: Report, size: Size) -> None:
    """Figures 4 and 6: errors, differences and word times."""
    sentences = new_sentences(size.sentences)
    await accuracy_of.errors(report, sentences)
    accuracy_of.company(report, sentences)
    await accuracy_of.word_times(report, sentences)


async def non_speech(report: Report, size: Size) -> None:
    """Figure 7: what is invented."""
    await endurance.no_speech(report, size.non_speech_s)


async def memory(report: Report, size: Size, *, realtime: bool = False) -> None:
    """Figure 8: what is not given back."""
    drawn = legs(callers(size.people), size.memory_legs, size.leg_s)
    await endurance.memory(report, drawn, size.memory_s, realtime)


Part = Callable[[Report, Size], Coroutine[None, None, None]]
PARTS: dict[str, Part] = {
    "memory": memory,
    "throughput": throughput,
    "live": live,
    "accuracy": accuracy,
    "non_speech": non_speech,
}
"""In the order in which they run: memory is followed in a process that did nothing before."""


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes, about a minute")
    parser.add_argument("--only", choices=list(PARTS), help="this part alone")
    parser.add_argument("--soak", action="store_true", help="memory in real time, for half an hour")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    size = QUICK if arguments.quick else FULL
    report = Report("speech")
    for name in [arguments.only] if arguments.only else list(PARTS):
        progress(f"-- {name}")
        if name == "memory":
            uvloop.run(memory(report, size, realtime=arguments.soak))
        else:
            uvloop.run(PARTS[name](report, size))
    report.print()


if __name__ == "__main__":
    main()
