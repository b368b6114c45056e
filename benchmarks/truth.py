"""Whether the reports tell what happened: every figure of a day of load against the truth of its people.

Callers and agents of the simulator, over real sockets, against a service in a process of its own: transfers
blind and warm, consultations, holds, overflows by time and by length, wishes to be called back, surveys,
abandons, voicemail. Speech recognition and recording are off, all else is as in operation.
"""

import argparse
import asyncio
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import uvloop
from _report import Report, percentile, progress

from callcenter.demo.compare import Compared, Unit
from callcenter.demo.proof import Proof, prove
from callcenter.simulator import load
from callcenter.simulator.world import Progress

CALLS, AGENTS, AT_ONCE = 1000, 26, 32
QUICK_CALLS, QUICK_AGENTS, QUICK_AT_ONCE = 60, 24, 32
WANTED = (
    "transfers blind",
    "transfers warm",
    "consultations cancelled",
    "holds",
    "overflows",
    "callbacks",
    "surveys offered",
    "surveys answered",
)
_EVERY_CALLS = 50
_EXACT = 1e-9


def main() -> None:
    """Read the command line, live the day, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CALLS} calls, within a minute")
    parser.add_argument("--calls", type=int, help=f"default {CALLS}")
    parser.add_argument("--agents", type=int, help=f"default {AGENTS}")
    parser.add_argument("--at-once", type=int, help=f"callers at the same time, default {AT_ONCE}")
    parser.add_argument("--seed", type=int, default=1, help="of the plan")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write the whole truth there, as JSON")
    arguments = parser.parse_args()
    sizes = (QUICK_CALLS, QUICK_AGENTS, QUICK_AT_ONCE) if arguments.quick else (CALLS, AGENTS, AT_ONCE)
    chosen = (arguments.calls, arguments.agents, arguments.at_once)
    calls, agents, at_once = (other if one is None else one for one, other in zip(chosen, sizes, strict=True))
    try:
        scenario = load.scenario(arguments.seed, calls, agents, at_once)
    except ValueError as error:
        parser.error(str(error))
    begun = 0

    def show(step: Progress) -> None:
        nonlocal begun
        begun += step.what == "calls"
        if step.what == "calls" and begun % _EVERY_CALLS == 0:
            progress(f"{begun} calls begun after {step.at_s:.0f} s")

    with tempfile.TemporaryDirectory(prefix="callcenter-truth-") as folder:
        Path(folder).chmod(0o711)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            proof = runner.run(prove(scenario, Path(folder), show))
    if arguments.truth is not None:
        arguments.truth.write_text(json.dumps(_whole(proof), indent=1) + "\n")
    _report(proof).print()


def _report(proof: Proof) -> Report:
    report = Report("truth")
    for one in proof.different:
        progress(f"differs: {one.scope}, {one.name}: report {one.report}, truth {one.truth}")
    for problem in proof.problems:
        progress(f"seen by the simulated people: {problem}")
    network = proof.network
    report.add("calls", len(proof.truth.calls), "")
    report.add("contacts", sum(len(call.contacts) for call in proof.truth.calls), "")
    report.add("figures_compared", len(proof.compared), "")
    report.add("figures_equal", len(proof.compared) - len(proof.different), "", f">= {len(proof.compared)}")
    seconds = (one.difference for one in proof.compared if one.unit is Unit.SECONDS)
    apart = [abs(difference) for difference in seconds if difference is not None]
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        report.add(f"times_apart_{name}", percentile(apart, share), "s")
    report.add("counts_and_ratios_doubtful", sum(map(_is_doubtful, proof.compared)), "")
    for kind, count in proof.kinds.items():
        report.add(kind.replace(" ", "_"), count, "", "> 0" if kind in WANTED else None)
    report.add("lived", round(proof.lived_s, 1), "s")
    late_share = network.late_frames / network.frames_sent if network.frames_sent else 0.0
    report.add("simulator_frames_late", round(100 * late_share, 2), "%")
    report.add("simulator_lateness_worst", round(network.lateness_worst_ms, 1), "ms")
    return report


def _is_doubtful(one: Compared) -> bool:
    """Whether a count or ratio counts as equal only because a wait lies too close to a threshold."""
    return one.unit is not Unit.SECONDS and one.equal and abs(one.difference or 0.0) > _EXACT


def _whole(proof: Proof) -> dict[str, object]:
    compared = [asdict(one) | {"difference": one.difference} for one in proof.compared]
    return {"truth": proof.truth.to_json(), "figures": compared, "problems": proof.problems}


if __name__ == "__main__":
    main()
