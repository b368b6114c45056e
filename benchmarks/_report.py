"""The shape in which every benchmark reports: one JSON object on stdout, progress on stderr."""

import json
import math
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda value, bound: value <= bound,
    ">=": lambda value, bound: value >= bound,
    "<": lambda value, bound: value < bound,
    ">": lambda value, bound: value > bound,
    "=": lambda value, bound: value == bound,
}


@dataclass(slots=True)
class Report:
    """Collects the figures of one benchmark and prints them."""

    benchmark: str
    figures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, target: str | None = None) -> None:
        """Add a figure; ``target`` is a comparison and a number, such as ``<= 25``."""
        figure: dict[str, Any] = {"name": name, "value": value, "unit": unit}
        if target is not None:
            comparison, bound = target.split()
            figure |= {"target": target, "met": COMPARISONS[comparison](value, float(bound))}
        self.figures.append(figure)
        progress(f"{name}: {value:g} {unit}" + (f" (target {target})" if target else ""))

    def print(self) -> None:
        """Write the report to stdout."""
        print(
            json.dumps({"benchmark": self.benchmark, "machine": machine(), "figures": self.figures}, indent=2)
        )


def machine() -> dict[str, Any]:
    """On what it was measured: processor, cores this process may use, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": _cpu(), "cores": cores, "python": platform.python_version()}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all values do not exceed."""
    return round(sorted(values)[max(0, math.ceil(share * len(values)) - 1)], 2)


def progress(text: str) -> None:
    """Say something to whoever waits."""
    print(text, file=sys.stderr, flush=True)


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
