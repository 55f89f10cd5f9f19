"""Studies that run: processes that end, fail, are killed with the study and go on, and one real study to its page."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from waiting import wait_until

from vital_bringup.study.cells import Cell, Stage
from vital_bringup.study.record import Records, State
from vital_bringup.study.runner import Options, Runner, locked
from vital_core.errors import ErrorCode, VitalError
from vital_sim.demonstrations import collect_demos

WORKER = """#!/bin/sh
# worker FILE WHAT: one that ends well, fails, leaves nothing, or waits for a file to go on
case $2 in
  good) echo "made $(cat $3 2>/dev/null)"; echo "weights of $3" > $1;;
  bad) echo "no room left"; exit 3;;
  nothing) echo "done";;
  waits) echo $$ > $1.pid; while [ ! -e $1.go ]; do sleep 0.05; done; echo late > $1;;
esac
"""


@pytest.fixture(autouse=True)
def worker(tmp_path, monkeypatch):
    """A package of its own with one small program, found as every package is."""
    prefix = tmp_path / "prefix"
    for folder in ("lib/made_up", "share/ament_index/resource_index/packages"):
        (prefix / folder).mkdir(parents=True)
    (prefix / "share/ament_index/resource_index/packages/made_up").touch()
    program = prefix / "lib/made_up/worker"
    program.write_text(WORKER)
    program.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}")


def cell(task: str, what: str, stage: Stage = Stage.CLONED, after: tuple[Cell, ...] = ()) -> Cell:
    product = Path(stage) / f"{task}.txt"
    arguments = (product, what, *(one.product for one in after))
    return Cell(stage, task, ("made_up", "worker"), arguments, (), product, after=tuple(one.name for one in after))


def run(folder: Path, cells: list[Cell], **options) -> tuple[Runner, list[str]]:
    said: list[str] = []
    runner = Runner(cells, Records(folder), Options(**options), said.append, lambda: None)
    with locked(folder) as lock:
        runner.check()
        runner.run(lock)
    return runner, said


def test_what_can_be_done_is_done_and_what_rests_on_a_failure_is_not(tmp_path):
    first, broken = cell("first", "good"), cell("broken", "bad")
    second, never = (cell(name, "good", Stage.LEARNED, (on,)) for name, on in (("second", first), ("never", broken)))
    runner, said = run(tmp_path, [first, broken, second, never], processes=2)
    assert runner.failed == {"cloned/broken": "exit code 3: no room left"}
    assert (tmp_path / "learned/second.txt").is_file() and not (tmp_path / "learned/never.txt").exists()
    records = Records(tmp_path)
    assert [records.state(one) for one in (first, broken, second)] == [State.DONE, State.FAILED, State.DONE]
    assert records.read(never) is None
    assert any(line.startswith("cloned/first done in") for line in said)


def test_a_failed_cell_is_tried_again_and_a_done_one_is_not(tmp_path):
    first, broken = cell("first", "good"), cell("broken", "bad")
    run(tmp_path, [first, broken])
    made = (tmp_path / "cloned/first.txt").stat().st_mtime_ns
    run(tmp_path, [first, broken])
    records = Records(tmp_path)
    assert records.read(broken).attempts == 2 and records.read(first).attempts == 1
    assert (tmp_path / "cloned/first.txt").stat().st_mtime_ns == made


def test_a_program_that_ends_well_and_leaves_nothing_has_failed(tmp_path):
    runner, _ = run(tmp_path, [cell("first", "nothing")])
    assert "ended well and left no" in runner.failed["cloned/first"]


def test_the_reporting_seeds_are_not_looked_at_before_all_is_chosen_and_it_is_asked_for(tmp_path):
    policy = cell("a", "good")
    chosen, spoilt = (cell(name, what, Stage.CHOOSING, (policy,)) for name, what in (("a", "good"), ("b", "bad")))
    reported = cell("a", "good", Stage.REPORTING, (policy,))
    run(tmp_path, [policy, chosen, reported])
    assert Records(tmp_path).looks() == () and not (tmp_path / reported.product).exists()
    run(tmp_path, [policy, chosen, spoilt, reported], report=True)
    assert not (tmp_path / reported.product).exists()
    run(tmp_path, [policy, chosen, reported], report=True)
    assert [look.cell for look in Records(tmp_path).looks()] == ["reporting/a"]


def test_another_policy_is_not_reported_on_seeds_that_were_looked_at(tmp_path):
    policy = cell("a", "good")
    reported = cell("a", "good", Stage.REPORTING, (policy,))
    run(tmp_path, [policy, reported], report=True)
    records = Records(tmp_path)
    for one in (policy, reported):
        records.set_aside(one)
    other = dataclasses.replace(policy, arguments=(*policy.arguments, "other"))
    runner, _ = run(tmp_path, [other, reported], report=True)
    assert "looked at on" in runner.failed["reporting/a"] and not (tmp_path / reported.product).exists()
    runner, _ = run(tmp_path, [other, reported], report=True, look_again=True)
    assert not runner.failed and len(Records(tmp_path).looks()) == 2


def test_a_changed_cell_is_refused_before_anything_runs(tmp_path):
    first, second = cell("first", "good"), cell("second", "good")
    run(tmp_path, [first])
    changed = dataclasses.replace(first, arguments=(*first.arguments, "more"))
    with pytest.raises(VitalError, match="cell cloned/first was begun with other inputs") as refused:
        run(tmp_path, [second, changed])
    assert refused.value.code is ErrorCode.BAD_PARAMETER
    assert Records(tmp_path).read(second) is None


def test_one_study_at_a_time_works_in_a_folder(tmp_path):
    with locked(tmp_path), pytest.raises(VitalError, match="is being worked on") as refused, locked(tmp_path):
        pass
    assert refused.value.code is ErrorCode.BUSY


RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_study_runs as t
runner, said = t.run(Path(sys.argv[1]), [t.cell("first", "good"), t.cell("late", "waits")])
sys.exit(len(runner.failed))
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_study_that_is_ended_takes_its_children_with_it_and_goes_on(tmp_path, how):
    command = [sys.executable, "-c", RUN, str(tmp_path), str(Path(__file__).parent)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    study = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = tmp_path / "cloned/late.txt.pid"
    try:
        wait_until(lambda: told.exists() and told.read_text().strip(), "the second cell")
        child = int(told.read_text())
    finally:
        study.send_signal(how)
        study.wait(60)
    wait_until(lambda: not is_alive(child), "its child's end")
    assert Records(tmp_path).state(cell("late", "waits")) is State.BEGUN
    (tmp_path / "cloned/late.txt.go").touch()
    again = subprocess.run(command, env=env, timeout=120)
    assert again.returncode == 0
    record = Records(tmp_path).read(cell("late", "waits"))
    assert (record.state, record.attempts) == (State.DONE, 2)
    assert Records(tmp_path).read(cell("first", "good")).attempts == 1


TINY = """
format: vital_study/1
title: A stick, tried out
tasks: [usb_insertion]
methods: [vital]
demonstrations: {episodes: 2}
cloning: {iterations: 3, coarse_iterations: 2, batch: 4, holdout: 1, precision: float32}
residual: {steps: 8, updates_per_step: 1, batch: 8, variants: 1}
choosing: {first_seed: 40000, trials: 1}
reporting: {first_seed: 50000, trials: 1}
"""


def study(path: Path, out: Path, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "vital_bringup.study.study_main", str(path), "--out", str(out), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
def test_a_real_study_killed_on_its_way_comes_to_its_page(tmp_path):
    description, out = tmp_path / "tiny.yaml", tmp_path / "study"
    description.write_text(TINY)
    command = [sys.executable, "-m", "vital_bringup.study.study_main", str(description), "--out", str(out)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    wait_until(lambda: (out / "cells" / "cloned.usb_insertion.vital_bc.seed_0.json").exists(), "the second cell", 300)
    first.kill()
    first.wait(60)
    wait_until(lambda: not _is_locked(out), "the folder set free")
    chosen = study(description, out)
    assert chosen.returncode == 0, chosen.stdout + chosen.stderr
    assert "the reporting seeds were not looked at" in chosen.stdout
    told = (out / "README.md").read_text()
    assert "| ViTaL | not run; paper 9/10 |" in told and "nobody has looked at them yet" in told
    reported = study(description, out, "--report", "--processes", "2")
    assert reported.returncode == 0 and "5 of 5 cells are done" in reported.stdout, reported.stdout
    told = (out / "README.md").read_text()
    assert "not run" not in told and "each looked at once" in told
    result = json.loads((out / "reporting/seed_0/usb_insertion_in_domain_vital.json").read_text())
    assert (result["finished"], result["seed"], result["policy"]["method"]) == (1, 50000, "vital")
    description.write_text(TINY.replace("iterations: 3", "iterations: 4"))
    changed = study(description, out)
    assert (
        changed.returncode == 2 and "cell cloned/usb_insertion/vital_bc/seed_0 was begun with other" in changed.stderr
    )
    assert "--iterations 4 instead of --iterations 3" in changed.stderr


def _is_locked(folder: Path) -> bool:
    try:
        with locked(folder):
            return False
    except VitalError:
        time.sleep(0.1)
        return True


ONLY_CLONING = """
format: vital_study/1
title: What was recorded
tasks: [usb_insertion]
methods: [baku]
demonstrations: {recordings: {usb_insertion: [%s]}}
cloning: {iterations: 3, coarse_iterations: 2, batch: 4, holdout: 1, precision: float32}
choosing: {first_seed: 40000, trials: 1}
reporting: {first_seed: 50000, trials: 1}
"""


def _with_nan(path: Path) -> None:
    with safe_open(path, framework="np") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors["tactile_ut"][:] = np.nan
    save_file(tensors, path, metadata)


def _without_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.slow
def test_data_that_cannot_be_learned_from_fail_their_cell_with_a_code(tmp_path):
    collect_demos.main(
        ["--task", "usb_insertion", "--episodes", "2", "--out", str(tmp_path / "good"), "--workers", "1"]
    )
    spoilt = {
        "single": (Path.unlink, "[BAD_PARAMETER 11] cannot hold out 1 of 1 episodes"),
        "nan": (_with_nan, "[BAD_DATASET 64]"),
        "torn": (_without_end, "[BAD_DATASET 64]"),
    }
    for name, (spoil, said) in spoilt.items():
        shutil.copytree(tmp_path / "good", tmp_path / name)
        spoil(tmp_path / name / "episode_0001.safetensors")
        description, out = tmp_path / f"{name}.yaml", tmp_path / f"study_{name}"
        description.write_text(ONLY_CLONING % (tmp_path / name))
        ended = study(description, out)
        assert ended.returncode == 1, ended.stdout + ended.stderr
        failed = "| cloned/usb_insertion/baku/seed_0 | failed: exit code 2: "
        (line,) = [line for line in (out / "README.md").read_text().splitlines() if line.startswith(failed)]
        assert said in line
