"""Load, agents and service level by interval as a picture, by matplotlib (extra ``staffing``)."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from callcenter.errors import UsageError
from callcenter.staffing.plan import Need
from callcenter.staffing.what_if import Outcome

BLUE, ORANGE, GREEN, GREY = "#3b6ea5", "#d9822b", "#3f8f5f", "#8a8f98"
FORMATS = (".png", ".svg")


def check_plot(path: Path) -> None:
    """Raises ``UsageError`` for a file that is neither PNG nor SVG, before anything is computed."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--plot: {path.name} must end with .png or .svg")


def draw(
    path: Path,
    needs: Sequence[Need],
    interval: timedelta,
    target: float,
    outcomes: Sequence[Outcome],
    title: str,
) -> None:
    """Write the picture; raises ``UsageError`` where the file cannot be written."""
    check_plot(path)
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    starts = [need.start.replace(tzinfo=None) for need in needs]
    ends = [*starts, starts[-1] + interval]
    _draw_agents(upper, ends, needs)
    upper.set_title(title, loc="left", fontsize=11)
    _draw_levels(lower, ends, needs, target, outcomes)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    lower.xaxis.set_major_locator(locator)
    lower.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    busy = [index for index, need in enumerate(needs) if need.calls > 0] or [0]
    lower.set_xlim(ends[busy[0]], ends[busy[-1] + 1])
    try:
        # Without a date and with fixed ids the same plan is the same file.
        with mpl.rc_context({"svg.hashsalt": "callcenter"}):
            figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise UsageError(f"--plot: {path}: {error.strerror}") from None


def _draw_agents(axes: Axes, ends: Any, needs: Sequence[Need]) -> None:
    axes.stairs([need.load for need in needs], ends, fill=True, color=BLUE, alpha=0.35, label="load, Erlang")
    axes.stairs([need.agents_c for need in needs], ends, color=GREY, label="agents by Erlang C", linewidth=1)
    if needs[0].agents_a is not None:
        label = "agents by Erlang A"
        axes.stairs([need.agents for need in needs], ends, color=BLUE, label=label, linewidth=2)
    if any(need.paid != need.agents for need in needs):
        axes.stairs(
            [need.paid for need in needs], ends, color=ORANGE, label="agents with shrinkage", linewidth=2
        )
    axes.set_ylabel("agents")
    axes.set_ylim(bottom=0)
    _tidy(axes)


def _draw_levels(
    axes: Axes, ends: Any, needs: Sequence[Need], target: float, outcomes: Sequence[Outcome]
) -> None:
    levels = [need.service_level * 100 if need.calls else float("nan") for need in needs]
    axes.stairs(levels, ends, color=GREEN, label="by formula", linewidth=2, baseline=None)
    for outcome, style in zip(outcomes, ["-", "--", ":", "-."] * len(outcomes), strict=False):
        values = [float("nan") if one is None else one * 100 for one in outcome.intervals]
        name = f"simulated, {outcome.name}"
        axes.stairs(values, ends, color=ORANGE, label=name, linestyle=style, linewidth=1.2, baseline=None)
    axes.axhline(target * 100, color=GREY, linestyle="--", linewidth=1, label=f"target {target:.0%}")
    axes.set_ylabel("service level, %")
    axes.set_ylim(0, 102)
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.grid(axis="y", color="#e3e5e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best", frameon=False, fontsize=9)
