"""All results of a demo, and what they amount to. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from callcenter.demo.api import Day
from callcenter.demo.compare import Compared, compare
from callcenter.demo.compare_callbacks import compare_callbacks
from callcenter.demo.naming import lived
from callcenter.demo.transcript import CallTranscript, fully_said, transcript
from callcenter.simulator.calls import NetworkFigures
from callcenter.simulator.truth import Truth

WER_LIMIT = 0.08
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What was run and how long it took. Seconds count from the start of the demo.

    ``network`` tells how well the simulated network kept time, and with it how well the truth is known.
    """

    calls: int
    agents: int
    seed: int
    address: str
    started_at: str
    ready_s: float
    first_word_s: float | None
    duration_s: float
    network: NetworkFigures


@dataclass(frozen=True, slots=True)
class Results:
    """A finished demo."""

    run: Run
    report: dict[str, Any]
    truth: Truth
    compared: Sequence[Compared]
    transcripts: Sequence[CallTranscript]

    @property
    def different(self) -> list[Compared]:
        """The figures that do not equal the truth."""
        return [one for one in self.compared if not one.equal]

    @property
    def median_wer(self) -> float | None:
        """Over the answered calls; ``None`` where nothing was said."""
        rates = [one.errors.rate for one in self.transcripts if one.errors.rate is not None]
        return median(rates) if rates else None

    @property
    def words_are_good(self) -> bool:
        """Whether the median error rate is within the limit; also where no words were to be heard."""
        return self.median_wer is None or self.median_wer <= WER_LIMIT

    @property
    def spoken(self) -> tuple[int, int]:
        """How many choices and questions were said to the IVR: understood, asked back or not, and in all."""
        reactions = [one.reaction for call in self.truth.calls for one in call.spoken if one.meant]
        return sum(reaction in ("taken", "confirm") for reaction in reactions), len(reactions)

    @property
    def problems(self) -> list[str]:
        """What the simulated people and their network saw go wrong."""
        return self.truth.everything_wrong

    @property
    def ok(self) -> bool:
        """Whether the day was as it should be."""
        return not self.different and self.words_are_good

    @property
    def chosen(self) -> CallTranscript | None:
        """The call to be shown beside its script: the one with most sentences."""
        return max(self.transcripts, key=lambda one: len(one.lines), default=None)


def conclude(run: Run, day: Day, truth: Truth) -> Results:
    """Hold the service's day against the truth."""
    texts = [
        transcript(call, day.calls[name], day.segments[name])
        for name, call in lived(truth).items()
        if fully_said(call) and name in day.calls
    ]
    on_callbacks = compare_callbacks(day.callback_report, day.callbacks, truth)
    compared = [*compare(day.report, day.calls, truth), *on_callbacks]
    return Results(run, day.report, truth, compared, texts)


def to_json(results: Results) -> dict[str, Any]:
    """A JSON object; its keys are stable.

    ``format``: 1. ``ok``: whether every figure equals the truth and the words are good. ``run``: ``calls``,
    ``agents``, ``seed``, ``address``, ``started_at``, and in seconds since then ``ready_s`` (calls may
    come), ``first_word_s`` (the first transcribed words arrived, or null) and ``duration_s``; ``network``:
    how the simulated network fared (``frames_sent``, ``late_frames``, ``lateness_worst_ms``, ...).
    ``report``: the service's summary of the day (see ``/api/v1/openapi.json``). ``truth``: the simulator's
    ``calls``, ``figures`` and ``problems``. ``comparison``: ``matched``, ``total`` and ``figures``, each with
    ``scope`` (``day``, ``queue NAME``, ``agent NAME``, ``call NUMBER``, ``callback NUMBER``), ``name``,
    ``unit`` (``count``, ``ratio``, ``s``, ``name``), ``report``, ``truth``, ``difference``, ``equal``.
    ``wer``: ``median``, ``limit``, and ``calls``, each with ``number``, ``call_id``, ``words``, ``errors``,
    ``rate``.
    ``transcripts``: of each of these calls ``number``, ``call_id``, ``agent`` and ``lines``, each with
    ``at_s``, ``speaker``, ``said``, ``heard``. ``spoken``: of the choices said to the IVR how many were
    ``understood`` and ``said``. ``problems``: what the simulated people saw go wrong.
    """
    thresholds = results.report["thresholds"]
    truth = results.truth.to_json(thresholds["service_level_s"], thresholds["short_abandon_s"])
    return {
        "format": FORMAT,
        "ok": results.ok,
        "run": asdict(results.run),
        "report": results.report,
        "truth": truth,
        "comparison": {
            "matched": len(results.compared) - len(results.different),
            "total": len(results.compared),
            "figures": [asdict(one) | {"difference": one.difference} for one in results.compared],
        },
        "wer": {
            "median": results.median_wer,
            "limit": WER_LIMIT,
            "calls": [
                {
                    "number": one.number,
                    "call_id": one.call_id,
                    "words": one.errors.words,
                    "errors": one.errors.errors,
                    "rate": one.errors.rate,
                }
                for one in results.transcripts
            ],
        },
        "transcripts": [
            {
                "number": one.number,
                "call_id": one.call_id,
                "agent": one.agent,
                "lines": [asdict(line) for line in one.lines],
            }
            for one in results.transcripts
        ],
        "spoken": dict(zip(("understood", "said"), results.spoken, strict=True)),
        "problems": results.problems,
    }
