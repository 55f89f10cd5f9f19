"""Paths, motions and the messages that carry them: smooth, inside what they join, and the same on the other side."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_ros.conversions import pose_message
from vital_vlm_reach.planning.joint_path import SAME_POINT_RAD, JointPath, distinct
from vital_vlm_reach.planning.motion import at_rest
from vital_vlm_reach.planning.timing import MotionLimits, time_path
from vital_vlm_reach.reach_messages import (
    MOST_TRANSFORMS,
    motion_of,
    trajectory_message,
    transform_of,
    transforms_of,
)

LIMITS = MotionLimits.scaled(0.5)
NOW = Time(sec=7)
numbers = st.tuples(*[st.floats(-3.0, 3.0)] * 3)
roundings = st.floats(0.05, 1.0)


@st.composite
def waypoints(draw, most=6):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = 10 ** draw(st.floats(-2.0, 0.2))
    return np.cumsum(rng.normal(0, scale, (draw(st.integers(2, most)), 7)), axis=0)


# Paths.


@given(waypoints(), roundings)
@settings(max_examples=40)
def test_no_joint_leaves_the_range_of_its_waypoints(points, rounding):
    """So joint limits that hold at the waypoints hold along the whole path."""
    states = JointPath(points, rounding).positions(0.01)
    assert (states >= points.min(axis=0) - 1e-9).all() and (states <= points.max(axis=0) + 1e-9).all()


@given(waypoints(), roundings)
@settings(max_examples=40)
def test_a_corner_is_cut_by_no_more_than_its_share_and_less_rounding_stays_nearer(points, rounding):
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    states = {r: JointPath(points, r).positions(0.005) for r in (rounding, rounding / 2)}
    for i in range(1, len(points) - 1):
        most = 0.5 * rounding * min(lengths[i - 1], lengths[i])
        missed = {r: np.linalg.norm(s - points[i], axis=1).min() for r, s in states.items()}
        assert missed[rounding] <= most + 0.005
        assert missed[rounding / 2] <= missed[rounding] + 0.005


@given(waypoints(), roundings)
@settings(max_examples=30)
def test_derivatives_are_those_of_the_path(points, rounding):
    path = JointPath(points, rounding)
    step = path.length_rad * 1e-5
    s = np.linspace(2 * step, path.length_rad - 2 * step, 201)
    here, before, after = (path.derivatives(at) for at in (s, s - step, s + step))
    for order in range(2):
        slope = (after[order] - before[order]) / (2 * step)
        tolerance = 1e-4 + 2 * step * np.abs(here[order + 2]).max()  # a difference over a piece's end
        np.testing.assert_allclose(here[order + 1], slope, atol=tolerance)


@given(waypoints(), roundings, st.floats(0.002, 0.3))
@settings(max_examples=30)
def test_positions_are_no_further_apart_than_asked_and_never_fewer_than_the_ends(points, rounding, spacing):
    states = JointPath(points, rounding).positions(spacing)
    assert len(states) >= 2
    assert np.linalg.norm(np.diff(states, axis=0), axis=1).max() <= spacing * (1 + 1e-9)


@given(waypoints(), st.lists(st.integers(0, 5), max_size=8))
@settings(max_examples=40)
def test_waypoints_that_repeat_change_nothing(points, repeats):
    doubled = points
    for i in repeats:
        doubled = np.insert(doubled, i % len(doubled), doubled[i % len(doubled)], axis=0)
    np.testing.assert_array_equal(distinct(doubled), distinct(points))
    near = np.vstack([points, points[-1] + 0.5 * SAME_POINT_RAD / np.sqrt(7)])
    np.testing.assert_array_equal(distinct(near)[-1], near[-1], "the end is met exactly")


# Motions.


@given(waypoints(most=4), st.floats(0.2, 0.95))
@settings(max_examples=8)
def test_a_slower_scale_takes_longer_on_the_same_path(points, share):
    path = JointPath(points)
    fast = time_path(path, LIMITS)
    slow = time_path(path, MotionLimits.scaled(0.5 * share))
    assert slow.duration_s > fast.duration_s
    states = path.positions(0.002)
    for motion in (fast, slow):
        for q in motion.positions_rad[:: max(1, len(motion.times_s) // 20)]:
            assert np.linalg.norm(states - q, axis=1).min() <= 0.002


@given(waypoints(most=4), st.floats(0.003, 0.1))
@settings(max_examples=20)
def test_between_its_points_a_motion_is_what_its_speeds_say(points, spacing_s):
    motion = time_path(JointPath(points), LIMITS)
    states = motion.sampled(spacing_s)
    np.testing.assert_allclose(states[[0, -1]], motion.positions_rad[[0, -1]], atol=1e-9)
    times_s = np.linspace(0.0, motion.duration_s, len(states))
    assert np.diff(times_s).max() <= spacing_s * (1 + 1e-9)
    straight = np.stack([np.interp(times_s, motion.times_s, q) for q in motion.positions_rad.T], axis=1)
    h = np.diff(motion.times_s).max()
    assert np.abs(states - straight).max() <= h**2 / 8 * 1.6 * LIMITS.acceleration_rad_s2 + 1e-9


def test_a_stay_then_a_motion_then_a_stay_is_at_rest_at_both_joints():
    start, end = np.zeros(7), np.full(7, 0.4)
    motion = at_rest(start).then(time_path(JointPath([start, end]), LIMITS)).then(at_rest(end))
    assert (np.diff(motion.times_s) > 0.0).all()
    states = motion.sampled(0.01)
    np.testing.assert_allclose(states[:8], np.zeros((8, 7)), atol=1e-9)
    np.testing.assert_allclose(states[-8:], np.full((8, 7), 0.4), atol=1e-9)


# Messages.


def message_of(order: list[int] | None = None) -> JointTrajectory:
    message = trajectory_message(time_path(JointPath([np.zeros(7), np.linspace(0.1, 0.7, 7)]), LIMITS))
    for point in message.points if order else ():
        point.positions = [point.positions[i] for i in order]
        point.velocities = [point.velocities[i] for i in order]
    if order:
        message.joint_names = [JOINT_NAMES[i] for i in order]
    return message


@given(st.permutations(range(7)))
@settings(max_examples=20)
def test_joints_in_another_order_are_the_same_motion(order):
    straight, shuffled = motion_of(message_of()), motion_of(message_of(order))
    np.testing.assert_array_equal(shuffled.positions_rad, straight.positions_rad)
    np.testing.assert_array_equal(shuffled.velocities_rad_s, straight.velocities_rad_s)
    np.testing.assert_allclose(shuffled.accelerations_rad_s2, straight.accelerations_rad_s2)


def test_further_joints_of_a_planned_group_are_left_out():
    message = message_of()
    message.joint_names = ["gripper", *message.joint_names]
    for point in message.points:
        point.positions, point.velocities = [0.5, *point.positions], [0.0, *point.velocities]
    np.testing.assert_array_equal(motion_of(message).positions_rad, motion_of(message_of()).positions_rad)


def test_a_plan_of_one_point_is_staying_there():
    message = message_of()
    message.points = message.points[:1]
    motion = motion_of(message)
    assert motion.duration_s > 0.02 and (motion.positions_rad == message.points[0].positions).all()
    assert not motion.velocities_rad_s.any()


@pytest.mark.parametrize("damage", ["no points", "no velocities", "a joint less", "torn", "stands still", "goes back"])
def test_a_plan_that_is_none_is_refused_with_what_was_expected(damage):
    message = message_of()
    if damage == "no points":
        message.points = []
    elif damage == "no velocities":
        for point in message.points:
            point.velocities = []
    elif damage == "a joint less":
        message.joint_names = [*JOINT_NAMES[:6], "elbow"]
    elif damage == "torn":
        message.points[3].positions = message.points[3].positions[:5]
    elif damage == "stands still":
        message.points[5].time_from_start = message.points[4].time_from_start
    else:
        message.points[5].time_from_start, message.points[4].time_from_start = (
            message.points[4].time_from_start,
            message.points[5].time_from_start,
        )
    with pytest.raises(VitalError, match="the planned trajectory") as refusal:
        motion_of(message)
    assert refusal.value.code is ErrorCode.PLAN_FAILED and "expected" in refusal.value.message


def transform(parent: str, child: str, pose: np.ndarray) -> TransformStamped:
    told = pose_message(pose)
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.transform.rotation = told.orientation
    p, t = told.position, message.transform.translation
    t.x, t.y, t.z = p.x, p.y, p.z
    return message


@given(numbers, numbers)
def test_a_pose_survives_its_messages(position, turn):
    pose = pose_of.from_vector(position, turn)
    parent, child, back = transform_of(transform("/link_base", "/camera", pose))
    assert (parent, child) == ("link_base", "camera")
    np.testing.assert_allclose(back, pose, atol=1e-9)


def test_transforms_are_taken_whole_or_not_at_all():
    good, bad = transform("a", "b", np.eye(4)), transform("b", "c", np.eye(4))
    bad.transform.rotation.w = 0.5
    with pytest.raises(VitalError, match=r"'c' in 'b' is of length 0\.5, expected 1") as refusal:
        transforms_of(TFMessage(transforms=[good, bad]))
    assert refusal.value.code is ErrorCode.BAD_MESSAGE
    with pytest.raises(VitalError, match=f"expected at most {MOST_TRANSFORMS}"):
        transforms_of(TFMessage(transforms=[good] * (MOST_TRANSFORMS + 1)))
    assert [names[:2] for names in transforms_of(TFMessage(transforms=[good]))] == [("a", "b")]
