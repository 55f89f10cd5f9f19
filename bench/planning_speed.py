"""Measures planning: 100 goals on a free table, and with 3 and 6 boxes on it as the scene camera sees them.

    ./vital shell -c "python bench/planning_speed.py"

Each trial is a simulated table of its own (`vital_vlm_reach.obstacles.rehearsal`): the target in view, the arm anywhere
in the workspace. Times are of one process; looking is from depth image to obstacles, planning includes a retreat where
the arm starts in contact. The distance is the true one, of the planned motion at every 5 ms to the boxes themselves.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from vital_core.errors import ErrorCode
from vital_core.task import load_task
from vital_vlm_reach.obstacles.rehearsal import CrowdedTable, Rehearsal
from vital_vlm_reach.planning.embedded_planner import EmbeddedPlanner


def processor() -> str:
    """The processor's name, as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def told(count: int, trials: list[Rehearsal]) -> str:
    """One line about trials with ``count`` boxes each, and one for each code that ended some."""
    found = [trial for trial in trials if trial.code is ErrorCode.OK]
    planning_ms = 1000 * np.array([trial.planning_s for trial in found])
    looking_ms = 1000 * np.array([trial.looking_s for trial in trials])
    ways = ", ".join(f"{how} {n}" for how, n in Counter(trial.how for trial in found).most_common())
    nearest = f", nearest to a box {1000 * min(trial.clearance_m for trial in found):.0f} mm" if count else ""
    lines = [
        f"{count} boxes: {len(found)} of {len(trials)} planned; planning median {np.median(planning_ms):.0f} ms, p99 "
        f"{np.percentile(planning_ms, 99):.0f} ms; looking median {np.median(looking_ms):.0f} ms, p99 "
        f"{np.percentile(looking_ms, 99):.0f} ms; {np.median([t.boxes_seen for t in trials]):.0f} obstacles a look"
        f"{nearest} ({ways})"
    ]
    for code, n in Counter(trial.code for trial in trials if trial.code is not ErrorCode.OK).items():
        lines.append(f"  {n} {code.name}: {next(t.message for t in trials if t.code is code)[:160]}")
    return "\n".join(lines)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goals", type=int, default=100, help="for each number of boxes")
    parser.add_argument("--boxes", type=int, nargs="*", default=[0, 3, 6], help="on the table, at most 6")
    parser.add_argument("--first-seed", type=int, default=5000)
    given = parser.parse_args()
    table, planner = CrowdedTable(load_task("usb_insertion")), EmbeddedPlanner()
    sys.stdout.write(f"{processor()}\n")
    for count in given.boxes:
        seeds = range(given.first_seed, given.first_seed + given.goals)
        sys.stdout.write(told(count, [table.rehearse(planner, seed, count) for seed in seeds]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
