"""Runs the benchmarks of this folder one after another and keeps their reports in results.json.

With names, only those are run and the others' reports stay. ``--table`` runs nothing and prints the kept
reports as a table in Markdown.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from _report import progress

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
TIMEOUT_S = 3600

Result = dict[str, Any]


def known() -> list[str]:
    """The benchmarks there are."""
    return sorted(
        path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_") and path != Path(__file__)
    )


def run(name: str, *, quick: bool) -> Result | None:
    """One benchmark's report; ``None``, and a line on stderr, when it made none."""
    command = [sys.executable, str(FOLDER / f"{name}.py"), *(["--quick"] if quick else [])]
    progress(f"== {name}")
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=TIMEOUT_S, check=True)
        report = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        progress(f"{name} made no report: {error}")
        return None
    return report if isinstance(report, dict) else None


def kept() -> dict[str, Result]:
    """The reports of earlier runs, by name."""
    if not RESULTS.exists():
        return {}
    return {report["benchmark"]: report for report in json.loads(RESULTS.read_text())}


def table(reports: Sequence[Result]) -> Iterator[str]:
    """The lines of the table."""
    yield "| benchmark | figure | measured | target | met |"
    yield "|---|---|---:|---:|---|"
    for report in reports:
        for figure in report["figures"]:
            met = {True: "yes", False: "**no**", None: ""}[figure.get("met")]
            value = f"{figure['value']:,} {figure['unit']}".strip()
            cells = (report["benchmark"], figure["name"], value, figure.get("target", ""), met)
            yield f"| {' | '.join(cells)} |"


def main() -> int:
    """Read the command line; exit status 1 when a benchmark made no report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known())}; default all")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, each within a minute")
    parser.add_argument("--table", action="store_true", help="print what was measured before as Markdown")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known()):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if arguments.table:
        print("\n".join(table(list(kept().values()))))
        return 0
    names = arguments.names or known()
    new = {name: report for name in names if (report := run(name, quick=arguments.quick)) is not None}
    reports = kept() | new
    RESULTS.write_text(json.dumps([reports[name] for name in sorted(reports)], indent=2) + "\n")
    return 0 if len(new) == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
