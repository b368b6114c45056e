"""How long a day of 10,000 calls takes in virtual time, on the rule that distributes live calls.

Four queues that share agents, skills that relax, priorities, shifts, missed rings. Once with enough agents,
once with so few that hundreds wait. The wall clock runs from the model to the result, drawing included.
"""

import argparse
import time

from _days import day
from _report import Report

from callcenter.simulation import Simulation

DAYS = {"well_staffed": 1.2, "short_staffed": 0.85}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a day of 2,000 calls")
    calls = 2_000 if parser.parse_args().quick else 10_000
    report = Report("simulation")
    for name, staffing in DAYS.items():
        model = day(calls, staffing=staffing)
        begin_s = time.perf_counter()
        result = Simulation(model, seed=1).run()
        took_s = time.perf_counter() - begin_s
        report.add(f"{name}_calls", result.offered, "calls")
        report.add(f"{name}_agents", len(model.agents), "agents")
        report.add(f"{name}_day_s", round(took_s, 2), "s", "<= 10")
        report.add(f"{name}_answered", result.answered, "calls")
        report.add(f"{name}_asa_s", round(result.asa_s or 0.0, 1), "s")
        report.add(f"{name}_abandonment", round(result.abandonment or 0.0, 3), "of the callers")
        report.add(f"{name}_occupancy", round(result.occupancy or 0.0, 3), "of agents' time")
    report.print()


if __name__ == "__main__":
    main()
