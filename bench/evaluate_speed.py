"""Evaluation's throughput: episodes a minute, alone and over processes, one and several trials at a time.

./vital shell -c "python bench/evaluate_speed.py --policy src/vital_policy/checkpoints"
"""

import argparse
import resource
import time
from pathlib import Path

from vital_sim.policies import PolicySpec
from vital_sim.workers import Job, over_processes


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
        job = Job(PolicySpec(options.policy, options.task), "in_domain", batch)
        # The first trials pay for starting the processes.
        list(over_processes(job, range(1, 1 + processes * batch), processes))
        start = time.perf_counter()
        trials = list(over_processes(job, range(30_000, 30_000 + options.trials), processes))
        elapsed_s = time.perf_counter() - start
        steps = sum(t.steps for t in trials)
        tick_ms = sum(t.tick_median_ms for t in trials) / len(trials) / batch
        print(
            f"| {processes} | {batch} | {60 * len(trials) / elapsed_s:.0f} | {steps / elapsed_s:.0f} | {tick_ms:.1f} |"
        )
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {largest:.0f} MiB")


if __name__ == "__main__":
    main()
