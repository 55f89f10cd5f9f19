"""Tasks, observations and files."""

import numpy as np
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_core.observation import Action, Observation
from vital_core.task import load_task, parse_task, task_names


@pytest.mark.parametrize("name", task_names())
def test_every_task_file_is_whole(name):
    task = load_task(name)
    assert task.period_s == pytest.approx(1 / 6)
    tcp_to_tip = np.array([task.tip_forward_m, 0.0, -task.tip_offset_m])
    np.testing.assert_allclose(np.add(task.start_centre_m, tcp_to_tip), task.start_offset_m, atol=1e-12)
    assert task.starts_closed == (task.skill != "pick")


def test_a_task_ends_inside_behind_or_above_its_target():
    usb, card, block = (load_task(name) for name in ("usb_insertion", "card_swipe", "pick_block"))
    assert usb.finish_m == pytest.approx((0.0, 0.0, usb.tip_offset_m - usb.success_depth_m))
    assert card.finish_m[0] == pytest.approx(-card.start_offset_m[0] - card.tip_forward_m)
    assert block.finish_m == pytest.approx((0.0, 0.0, block.success_travel_m))


def test_task_of_an_unknown_skill_is_refused():
    values = {f: v for f, v in vars(load_task("usb_insertion")).items() if f != "name"}
    with pytest.raises(VitalError, match="skill is 'throw', expected one of"):
        parse_task("odd", {**values, "skill": "throw"})


def test_unknown_task_names_the_nearest():
    with pytest.raises(VitalError, match="Did you mean 'usb_insertion'") as refusal:
        load_task("usb_insertoin")
    assert refusal.value.code is ErrorCode.UNKNOWN_TASK


def test_task_file_with_wrong_keys_names_them():
    with pytest.raises(VitalError, match=r"missing \['target'\].*unknown \['aim'\]"):
        values = {f: v for f, v in vars(load_task("usb_insertion")).items() if f not in ("name", "target")}
        parse_task("odd", {**values, "aim": "x"})


def test_task_with_an_empty_box_is_refused():
    values = {f: v for f, v in vars(load_task("usb_insertion")).items() if f != "name"}
    with pytest.raises(VitalError, match="box is empty"):
        parse_task("odd", {**values, "workspace_lower_m": (1.0, 1.0, 1.0)})


def observation(**changes):
    fields = {"image": np.zeros((128, 128, 3), np.uint8), "tactile_ut": np.zeros(15, np.float32)} | changes
    return Observation(**fields)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, None),
        ({"image": np.zeros((64, 64, 3), np.uint8)}, "128"),
        ({"tactile_ut": np.zeros(6, np.float32)}, "shape"),
        ({"tactile_ut": np.full(15, np.nan, np.float32)}, "not finite"),
        ({"image_age_s": 0.3}, "wrist image is 300 ms old"),
        ({"tactile_age_s": -0.1}, "tactile reading is -100 ms old"),
    ],
)
def test_observation_says_what_is_wrong_with_it(changes, word):
    problem = observation(**changes).problem(max_age_s=0.2)
    assert (problem is None) if word is None else (word in problem)


def test_action_round_trip():
    values = np.arange(7.0)
    assert np.array_equal(Action.from_array(values).to_array(), values)
    with pytest.raises(ValueError, match="7 values"):
        Action.from_array(np.zeros(6))


def test_write_leaves_the_old_file_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    safe_file.write_json(path, {"a": 1})
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        safe_file.write_json(path, {"a": 2})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
