"""What a command must keep to: each rule by what breaks it, and what holds for all of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.command_rules import (
    BOX_MARGIN_M,
    GRIPPER_TOLERANCE,
    MAX_TCP_SPEED_M_S,
    MAX_TCP_TURN_RAD_S,
    STEP_ROUNDING,
    Admitted,
    CommandRules,
    Refusal,
    Rule,
)
from vital_core.observation import Action
from vital_core.task import load_task, task_names

TASK = load_task("usb_insertion")
RULES = CommandRules(TASK)
LOWER, UPPER = np.array(TASK.workspace_lower_m), np.array(TASK.workspace_upper_m)
MIDDLE = (LOWER + UPPER) / 2
DIRECTIONS = st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)
POINTS = st.tuples(*[st.floats(-0.5, 1.5)] * 3).map(lambda f: LOWER + np.array(f) * (UPPER - LOWER))


def unit(direction: tuple[float, ...]) -> np.ndarray:
    return np.array(direction) / np.linalg.norm(direction)


def at(point: np.ndarray) -> np.ndarray:
    return pose_of.point_down(point)


@given(DIRECTIONS, st.floats(0.0, 1.0))
def test_every_step_up_to_the_limit_is_allowed(direction, share):
    assert RULES.refuse_action(Action(share * TASK.max_step_m * unit(direction), np.zeros(3))) is None
    assert RULES.refuse_action(Action(np.zeros(3), share * TASK.max_step_rad * unit(direction))) is None


@given(DIRECTIONS, st.floats(1.01, 100.0))
def test_every_longer_step_is_refused_with_both_lengths(direction, share):
    refusal = RULES.refuse_action(Action(share * TASK.max_step_m * unit(direction), np.zeros(3)))
    assert refusal is not None and refusal.rule is Rule.STEP_TOO_LARGE
    assert f"at most {1000 * TASK.max_step_m:.1f} mm" in refusal.text
    refusal = RULES.refuse_action(Action(np.zeros(3), share * TASK.max_step_rad * unit(direction)))
    assert refusal is not None and refusal.rule is Rule.STEP_TOO_LARGE and "rotation" in refusal.text


def test_a_step_at_the_limit_may_be_rounded_up():
    just = TASK.max_step_m + 0.9 * STEP_ROUNDING
    assert RULES.refuse_action(Action(np.array([just, 0.0, 0.0]), np.zeros(3))) is None
    assert RULES.refuse_action(Action(np.array([just + STEP_ROUNDING, 0.0, 0.0]), np.zeros(3))) is not None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("index", range(7))
def test_a_value_that_is_not_finite_is_refused_by_its_name(bad, index):
    values = np.zeros(7)
    values[index] = bad
    refusal = RULES.refuse_action(Action.from_array(values))
    name = "translation_m" if index < 3 else "rotation_rad" if index < 6 else "gripper"
    assert refusal is not None and refusal.rule is Rule.NOT_FINITE and refusal.text.startswith(name)


@given(st.floats(-1.0, 2.0))
def test_the_gripper_keeps_to_its_stroke(gripper):
    refusal = RULES.refuse_action(Action(np.zeros(3), np.zeros(3), gripper))
    allowed = -GRIPPER_TOLERANCE <= gripper <= 1.0 + GRIPPER_TOLERANCE
    assert (refusal is None) == allowed
    assert allowed or refusal.rule is Rule.GRIPPER_RANGE


ANY_SPEED = CommandRules(TASK, max_tcp_speed_m_s=math.inf, max_tcp_turn_rad_s=math.inf)
INSIDE = st.tuples(*[st.floats(0.0, 1.0)] * 3).map(lambda f: LOWER + np.array(f) * (UPPER - LOWER))


@given(INSIDE, POINTS)
def test_an_arm_in_the_box_goes_to_the_place_on_it_that_is_nearest_to_the_target(sent, target):
    admitted = ANY_SPEED.admit_motion(at(sent), at(target), TASK.period_s)
    assert isinstance(admitted, Admitted)
    nearest = np.clip(target, LOWER + BOX_MARGIN_M, UPPER - BOX_MARGIN_M)
    np.testing.assert_array_equal(admitted.t_base_target[:3, 3], nearest)
    np.testing.assert_array_equal(admitted.t_base_target[:3, :3], at(target)[:3, :3])
    assert admitted.projected_m == pytest.approx(np.linalg.norm(nearest - target))
    again = ANY_SPEED.admit_motion(at(sent), admitted.t_base_target, TASK.period_s)
    assert isinstance(again, Admitted) and again.projected_m == 0.0


@given(POINTS, POINTS)
def test_an_arm_outside_the_box_goes_nearer_or_nowhere_and_never_further_out(sent, target):
    motion = ANY_SPEED.admit_motion(at(sent), at(target), TASK.period_s)
    outside_sent, outside_target = ANY_SPEED.outside_box_m(np.stack([sent, target]))
    if isinstance(motion, Refusal):
        assert motion.rule is Rule.OUT_OF_BOX and TASK.name in motion.text
        assert outside_sent > BOX_MARGIN_M and outside_target >= outside_sent - BOX_MARGIN_M
        return
    (outside,) = ANY_SPEED.outside_box_m(motion.t_base_target[None, :3, 3])
    assert outside <= 0.0 or outside < outside_sent


@given(POINTS, DIRECTIONS, DIRECTIONS)
def test_the_executed_action_leads_to_the_admitted_target_and_keeps_turn_and_gripper(measured, step, turn):
    t_base_tcp = at(measured) @ pose_of.from_vector(np.zeros(3), 0.3 * unit(turn))
    action = Action(TASK.max_step_m * unit(step), 0.1 * unit(turn), 0.25)
    admitted = ANY_SPEED.admit_motion(t_base_tcp, t_base_tcp @ action.delta_tcp, TASK.period_s)
    if isinstance(admitted, Refusal):
        return
    executed = admitted.executed(action, t_base_tcp)
    np.testing.assert_allclose(t_base_tcp @ executed.delta_tcp, admitted.t_base_target, atol=1e-12)
    np.testing.assert_array_equal(executed.rotation_rad, action.rotation_rad)
    assert executed.gripper == 0.25 and (executed is action) == (admitted.projected_m == 0.0)


@given(POINTS)
def test_outside_is_how_far_the_worst_axis_is_beyond_its_face(point):
    (outside,) = RULES.outside_box_m(point[None])
    assert outside == pytest.approx(max((LOWER - point).max(), (point - UPPER).max()))
    assert (outside <= 0.0) == bool(np.all(point >= LOWER) and np.all(point <= UPPER))


@pytest.mark.parametrize("name", task_names())
def test_the_middle_of_every_box_is_inside(name):
    task = load_task(name)
    rules = CommandRules(task)
    middle = (np.array(task.workspace_lower_m) + np.array(task.workspace_upper_m)) / 2
    assert rules.outside_box_m(middle[None])[0] < 0.0


@given(DIRECTIONS, st.floats(0.01, 0.3), st.floats(0.02, 1.0))
def test_speed_counts_from_where_the_arm_was_sent(direction, way_m, duration_s):
    target = MIDDLE + way_m * unit(direction)
    if RULES.outside_box_m(target[None])[0] > -BOX_MARGIN_M:
        return
    motion = RULES.admit_motion(at(MIDDLE), at(target), duration_s)
    speed = way_m / duration_s
    if speed > MAX_TCP_SPEED_M_S * 1.001:
        assert isinstance(motion, Refusal) and motion.rule is Rule.TOO_FAST and "m/s" in motion.text
    if speed < MAX_TCP_SPEED_M_S * 0.999:
        assert isinstance(motion, Admitted)


def test_a_turn_has_a_speed_too():
    turned = at(MIDDLE) @ pose_of.from_vector(np.zeros(3), (0.0, 0.0, 1.0))
    assert isinstance(RULES.admit_motion(at(MIDDLE), turned, 1.1 / MAX_TCP_TURN_RAD_S), Admitted)
    refusal = RULES.admit_motion(at(MIDDLE), turned, 0.9 / MAX_TCP_TURN_RAD_S)
    assert isinstance(refusal, Refusal) and refusal.rule is Rule.TOO_FAST and "rad/s" in refusal.text


def test_a_broken_step_is_said_before_a_broken_gripper():
    refusal = RULES.refuse_action(Action(np.array([1.0, 0.0, 0.0]), np.zeros(3), 9.0))
    assert refusal is not None and refusal.rule is Rule.STEP_TOO_LARGE
