"""`ros2 run vital_sim evaluate`: how often a policy succeeds at a task in a setting; one JSON file a cell.

A killed evaluation goes on with the same command. Exit code 0: done; 2: refused.
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW, WRIST_VIEWS, load_task, task_names
from vital_sim.evaluation.evaluation import (
    TOLD,
    Cell,
    EvaluatedPolicy,
    Trial,
    finished_trials,
    read_report,
    report_of,
    write_report,
)
from vital_sim.evaluation.failure_video import film_failures
from vital_sim.evaluation.policies import DEFAULT_LOADER, DEFAULT_LOCATOR, PolicySpec
from vital_sim.evaluation.workers import Job, over_processes, over_ray
from vital_sim.gym.perturbation import NONE, PERTURBATIONS
from vital_sim.world.variation import ALL_SETTINGS, LOCATED

EXIT_REFUSED = 2
log = logging.getLogger("evaluate")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's options; None: this process's own. Leaves with a message where they are none."""
    parser = argparse.ArgumentParser(
        prog="evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--policy", type=Path, required=True, help="checkpoint, or a folder with one of the task's name"
    )
    parser.add_argument("--task", required=True, choices=task_names())
    parser.add_argument("--setting", choices=ALL_SETTINGS, default=ALL_SETTINGS[0])
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20_000, help="of the first trial; use none that trained")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument(
        "--batch", type=int, default=1, help="trials that a process runs at a time, with one network call"
    )
    parser.add_argument("--ray", action="store_true", help="over a Ray cluster instead of processes")
    parser.add_argument("--out", type=Path, help="folder of the results (default: docs/results)")
    parser.add_argument("--name", help="of the method in file and tables (default: the checkpoint's own)")
    parser.add_argument("--videos", type=int, default=0, metavar="N", help="film the first N failures")
    parser.add_argument("--card", action="store_true", help="write the measured success into the model card")
    parser.add_argument("--loader", default=DEFAULT_LOADER, help="entry point or module:function that loads the policy")
    parser.add_argument(
        "--told",
        action="store_true",
        help=f"start where the simulator says the target is; otherwise it is located in {', '.join(LOCATED)}",
    )
    parser.add_argument("--locator", default=DEFAULT_LOCATOR, help="entry point or module:function that locates it")
    parser.add_argument("--residual", type=Path, help="what was learned on top of the policy")
    parser.add_argument("--ensemble-decay", type=float, help="instead of the checkpoint's own")
    parser.add_argument(
        "--wrist-view", choices=WRIST_VIEWS, default=WINDOW, help="what the wrist image shows; a policy knows one alone"
    )
    parser.add_argument(
        "--perturbation",
        choices=tuple(PERTURBATIONS),
        default=NONE,
        help="in domain, but for one thing that is otherwise than where the policy was trained",
    )
    parser.add_argument("--runtime", help="what computes the network (auto, onnxruntime or torch; default: auto)")
    return parser.parse_args(arguments)


def _spec(options: argparse.Namespace) -> PolicySpec:
    residual = None if options.residual is None else str(options.residual)
    wanted = {"ensemble_decay": options.ensemble_decay, "residual": residual, "runtime": options.runtime}
    if options.wrist_view != WINDOW:
        wanted["wrist_view"] = options.wrist_view
    given = tuple((name, value) for name, value in wanted.items() if value is not None)
    return PolicySpec(options.policy, options.task, options.loader, given)


def _checked(options: argparse.Namespace) -> None:
    for name in ("trials", "processes", "batch"):
        if getattr(options, name) < 1:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"--{name} is {getattr(options, name)}, expected at least 1")


def _name(options: argparse.Namespace, about: dict[str, Any]) -> str:
    """Of the method in file and tables; another view than the window makes another one of it."""
    view = "" if options.wrist_view == WINDOW else f"_{options.wrist_view}"
    return options.name or f"{about.get('method') or 'policy'}{view}"


def _trials(options: argparse.Namespace, cell: Cell, done: list[Trial]) -> Iterator[Trial]:
    known = {trial.seed for trial in done}
    seeds = [s for s in range(cell.seed, cell.seed + cell.trials) if s not in known]
    job = Job(_spec(options), cell.setting, options.batch, cell.start, cell.wrist_view, cell.perturbation)
    if seeds:
        yield from over_ray(job, seeds) if options.ray else over_processes(job, seeds, options.processes)


def evaluate(options: argparse.Namespace, command: str) -> dict[str, Any]:
    """Run what is missing of the cell; returns its report. Raises VitalError."""
    _checked(options)
    policy: EvaluatedPolicy = _spec(options).load()
    about = policy.describe()
    about["method"] = _name(options, about)
    load_task(options.task)
    start = TOLD if options.told or options.setting not in LOCATED else options.locator
    view, perturbation = options.wrist_view, options.perturbation
    cell = Cell(options.task, options.setting, options.seed, options.trials, about, start, view, perturbation)
    folder = options.out or Path("docs/results")
    path = folder / f"{cell.name}.json"
    done = finished_trials(path, cell)
    if done:
        log.info("%d of %d trials were done before", len(done), cell.trials)
    if len(done) == cell.trials and (whole := read_report(path))["finished"] == cell.trials:
        report = whole  # as it was measured: command, versions and commit are not this run's
    else:
        for trial in _trials(options, cell, done):
            done.append(trial)
            write_report(path, cell, done, command)
            outcome = "success" if trial.success else trial.failure
            log.info("%d / %d  seed %d  %s after %d steps", len(done), cell.trials, trial.seed, outcome, trial.steps)
        report = report_of(cell, done, command)
        write_report(path, cell, done, command)
    _tell(report, path)
    failed = sorted((t for t in done if not t.success), key=lambda t: t.seed)[: options.videos]
    for film in film_failures(folder / "videos", cell, policy, failed) if failed else ():
        log.info("wrote %s", film)
    if options.card:
        policy.write_card(report)  # type: ignore[attr-defined]
    return report


def _tell(report: dict[str, Any], path: Path) -> None:
    low, high = report["wilson_95"]
    failures = ", ".join(f"{kind} {count}" for kind, count in sorted(report["failures"].items())) or "none"
    log.info(
        "%s, %s, %s: %d of %d (95 %% interval %.0f to %.0f %%), failures: %s; %s",
        report["task"], report.get("perturbation") or report["setting"], report["policy"]["method"],
        report["successes"], report["finished"],
        100 * low, 100 * high, failures, path,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        evaluate(parse(arguments), " ".join(["ros2 run vital_sim evaluate", *given]))
    except VitalError as error:
        log.error("%s", error)
        sys.exit(EXIT_REFUSED)


if __name__ == "__main__":
    main()
