"""Evaluation: paired trials, one file a cell, resumed and refused; with a policy that the simulator does not know."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from vital_core.errors import VitalError
from vital_core.files.video import read_video
from vital_core.observation import Action
from vital_sim.evaluation import evaluate, evaluation, policies, workers
from vital_sim.evaluation.evaluation import (
    Cell,
    Trial,
    finished_trials,
    read_report,
    report_of,
    run_trials,
    write_report,
)
from vital_sim.evaluation.failure_video import film_failures
from vital_sim.gym.env import VitalEnv


class Diver:
    """Goes straight down from wherever it stands."""

    def begin(self):
        return []

    def act(self, observations, memories):
        for memory in memories:
            memory.append(1)
        return [Action(np.array([0, 0, 0.02]), np.zeros(3), 1.0) for _ in observations]

    def describe(self):
        return {"sha256": "d" * 64, "method": "diver"}

    def write_card(self, report):
        self.card = report


def load_diver(path, task, ensemble_decay=None):
    return Diver()


def offer_diver(folder):
    """Environment of a process in which the diver is an installed policy."""
    described = folder / "diver-1.dist-info"
    described.mkdir(exist_ok=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: diver\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[vital.policies]\ndiver = test_sim_evaluation:load_diver\n")
    path = os.pathsep.join([str(folder), os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def command_of(tmp_path, *more, **options):
    given = arguments(tmp_path, loader="diver", **options)
    return [sys.executable, "-m", "vital_sim.evaluation.evaluate", *given, *more]


@pytest.fixture
def diver(monkeypatch):
    class Entry:
        name = "local"

        @staticmethod
        def load():
            return load_diver

    monkeypatch.setattr(policies, "entry_points", lambda group: [Entry])
    monkeypatch.setattr(evaluate, "over_processes", lambda job, seeds, _: iter(workers.Worker(job).run(seeds)))


def trial(seed, success, failure="missed"):
    return Trial(seed, 0, success, "" if success else failure, 5, 0, 0.0, 0.0, 0.0, 0.0, 10.0)


CELL = Cell("usb_insertion", "in_domain", 100, 4, {"sha256": "a", "method": "m"})


def arguments(tmp_path, **options):
    given = {"policy": tmp_path, "task": "usb_insertion", "trials": 3, "seed": 40, "out": tmp_path / "out"} | options
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def test_trials_do_not_depend_on_how_many_run_at_a_time():
    policy = Diver()
    envs = [VitalEnv("usb_insertion") for _ in range(3)]
    together = sorted(run_trials(envs, policy, range(50, 55)), key=lambda t: t.seed)
    alone = list(run_trials(envs[:1], policy, range(50, 55)))
    for one, other in zip(together, alone, strict=True):
        assert (one.seed, one.failure, one.steps, one.depth_m) == (
            other.seed,
            other.failure,
            other.steps,
            other.depth_m,
        )
    assert {t.seed for t in together} == set(range(50, 55))


def test_cell_counts_its_trials_in_the_order_of_their_seeds(tmp_path):
    report = report_of(CELL, [trial(103, True), trial(100, False), trial(101, True, ""), trial(102, False)], "run")
    assert (report["successes"], report["finished"], report["failures"]) == (2, 4, {"missed": 2})
    assert [t["seed"] for t in report["each"]] == [100, 101, 102, 103]
    low, high = report["wilson_95"]
    assert 0.1 < low < 0.5 < high < 0.9


def test_cell_goes_on_where_it_was_and_refuses_another_ones_file(tmp_path):
    path = tmp_path / "cell.json"
    assert finished_trials(path, CELL) == []
    write_report(path, CELL, [trial(100, True), trial(102, False)], "run")
    assert [t.seed for t in finished_trials(path, CELL)] == [100, 102]
    other = Cell("usb_insertion", "in_domain", 100, 4, {"sha256": "b"})
    with pytest.raises(VitalError, match="is of another cell: sha256 a, expected b"):
        finished_trials(path, other)
    path.write_text("{}")
    with pytest.raises(VitalError, match="has format 'None', expected"):
        read_report(path)


def test_command_writes_one_file_films_failures_and_does_nothing_twice(diver, tmp_path, monkeypatch):
    options = evaluate.parse([*arguments(tmp_path), "--videos", "1"])
    report = evaluate.evaluate(options, "evaluate")
    path = tmp_path / "out" / "usb_insertion_in_domain_diver.json"
    assert read_report(path)["finished"] == 3 == report["finished"]
    films = list((tmp_path / "out" / "videos").glob("*.mp4"))
    failed = next(t for t in report["each"] if not t["success"])
    assert len(films) == 1 and len(list(read_video(films[0]))) == failed["steps"]
    monkeypatch.setattr(evaluate, "over_processes", lambda *_: pytest.fail("nothing was left to do"))
    before = path.read_bytes()
    monkeypatch.setattr(evaluation, "versions", lambda: {"commit": "another"})
    assert evaluate.evaluate(evaluate.parse(arguments(tmp_path)), "another command")["finished"] == 3
    assert path.read_bytes() == before, "what was measured before says with what"


class Quick:
    """An environment of three steps without physics: odd seeds miss."""

    def reset(self, seed):
        self.seed, self.at = seed, 0
        return self.seen(), self.info("running")

    def seen(self):
        return {"image": np.zeros((1, 1, 3), np.uint8), "tactile": np.zeros(15, np.float32)}

    def info(self, outcome):
        return {"outcome": outcome, "variant": 0, "refused": "", "depth_m": 0.001 * self.seed, "lateral_m": 0.0,
                "projected_m": 0.0, "travel_m": 0.0}  # fmt: skip

    def step(self, action):
        self.at += 1
        over, outcome = self.at == 3, "missed" if self.seed % 2 else "success"
        return self.seen(), 0.0, over, False, self.info(outcome if over else "running")


class Interrupted(Exception):
    pass


@pytest.fixture
def quick(diver, monkeypatch):
    """Trials without physics; `stops_after` of them the program is killed. `ran`: the seeds of all runs."""
    course = SimpleNamespace(stops_after=None, ran=[])

    def over_processes(job, seeds, processes):
        for i, done in enumerate(run_trials([Quick()], job.policy.load(), seeds)):
            if i == course.stops_after:
                raise Interrupted
            course.ran.append(done.seed)
            yield done

    monkeypatch.setattr(evaluate, "over_processes", over_processes)
    return course


def cell_of(tmp_path, *more, **options):
    return evaluate.evaluate(evaluate.parse([*arguments(tmp_path, **options), *more]), "evaluate")


def untimed(report):
    """What of a report follows from the seeds alone."""
    each = [{name: value for name, value in t.items() if not name.endswith("_ms")} for t in report["each"]]
    return {name: value for name, value in report.items() if not name.endswith("_ms")} | {"each": each}


@pytest.mark.parametrize("stops", [(0,), (1,), (3, 2), (1, 1, 1, 1, 1)])
def test_cell_in_pieces_is_the_cell_in_one_and_runs_no_trial_twice(quick, tmp_path, stops):
    whole = cell_of(tmp_path, trials=7, out=tmp_path / "whole")
    quick.ran.clear()
    for quick.stops_after in stops:
        with pytest.raises(Interrupted):
            cell_of(tmp_path, trials=7)
    quick.stops_after = None
    assert untimed(cell_of(tmp_path, trials=7)) == untimed(whole)
    assert quick.ran == list(range(40, 47))


def test_cell_that_is_made_larger_runs_what_is_missing(quick, tmp_path):
    assert cell_of(tmp_path, trials=2)["finished"] == 2
    report = cell_of(tmp_path, trials=5)
    assert quick.ran == list(range(40, 45))
    assert (report["finished"], report["successes"], report["failures"]) == (5, 3, {"missed": 2})


def test_cell_that_is_made_smaller_is_told_of_its_own_trials(quick, tmp_path):
    cell_of(tmp_path, trials=5)
    assert [t["seed"] for t in cell_of(tmp_path, trials=2)["each"]] == [40, 41]
    assert quick.ran == list(range(40, 45))


def test_file_of_another_policy_is_refused_and_left_as_it_is(quick, tmp_path, caplog, monkeypatch):
    cell_of(tmp_path, trials=2)
    path = tmp_path / "out" / "usb_insertion_in_domain_diver.json"
    before = path.read_bytes()
    monkeypatch.setattr(Diver, "describe", lambda self: {"sha256": "e" * 64, "method": "diver"})
    with pytest.raises(SystemExit) as left:
        evaluate.main(arguments(tmp_path, trials=2))
    assert left.value.code == 2 and "is of another cell: sha256" in caplog.text
    assert path.read_bytes() == before


def test_name_that_is_given_is_that_of_the_file_and_of_the_tables(quick, tmp_path):
    report = cell_of(tmp_path, "--name", "plunge", trials=1)
    assert report["policy"]["method"] == "plunge"
    assert read_report(tmp_path / "out" / "usb_insertion_in_domain_plunge.json")["finished"] == 1


def test_card_gets_the_cells_report(quick, tmp_path, monkeypatch):
    cards = []
    monkeypatch.setattr(Diver, "write_card", lambda self, report: cards.append(report))
    cell_of(tmp_path, trials=2)
    assert cards == []
    report = cell_of(tmp_path, "--card", trials=2)
    assert cards == [report] and report["finished"] == 2


def test_loader_gets_what_was_given_and_nothing_else(tmp_path):
    parse = evaluate.parse
    assert evaluate._spec(parse(arguments(tmp_path))).options == ()
    given = parse([*arguments(tmp_path, loader="mine"), "--residual", "r.safetensors", "--ensemble-decay", "0"])
    spec = evaluate._spec(given)
    assert dict(spec.options) == {"residual": "r.safetensors", "ensemble_decay": 0.0}
    assert (spec.loader, spec.task, spec.path) == ("mine", "usb_insertion", tmp_path)


@pytest.mark.parametrize("option", ["trials", "processes", "batch"])
@pytest.mark.parametrize("value", [0, -1])
def test_number_of_nothing_is_refused_by_its_option(quick, tmp_path, caplog, option, value):
    with pytest.raises(SystemExit) as left:
        evaluate.main(arguments(tmp_path, **{option: value}))
    assert left.value.code == 2 and f"--{option} is {value}, expected at least 1" in caplog.text
    assert quick.ran == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("option", "value"), [("task", "make_coffee"), ("setting", "underwater"), ("trials", "many")])
def test_what_there_is_not_is_refused_before_a_policy_is_loaded(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit) as left:
        evaluate.main(arguments(tmp_path, **{option: value}))
    assert left.value.code == 2 and f"argument --{option}" in capsys.readouterr().err


def test_film_shows_the_wrist_image_beside_the_scene(diver, tmp_path):
    (film,) = film_failures(tmp_path, CELL, Diver(), [trial(40, False)])
    image = next(iter(read_video(film)))
    assert image.shape[0] == 384 and image.shape[1] == 384 + 512


def test_killed_evaluation_resumes_without_repeating_a_trial(tmp_path):
    command, environment = command_of(tmp_path, trials=6, processes=1), offer_diver(tmp_path)
    path = tmp_path / "out" / "usb_insertion_in_domain_diver.json"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert any(line.startswith("2 / 6 ") for line in process.stderr)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = read_report(path)["each"]
    assert 2 <= len(before) < 6
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    after = read_report(path)["each"]
    assert [t["seed"] for t in after] == list(range(40, 46))
    kept = {t["seed"]: t for t in after}
    assert all(kept[t["seed"]] == t for t in before)
    assert f"{len(before)} of 6 trials were done before" in again.stderr


def test_unknown_loader_names_those_that_there_are(tmp_path):
    spec = policies.PolicySpec(tmp_path, "usb_insertion", loader="nobody")
    with pytest.raises(VitalError, match="there is no loader 'nobody', expected one of"):
        spec.load()


def test_any_function_can_load_a_policy_and_a_wrong_one_is_named(tmp_path):
    spec = policies.PolicySpec(tmp_path, "usb_insertion", loader="pathlib:PurePosixPath")
    assert str(spec.load()).endswith("usb_insertion.safetensors/usb_insertion")
    with pytest.raises(VitalError, match="loader 'no_such:thing' cannot be imported"):
        policies.PolicySpec(tmp_path, "usb_insertion", loader="no_such:thing").load()


def test_folder_stands_for_the_tasks_checkpoint_in_it(tmp_path):
    assert policies.PolicySpec(tmp_path, "key_in_lock").checkpoint == tmp_path / "key_in_lock.safetensors"
    assert policies.PolicySpec(tmp_path / "x.safetensors", "key_in_lock").checkpoint == tmp_path / "x.safetensors"


def test_ray_runs_the_same_trials_or_says_how_to_get_it(diver, tmp_path):
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(VitalError, match="pip install ray"):
            evaluate.evaluate(evaluate.parse([*arguments(tmp_path, trials=2), "--ray"]), "evaluate")
        return
    command = command_of(tmp_path, "--ray", trials=2)
    subprocess.run(command, env=offer_diver(tmp_path), check=True, timeout=180)
    over_ray = read_report(tmp_path / "out" / "usb_insertion_in_domain_diver.json")
    here = evaluate.evaluate(evaluate.parse(arguments(tmp_path, trials=2, out=tmp_path / "here")), "evaluate")
    assert [(t["seed"], t["failure"], t["steps"]) for t in over_ray["each"]] == [
        (t["seed"], t["failure"], t["steps"]) for t in here["each"]
    ]
