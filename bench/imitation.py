"""One table of behaviour cloning: images a second in training, tick, evaluation's pace, and the memory of each.

./vital shell -c "python bench/imitation.py [--policy src/vital_policy/checkpoints]"

Each figure is measured in a process of its own, whose largest memory stands beside it.
"""

import argparse
import multiprocessing
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from evaluate_speed import pace
from policy_speed import ticks_ms, untrained
from train_speed import iterations

STEPS, TICKS, TRIALS = 20, 300, 16


def training(preset: str, steps: int) -> str:
    """Images a second."""
    threads = os.cpu_count() or 1
    times, batch, _ = iterations(preset, steps, threads)
    median = float(np.median(times))
    return f"{batch / median:.0f} images/s ({1 / median:.2f} iterations/s of {batch})"


def ticking() -> str:
    """One tick at batch 1 on one thread."""
    p50, p99 = np.percentile(ticks_ms(untrained(), TICKS), [50, 99])
    return f"{p50:.1f} ms median, p99 {p99:.1f}"


def evaluation(policy: Path, processes: int) -> str:
    """Episodes a minute, four trials at a time in each process."""
    found = pace(policy, "usb_insertion", TRIALS, processes, 4)
    return f"{found.episodes_a_minute:.0f} episodes/min, {found.steps_a_second:.0f} steps/s"


def _measured(work: Callable[..., str], arguments: tuple[Any, ...], pipe: Any) -> None:
    found = work(*arguments)
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    pipe.send((found, max(own, children) / 1024))


def measure(work: Callable[..., str], *arguments: Any) -> tuple[str, float]:
    """What ``work`` found in a fresh process, and MiB of the largest one behind it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(work, arguments, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise SystemExit(f"{work.__name__}{arguments} ended without a figure") from None
    finally:
        process.join()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, default=Path("src/vital_policy/checkpoints"))
    options = parser.parse_args()
    print("| what | measured | largest process |\n|---|---|---|", flush=True)
    rows: tuple[tuple[str, Callable[..., str], tuple[Any, ...]], ...] = (
        ("training, preset cpu", training, ("cpu", STEPS)),
        ("training, preset paper", training, ("paper", 4)),
        ("tick, one thread", ticking, ()),
        ("evaluation, one process", evaluation, (options.policy, 1)),
        ("evaluation, two processes", evaluation, (options.policy, 2)),
    )
    for what, work, arguments in rows:
        found, mib = measure(work, *arguments)
        print(f"| {what} | {found} | {mib:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
