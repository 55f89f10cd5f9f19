"""Tasks, observations, clocks, files and figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core.clock import Pacer
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_core.observation import Action, Observation
from vital_core.statistics import compare_pairs, percentile, wilson_interval
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


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


@given(st.lists(st.floats(0, 0.7), min_size=1, max_size=30))
def test_pacer_ticks_on_its_grid_whatever_the_work_takes(work_s):
    clock = Clock()
    pacer = Pacer(0.2, now=clock, sleep=clock.sleep)
    for seconds in work_s:
        late_s = pacer.wait()
        tick = (clock.now_s - late_s) / 0.2
        assert math.isclose(tick, round(tick), abs_tol=1e-6) or late_s >= 0.2
        clock.now_s += seconds
    # Ticks made and ticks missed together fill the time.
    assert pacer.missed + len(work_s) >= int(clock.now_s / 0.2 - 1e-9) - 3


def test_write_leaves_the_old_file_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    safe_file.write_json(path, {"a": 1})
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        safe_file.write_json(path, {"a": 2})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_wilson_interval_matches_the_published_example():
    low, high = wilson_interval(9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_percentile_ignores_what_was_not_measured():
    assert percentile([1.0, math.nan, 3.0], 50) == 2.0
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596), (95, 100, 0.888, 0.978)],
)
def test_wilson_interval(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, trials):
    with pytest.raises(ValueError, match="successes of"):
        wilson_interval(successes, trials)


def test_mcnemar_is_the_exact_test_of_the_unlike_pairs():
    # 8 against 1: two-sided binomial, 2 (C(9, 0) + C(9, 1)) / 2^9.
    a = [True] * 8 + [False] + [True] * 10 + [False] * 5
    b = [False] * 8 + [True] + [True] * 10 + [False] * 5
    result = compare_pairs(a, b)
    assert (result.both, result.only_a, result.only_b, result.neither) == (10, 8, 1, 5)
    assert result.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert compare_pairs([True, False], [True, False]).p_value == 1.0
    with pytest.raises(ValueError, match="2 and 1 trials"):
        compare_pairs([True, False], [True])


def test_paired_interval_is_newcombes():
    # Newcombe 1998, table III, example of method 10: 36, 12, 2, 0 of 50 gives 0.0569 to 0.3404.
    pairs = [(True, True)] * 36 + [(True, False)] * 12 + [(False, True)] * 2
    a, b = zip(*pairs, strict=True)
    result = compare_pairs(a, b)
    assert result.difference == pytest.approx(0.20)
    assert result.interval == pytest.approx((0.0569, 0.3404), abs=5e-4)
