"""`ros2 run vital_policy evaluate`: how often a checkpoint succeeds in a Gymnasium environment.

The environment is named on the command line and never imported here, so that a policy cannot come to depend on
the simulator. Trial i runs on seed + i, whatever the number of processes.
"""

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium
import torch

from vital_core import safe_file
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Observation
from vital_core.statistics import percentile, wilson_interval
from vital_core.task import load_task
from vital_policy.inference import LocalPolicy
from vital_policy.model_card import write_model_card

EXIT_REFUSED = 2
log = logging.getLogger("evaluate")


@dataclass(frozen=True)
class Settings:
    """What every trial has in common."""

    task: str
    checkpoint: Path
    environment: str
    ensemble_decay: float | None = None


@dataclass(frozen=True)
class Trial:
    """One finished trial. failure: empty on success, otherwise the environment's name for the outcome."""

    seed: int
    success: bool
    failure: str
    steps: int
    actions_refused: int
    episode_return: float
    tick_median_ms: float


def run_trial(environment: gymnasium.Env, policy: LocalPolicy, seed: int) -> Trial:
    """One episode from ``seed`` to its end.

    The environment's info tells the outcome ("success" or a kind of failure) and whether it refused an action.
    """
    seen, info = environment.reset(seed=seed)
    policy.reset()
    ticks_ms: list[float] = []
    total, refused, terminated, truncated = 0.0, 0, False, False
    while not (terminated or truncated):
        start = time.perf_counter()
        action = policy.act(Observation(seen["image"], seen["tactile"]))
        ticks_ms.append(1000 * (time.perf_counter() - start))
        seen, reward, terminated, truncated, info = environment.step(action.to_array())
        total += float(reward)
        refused += bool(info.get("refused"))
    outcome = str(info["outcome"])
    success = outcome == "success"
    return Trial(seed, success, "" if success else outcome, len(ticks_ms), refused, total, percentile(ticks_ms, 50))


_worker: tuple[gymnasium.Env, LocalPolicy] | None = None


def _start_worker(settings: Settings) -> None:
    global _worker
    torch.set_num_threads(1)
    policy = LocalPolicy.load(settings.checkpoint, task=settings.task, ensemble_decay=settings.ensemble_decay)
    _worker = gymnasium.make(settings.environment), policy


def _work(seed: int) -> Trial:
    assert _worker is not None
    return run_trial(*_worker, seed)


def evaluate(settings: Settings, trials: int, seed: int, processes: int) -> list[Trial]:
    """Run ``trials`` trials in parallel, in the order of their seeds. Raises VitalError for what cannot be run."""
    rate_hz = load_task(settings.task).control_rate_hz
    LocalPolicy.load(settings.checkpoint, task=settings.task, rate_hz=rate_hz)
    try:
        gymnasium.make(settings.environment).close()
    except (gymnasium.error.Error, ImportError) as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"no environment '{settings.environment}' ({error}), expected one such as "
            "'vital_sim:Vital/UsbInsertion-v0'",
        ) from error
    done: list[Trial] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start_worker, (settings,)) as pool:
        for trial in pool.map(_work, range(seed, seed + trials)):
            done.append(trial)
            outcome = "success" if trial.success else trial.failure
            log.info("trial %d  seed %d  %s after %d steps", len(done), trial.seed, outcome, trial.steps)
    return done


def report_of(settings: Settings, trials: list[Trial], command: str) -> dict[str, Any]:
    """The JSON report."""
    successes = sum(t.success for t in trials)
    checkpoint = LocalPolicy.load(settings.checkpoint).checkpoint
    return {
        "task": settings.task,
        "checkpoint_sha256": checkpoint.sha256,
        "environment": settings.environment,
        "ensemble_decay": checkpoint.ensemble_decay if settings.ensemble_decay is None else settings.ensemble_decay,
        "seed": trials[0].seed,
        "trials": len(trials),
        "successes": successes,
        "success_rate": successes / len(trials),
        "wilson_95": wilson_interval(successes, len(trials)),
        "failures": dict(Counter(t.failure for t in trials if not t.success)),
        "tick_median_ms": percentile([t.tick_median_ms for t in trials], 50),
        "command": command,
        "each": [asdict(t) for t in trials],
    }


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="evaluate", description="Measure a checkpoint in simulation.")
    parser.add_argument("--task", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--env", required=True, help="Gymnasium id, for example vital_sim:Vital/UsbInsertion-v0")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1000, help="of the first trial; use none that trained")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--ensemble-decay", type=float, help="instead of the checkpoint's own")
    parser.add_argument("--out", type=Path, help="report as JSON")
    parser.add_argument("--card", action="store_true", help="write the measured success into the model card")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parse(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    settings = Settings(options.task, options.checkpoint, options.env, options.ensemble_decay)
    try:
        trials = evaluate(settings, options.trials, options.seed, options.processes)
    except VitalError as error:
        log.error("%s", error)
        sys.exit(EXIT_REFUSED)
    report = report_of(settings, trials, " ".join(["ros2 run vital_policy evaluate", *given]))
    if options.out:
        safe_file.write_json(options.out, report)
    if options.card:
        write_model_card(options.checkpoint, report)
    low, high = report["wilson_95"]
    log.info(
        "%s: %d of %d (95 %% interval %.0f to %.0f %%), failures %s",
        options.task, report["successes"], len(trials), 100 * low, 100 * high, json.dumps(report["failures"]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
