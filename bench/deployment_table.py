"""Whole deployments over ROS at five places among things (the paper's table 5): one table, made by one command.

    ./vital shell -c "python bench/deployment_table.py [--out runs/deployment] [--methods vital vital_bc] [--tasks ...]"

Every trial is a sentence: the scene camera's picture is pointed at, the hand is brought there, the policy finishes, in
real time over the running system. Five places, all turned, five trials at each; every method meets the same scenes.
A cell runs in parts of five trials (one at each place); parts that are whole are not run again, so a run that was
stopped goes on, and a folder belongs to one set of weights. `--method-folder visk=FOLDER` names checkpoints that do
not ship. Nothing else should run meanwhile.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from vital_bringup.sessions.report import summary
from vital_bringup.tasks.trial import Trial
from vital_core.errors import ErrorCode
from vital_core.files.safe_file import sha256, write_json
from vital_core.task import task_names
from vital_policy.shipped import checkpoint_folder
from vital_sim.world.variation import DEPLOYMENT, DEPLOYMENT_PLACES

FIRST_SEED = 810_000
TASKS = ("plug_in_socket", "usb_insertion", "card_swipe")
METHODS = ("visk", "vital_bc", "vital")
PLACES = len(DEPLOYMENT_PLACES)


def weights_of(task, method, folders, work):
    """Folder with the weights of one cell and nothing else: base and, for ViTaL, residual; None where they are not."""
    source = folders.get(method, None if method == "visk" else checkpoint_folder())
    names = [f"{task}.safetensors"] + ([f"{task}_residual.safetensors"] if method == "vital" else [])
    if source is None or not all((source / name).is_file() for name in names):
        return None
    folder = work / "weights" / f"{task}_{method}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (folder / name).exists():
            shutil.copy(source / name, folder / name)
    told = {name: sha256((source / name).read_bytes()) for name in names}
    if told != {path.name: sha256(path.read_bytes()) for path in folder.glob("*.safetensors")}:
        sys.exit(f"{work} holds trials of other weights of {task}, {method}: give another --out")
    return folder


def part(task, method, number, folder, work, more):
    """The five trials of part ``number``, run unless they stand there whole."""
    report = (work / f"{task}_{method}_{number}.json").absolute()
    if not is_whole(report):
        command = ["ros2", "launch", "vital_bringup", "deploy.launch.py", f"task:={task}", f"setting:={DEPLOYMENT}"]
        command += [
            f"checkpoint_dir:={folder.absolute()}",
            f"trials:={PLACES}",
            f"seed:={FIRST_SEED + PLACES * number}",
        ]
        subprocess.run([*command, f"report:={report}", "monitor:=false", *more])
        if not is_whole(report):
            sys.exit(f"the system did not come to the end of {report.name}: run this again, it goes on there")
    return json.loads(report.read_text())["trials"]


def is_whole(report):
    """Whether all trials of a part came to an end."""
    return report.exists() and json.loads(report.read_text())["summary"]["trials"] == PLACES


def told(trials):
    """Successes with their interval, by place, the errors' medians (mm) and how trials ended."""
    said = summary([Trial(t["trial"], t["seed"], t["task"], t["prompt"], success=t["success"],
                          error_code=ErrorCode(t["error_code"]),
                          localization_error_m=number(t["localization_error_m"]),
                          reach_error_m=number(t["reach_error_m"])) for t in trials])  # fmt: skip
    by_place = [sum(t["success"] for t in trials if t["seed"] % PLACES == place) for place in range(PLACES)]
    return said | {"by_place": by_place}


def number(value):
    """A measured value, NaN for null."""
    return float("nan") if value is None else float(value)


def row(task, method, cell):
    """The table's line."""
    if cell is None:
        return f"| {task} | {method} | not run: no checkpoint | | | | |"
    low, high = cell["success_interval_95"]
    ends = ", ".join(f"{name} {count}" for name, count in cell["ends"].items())
    located, reached = (cell[key] for key in ("localization_error_median_m", "reach_error_median_m"))
    return (
        f"| {task} | {method} | {cell['successes']} of {cell['trials']} ({100 * low:.0f} to {100 * high:.0f} %) | "
        f"{' '.join(map(str, cell['by_place']))} | {millimetres(located)} | {millimetres(reached)} | {ends} |"
    )


def millimetres(value_m):
    """One decimal, or a dash."""
    return "-" if value_m is None else f"{1000 * value_m:.1f}"


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/deployment"))
    parser.add_argument("--tasks", nargs="+", choices=task_names(), default=TASKS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--trials", type=int, default=25, help="of each cell, a multiple of five")
    parser.add_argument("--method-folder", action="append", default=[], metavar="METHOD=FOLDER")
    parser.add_argument("more", nargs="*", help="further launch arguments, name:=value")
    given = parser.parse_args()
    if given.trials < PLACES or given.trials % PLACES:
        parser.error(f"--trials is {given.trials}, expected a multiple of {PLACES}")
    folders = {name: Path(path) for name, _, path in (told.partition("=") for told in given.method_folder)}
    given.out.mkdir(parents=True, exist_ok=True)
    cells = {}
    for task in given.tasks:
        for method in given.methods:
            folder = weights_of(task, method, folders, given.out)
            trials = [] if folder is None else [
                trial
                for number in range(given.trials // PLACES)
                for trial in part(task, method, number, folder, given.out, given.more)
            ]  # fmt: skip
            cells[f"{task} {method}"] = told(trials) if trials else None
            print(row(task, method, cells[f"{task} {method}"]), flush=True)
    write_json(given.out / "table.json", {"setting": DEPLOYMENT, "first_seed": FIRST_SEED, "cells": cells})
    print("\n| task | method | successes (95 %) | of five, by place | located, median mm | reached, mm | ends |")
    print("|---|---|---|---|---|---|---|")
    for name, cell in cells.items():
        print(row(*name.split(" "), cell))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
