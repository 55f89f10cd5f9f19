"""What is allowed and what is in the way: box, shapes, states, goals and searches agree with each other everywhere."""

import numpy as np
import pytest
from depth_scenes import upright
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES, LOWER_RAD, UPPER_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task, task_names
from vital_vlm_reach.planning.box import BOX_MARGIN_M, Box
from vital_vlm_reach.planning.goal_states import goal_states
from vital_vlm_reach.planning.planner import KEEP_OUT, TABLE, WALLS, ReachProblem
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel, touching_text
from vital_vlm_reach.planning.sampled_path import find_path
from vital_vlm_reach.planning.state_check import StateCheck
from vital_vlm_reach.planning.timing import MotionLimits
from vital_vlm_reach.start_pose import sample_start_pose

TASK = load_task("usb_insertion")
BOX = Box.of_task(TASK)
ROBOT = RobotModel()
SCENE = CollisionScene(ROBOT, (TABLE, *WALLS), tip_offset_m=TASK.tip_offset_m)
CHECK = StateCheck(SCENE, BOX, HOME_RAD)

shares = st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7).map(np.array)
anywhere = shares.map(lambda share: LOWER_RAD + share * (UPPER_RAD - LOWER_RAD))
beyond = shares.map(lambda share: 1.1 * (LOWER_RAD + share * (UPPER_RAD - LOWER_RAD)))
nearby = shares.map(lambda share: np.clip(HOME_RAD + 0.5 * (2 * share - 1), LOWER_RAD, UPPER_RAD))
places = st.tuples(st.floats(0.0, 0.9), st.floats(-0.5, 0.5), st.floats(-0.1, 0.8))


# The box.


@given(places, places)
def test_distance_outside_the_box_is_a_distance(place, other):
    """Zero on the surface, negative inside, and no point changes it by more than it moves."""
    outside_m = BOX.outside_m(place)
    inside = np.all((np.array(place) > BOX.lower_m) & (np.array(place) < BOX.upper_m))
    assert (outside_m < 0.0) == inside
    nearest = np.clip(place, BOX.lower_m, BOX.upper_m)
    assert max(outside_m, 0.0) == pytest.approx(np.abs(nearest - place).max(), abs=1e-12)
    assert abs(outside_m - BOX.outside_m(other)) <= np.abs(np.subtract(place, other)).max() + 1e-12


@pytest.mark.parametrize("task", [load_task(name) for name in task_names()], ids=lambda t: t.name)
def test_every_start_pose_of_every_task_and_its_keep_out_column_leave_the_arm_room(task):
    """The planner's box is inside the gate's, and the held object's tip starts above the column or beside it."""
    box, target = Box.of_task(task), np.array([0.45, 0.0, 0.035])
    assert np.allclose(np.subtract(box.lower_m, task.workspace_lower_m), BOX_MARGIN_M)
    assert np.allclose(np.subtract(task.workspace_upper_m, box.upper_m), BOX_MARGIN_M)
    for seed in range(20):
        goal = sample_start_pose(task, upright(target), seed)
        column = ReachProblem(task, HOME_RAD, goal, target, seed).keep_out
        assert column.name == KEEP_OUT and column.centre_m[:2] == (0.45, 0.0)
        top_m = column.centre_m[2] + column.size_m[2] / 2
        assert column.centre_m[2] - column.size_m[2] / 2 == pytest.approx(0.0, abs=1e-12), "it stands on the table"
        above = target[2] <= top_m < goal[2, 3] - task.tip_offset_m
        beside = np.abs(goal[:2, 3] - target[:2]).max() > column.size_m[0] / 2
        assert above or beside, "the tip would start inside the column"
        assert box.outside_m(goal[:3, 3]) < 0.0


# Shapes.


@given(anywhere)
@settings(max_examples=60)
def test_scene_and_kinematics_put_the_tcp_at_the_same_place(joints):
    np.testing.assert_allclose(SCENE.tcp_m(joints), kinematics.forward(joints)[:3, 3], atol=1e-9)


@given(anywhere)
@settings(max_examples=60)
def test_what_touches_is_named_and_what_is_named_touches(joints):
    pairs = SCENE.touching(joints)
    assert SCENE.in_collision(joints) == bool(pairs) and pairs == sorted(set(pairs))
    obstacles = {"table", *(wall.name for wall in WALLS)}
    assert not any({a, b} <= obstacles for a, b in pairs), "no two obstacles"
    if pairs:
        assert pairs[0][0].replace("xarm_gripper_base_link", "gripper") in touching_text(pairs)


@given(anywhere, st.floats(0.0, 0.05), st.floats(0.0, 0.05))
@settings(max_examples=40)
def test_a_wider_margin_only_ever_touches_more(joints, margin_m, more_m):
    scene = CollisionScene(ROBOT, (TABLE,), tip_offset_m=TASK.tip_offset_m, margin_m=margin_m)
    narrow = set(scene.touching(joints))
    scene.margin_m = margin_m + more_m
    assert scene.margin_m == pytest.approx(margin_m + more_m, abs=2e-5)
    assert narrow <= set(scene.touching(joints))


@given(nearby, st.floats(0.005, 0.02))
@settings(max_examples=40)
def test_a_box_at_the_tip_of_the_held_object_touches_it_and_one_far_below_nothing(joints, size_m):
    tcp = kinematics.forward(joints)
    tip = tcp[:3, 3] + (TASK.tip_offset_m - 0.005) * tcp[:3, 2]
    there = Obstacle("there", tuple(tip), (size_m,) * 3)
    below = Obstacle("below", (float(tip[0]), float(tip[1]), -2.0), (size_m,) * 3)
    scene = CollisionScene(ROBOT, (there, below), tip_offset_m=TASK.tip_offset_m)
    named = {name for pair in scene.touching(joints) for name in pair}
    assert {"held_object", "there"} <= named and "below" not in named


# States.


@given(st.one_of(anywhere, nearby, beyond))
@settings(max_examples=60)
def test_a_state_is_refused_exactly_when_there_is_a_reason(joints):
    problem = CHECK.problem(joints)
    assert CHECK.allows(joints) == (problem == "")
    if (joints < LOWER_RAD - 1e-5).any() or (joints > UPPER_RAD + 1e-5).any():
        assert problem.split(" ")[0] in JOINT_NAMES
    elif not problem:
        assert BOX.outside_m(kinematics.forward(joints)[:3, 3]) <= 1e-6 and not SCENE.in_collision(joints)


@given(nearby, nearby)
@settings(max_examples=20)
def test_a_line_is_allowed_when_all_of_it_is_and_in_both_directions(start, end):
    line = CHECK.allows_line(start, end)
    assert line == CHECK.allows_line(end, start)
    if line:
        assert CHECK.allows_all(start + np.linspace(0, 1, 23)[:, None] * (end - start))
    else:
        assert not (CHECK.allows(start) and CHECK.allows(end) and np.abs(end - start).max() < 1e-3)


def test_an_arm_that_starts_outside_the_box_may_come_nearer_and_not_go_further():
    y_m = TASK.workspace_upper_m[1]

    def at(outside_m: float) -> np.ndarray:
        joints = kinematics.solve(pose_of.point_down((0.45, y_m + outside_m, 0.25)), HOME_RAD)
        assert joints is not None
        return joints

    check = StateCheck(SCENE, BOX, at(0.03))
    assert [check.problem(at(outside_m)) for outside_m in (0.029, 0.015, 0.001, -0.05)] == [""] * 4
    assert "mm outside the task's workspace" in check.problem(at(0.032)) and not check.allows(at(0.032))
    assert not StateCheck(SCENE, BOX, at(-0.05)).allows(at(0.001))


# Goals.


@given(st.tuples(st.floats(0.32, 0.6), st.floats(-0.2, 0.2), st.floats(0.1, 0.4)), st.floats(-1, 1), st.integers(0, 99))
@settings(max_examples=4)
def test_goal_states_are_at_the_goal_apart_from_each_other_and_the_nearest_comes_first(place, yaw_rad, seed):
    goal = pose_of.point_down(place, yaw_rad)
    try:
        found = goal_states(goal, HOME_RAD, lambda _: "", seed)
    except VitalError as refusal:
        assert refusal.code is ErrorCode.UNREACHABLE and "from the shoulder" in refusal.message
        return
    for joints in found:
        distance_m, turn_rad = pose_of.distance(kinematics.forward(joints), goal)
        assert distance_m < 1e-4 and turn_rad < 1e-3
        assert (joints >= LOWER_RAD).all() and (joints <= UPPER_RAD).all()
    away = [np.abs(q - HOME_RAD).max() for q in found]
    assert away == sorted(away)
    assert all(np.abs(a - b).max() >= 0.05 for i, a in enumerate(found) for b in found[:i])
    again = goal_states(goal, HOME_RAD, lambda _: "", seed)
    assert [q.tolist() for q in again] == [q.tolist() for q in found]


def test_where_every_state_is_refused_the_first_reason_is_given():
    goal = pose_of.point_down((0.45, 0.0, 0.2))
    reasons = iter(["a shelf is in the way", *["something else"] * 100])
    with pytest.raises(VitalError, match="in the way of itself or the scene: a shelf is in the way") as refusal:
        goal_states(goal, HOME_RAD, lambda _: next(reasons), 0)
    assert refusal.value.code is ErrorCode.IN_COLLISION


# The search.

JOINT1 = np.eye(7)[0]
GOAL = HOME_RAD + JOINT1


def around(joints: np.ndarray) -> bool:
    """A wall in joint space between home and goal: passed above, where joint2 is raised."""
    return not (0.4 < joints[0] < 0.6 and joints[1] < HOME_RAD[1] + 0.3)


@given(st.integers(0, 2**40))
@example(159)  # a shortcut that began 2 mrad inside the wall
@settings(max_examples=10)
def test_a_search_runs_from_start_to_goal_through_what_is_allowed_and_alike_for_one_seed(seed):
    path = find_path(around, HOME_RAD, [GOAL], seed=seed, budget_s=10.0)
    assert path is not None
    np.testing.assert_allclose(path[[0, -1]], [HOME_RAD, GOAL], atol=1e-9)
    assert all(around(q) for q in path) and path[:, 1].max() > HOME_RAD[1] + 0.25
    assert (path >= LOWER_RAD - 1e-5).all() and (path <= UPPER_RAD + 1e-5).all()
    np.testing.assert_array_equal(find_path(around, HOME_RAD, [GOAL], seed=seed, budget_s=10.0), path)


def test_of_two_goals_the_search_takes_one_that_can_be_reached():
    blocked = HOME_RAD + 0.5 * JOINT1
    path = find_path(around, HOME_RAD, [blocked, GOAL], seed=1, budget_s=10.0)
    np.testing.assert_allclose(path[-1], GOAL, atol=1e-9)


def test_a_search_with_no_way_or_no_wish_is_none():
    assert find_path(around, HOME_RAD, [GOAL], seed=0, budget_s=10.0, cancelled=lambda: True) is None
    assert find_path(lambda q: not 0.4 < q[0] < 0.6, HOME_RAD, [GOAL], seed=0, budget_s=0.2) is None
    for wrong_end in (lambda q: q[0] < 0.5, lambda q: q[0] > 0.5):
        assert find_path(wrong_end, HOME_RAD, [GOAL], seed=0, budget_s=10.0) is None


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_limits_are_in_proportion_to_their_scale(scale, other):
    one, two = MotionLimits.scaled(scale), MotionLimits.scaled(other)
    for name in ("speed_rad_s", "acceleration_rad_s2", "jerk_rad_s3"):
        assert getattr(one, name) * other == pytest.approx(getattr(two, name) * scale)
