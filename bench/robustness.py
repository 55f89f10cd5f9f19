"""How far what ships is from its edge: every perturbation of every task, and the same trials as usual, 50 a cell.

    ./vital shell -c "python bench/robustness.py [--tasks usb_insertion ...] [--out docs/results/robustness]"

One thing is otherwise at a time (`vital_sim.gym.perturbation`), in domain, on seeds that chose nothing. Each task is
done by its base policy and, where one ships, its residual. A run that was stopped goes on; in the end tables and a page
are made. A cell of which even the upper end of the interval is below 80 % is said.
"""

import argparse
from pathlib import Path

from vital_core.errors import VitalError
from vital_core.statistics import wilson_interval
from vital_core.task import load_task, task_names
from vital_sim.evaluation import evaluate, report
from vital_sim.gym.perturbation import PERTURBATIONS

FIRST_SEED = 70_000
FOLDER = Path("src/vital_policy/checkpoints")
WANTED = 0.8


def applies(name, task):
    """Whether a task has what the perturbation changes."""
    try:
        PERTURBATIONS[name].world(load_task(task))
    except VitalError:
        return False
    return True


def cell(task, name, options):
    """Run what is missing of one cell; its report."""
    residual = FOLDER / f"{task}_residual.safetensors"
    given = ["--policy", FOLDER / f"{task}.safetensors", "--task", task, "--seed", FIRST_SEED, "--batch", 4]
    given += ["--trials", options.trials, "--processes", options.processes, "--out", options.out]
    if residual.is_file():
        given += ["--residual", residual, "--name", "vital"]
    if name:
        given += ["--perturbation", name]
    words = [str(word) for word in given]
    return evaluate.evaluate(evaluate.parse(words), " ".join(["ros2 run vital_sim evaluate", *words]))


def main():
    """Every cell, then the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=task_names(), default=task_names())
    parser.add_argument("--perturbations", nargs="+", choices=tuple(PERTURBATIONS), default=tuple(PERTURBATIONS))
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/results/robustness"))
    options = parser.parse_args()
    for task in options.tasks:
        for name in ("", *(each for each in options.perturbations if applies(each, task))):
            made = cell(task, name, options)
            low, high = wilson_interval(made["successes"], made["finished"])
            short = f"   below {100 * WANTED:.0f} %" if high < WANTED else ""
            told = f"{made['successes']:3d} of {made['finished']} ({100 * low:.0f} to {100 * high:.0f} %)"
            print(f"{task:16s} {name or 'as trained':16s} {told}{short}", flush=True)
    report.main([str(options.out)])


if __name__ == "__main__":
    main()
