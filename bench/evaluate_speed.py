"""Evaluation's throughput: episodes a minute, alone and over processes, one and several trials at a time.

./vital shell -c "python bench/evaluate_speed.py --policy src/vital_policy/checkpoints"
"""

import argparse
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from vital_sim.evaluation.policies import PolicySpec
from vital_sim.evaluation.workers import Job, over_processes


@dataclass(frozen=True)
class Pace:
    """Of an evaluation; tick_ms: a trial."""

    episodes_a_minute: float
    steps_a_second: float
    tick_ms: float


def pace(policy: Path, task: str, trials: int, processes: int, batch: int) -> Pace:
    """Evaluate ``trials`` of one cell; the first few pay for starting the processes and do not count."""
    job = Job(PolicySpec(policy, task), "in_domain", batch)
    list(over_processes(job, range(1, 1 + processes * batch), processes))
    start = time.perf_counter()
    found = list(over_processes(job, range(30_000, 30_000 + trials), processes))
    elapsed_s = time.perf_counter() - start
    tick_ms = sum(t.tick_median_ms for t in found) / len(found) / batch
    return Pace(60 * len(found) / elapsed_s, sum(t.steps for t in found) / elapsed_s, tick_ms)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, default=Path("src/vital_policy/checkpoints"))
    parser.add_argument("--task", default="usb_insertion")
    parser.add_argument("--trials", type=int, default=16)
    options = parser.parse_args()
    print("| processes | trials at a time | episodes a minute | steps/s | tick, ms a trial |")
    print("|---|---|---|---|---|")
    for processes, batch in ((1, 1), (1, 4), (2, 1), (2, 4)):
        found = pace(options.policy, options.task, options.trials, processes, batch)
        print(
            f"| {processes} | {batch} | {found.episodes_a_minute:.0f} | {found.steps_a_second:.0f} "
            f"| {found.tick_ms:.1f} |"
        )
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {largest:.0f} MiB")


if __name__ == "__main__":
    main()
