"""The contact world as a measuring instrument: a quick version of `ros2 run vital_sim validate`."""

import json
import sys

import pytest

from vital_core.task import load_task
from vital_sim.validation import insert_probes, validity
from vital_sim.validation.instruments import DeepestPenetration
from vital_sim.validation.trials import trial, world_at

TASKS = ("usb_insertion", "plug_in_socket")


@pytest.mark.parametrize("name", TASKS)
def test_a_plug_off_by_1_5_mm_never_enters_without_chamfer(name):
    entered, pushes = insert_probes.entries_without_chamfer(load_task(name))
    assert (entered, pushes) == (0, 8)


@pytest.mark.parametrize("name", TASKS)
def test_penetration_stays_below_a_tenth_of_a_millimetre_under_full_grip(name):
    assert 0.0 < insert_probes.deepest_penetration_m(load_task(name)) < 0.0001


def test_penetration_is_watched_at_every_physics_step():
    world = world_at(load_task("usb_insertion"), 0.0005)
    with DeepestPenetration() as deepest:
        assert not trial(world, "blind", 1).success
    assert 0.0 < deepest.metres < 0.0001


@pytest.mark.parametrize("name", TASKS)
def test_touch_alone_tells_the_direction_of_a_contact_error(name):
    score = insert_probes.touch_directions(load_task(name), train=80, test=40)
    assert score.correct / score.trials >= 0.9


@pytest.mark.parametrize("name", TASKS)
def test_tactile_limit_stands_for_a_dangerous_contact_force(name):
    assert 25.0 <= insert_probes.force_at_tactile_limit_n(load_task(name), presses=4) <= 45.0


def test_command_line_writes_the_figures_it_shows(tmp_path, monkeypatch, capsys):
    check = validity.Check("expert succeeds", 1.0, "of trials", ">= 95%", True, (0.9, 1.0), "3/3")
    monkeypatch.setattr(validity, "validate", lambda task, trials, tell: [check])
    output = tmp_path / "figures.json"
    arguments = ["validate", "--task", "usb_insertion", "--trials", "3", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as end:
        validity.main()
    assert end.value.code == 0 and "expert succeeds" in capsys.readouterr().out
    assert json.loads(output.read_text())["tasks"]["usb_insertion"][0]["note"] == "3/3"


def test_command_line_fails_when_a_check_fails(monkeypatch):
    check = validity.Check("deepest penetration", 300.0, "um", "< 100", False)
    monkeypatch.setattr(validity, "validate", lambda task, trials, tell: [check])
    monkeypatch.setattr(sys, "argv", ["validate", "--task", "usb_insertion"])
    with pytest.raises(SystemExit) as end:
        validity.main()
    assert end.value.code == 1
