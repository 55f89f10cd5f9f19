"""What the simulation measures as ROS messages: nothing is lost on the way, and what cannot be is refused."""

import numpy as np
import pytest
from builtin_interfaces.msg import Duration, Time
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import BASE_FRAME, GRIPPER_CLOSED_RAD, GRIPPER_JOINT, JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_ros.message_check import sound, whole_tactile
from vital_sim.ros import sim_messages as to
from vital_sim.world.truth import Truth

STAMP = Time(sec=12, nanosec=345)
lengths = st.floats(-5.0, 5.0)
vectors = st.tuples(lengths, lengths, lengths)
poses = st.builds(pose_of.from_vector, vectors, st.tuples(*[st.floats(-1.8, 1.8)] * 3))
joints = st.tuples(*[st.floats(-6.2, 6.2)] * 7).map(np.array)
figures = st.floats(-10.0, 10.0)
truths = st.builds(Truth, st.booleans(), *[figures] * 5, *[poses] * 4)
POSES = ("target", "tip", "tcp", "in_hand")
FIGURES = ("depth_m", "lateral_m", "travel_m", "contact_force_n", "penetration_m")


def truth_message(truth=None):
    still = Truth(True, 0.01, 0.0, 0.0, 3.0, 0.0, *[np.eye(4)] * 4)
    return to.truth_message(truth or still, "usb_insertion", 7, 2, STAMP)


def trajectory(*points, names=JOINT_NAMES):
    """Each point: positions, and the time from start in s and ns."""
    made = [
        JointTrajectoryPoint(positions=list(map(float, q)), time_from_start=Duration(sec=s, nanosec=ns))
        for q, s, ns in points
    ]
    return JointTrajectory(joint_names=list(names), points=made)


def refused(work, *arguments):
    with pytest.raises(VitalError) as refusal:
        work(*arguments)
    assert refusal.value.code is ErrorCode.BAD_MESSAGE
    return refusal.value.message


@given(truths, st.integers(0, 2**53), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_truth_comes_back_with_its_seed(truth, seed, episode):
    message = to.truth_message(truth, "card_swipe", seed, episode, STAMP)
    sound(message)
    assert (message.task, message.episode, message.header.frame_id) == ("card_swipe", episode, BASE_FRAME)
    found_seed, found = to.seeded_truth(message)
    assert found_seed == seed and found.success == truth.success
    for name, value in vars(truth).items():
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("figure", FIGURES)
def test_truth_of_no_finite_figure_is_refused_by_its_name(figure, value):
    message = truth_message()
    setattr(message, figure, value)
    assert figure in refused(to.truth_of, message)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("broken", ["quaternion", "translation"])
def test_truth_with_a_pose_that_is_none_is_refused_by_its_name(pose, broken):
    message = truth_message()
    if broken == "quaternion":
        getattr(message, pose).orientation.w = 0.5
    else:
        getattr(message, pose).position.y = float("nan")
    assert f"of {pose}" in refused(to.truth_of, message)


@given(joints, joints, st.floats(0.0, GRIPPER_CLOSED_RAD))
@settings(max_examples=40, deadline=None)
def test_joint_states_have_one_value_of_each_kind_a_joint(positions, speeds, gripper_rad):
    message = to.joint_message(positions, speeds, gripper_rad, STAMP)
    assert message.name == [*JOINT_NAMES, GRIPPER_JOINT] and message.header.stamp == STAMP
    assert list(message.position) == [*positions, gripper_rad]
    assert list(message.velocity) == [*speeds, 0.0]


@given(joints, joints)
@settings(max_examples=40, deadline=None)
def test_controllers_reference_and_a_scenes_start_name_the_joints_that_they_are_of(positions, speeds):
    reference = to.reference_message(positions, speeds, STAMP)
    assert reference.joint_names == list(JOINT_NAMES) and reference.header.frame_id == BASE_FRAME
    assert list(reference.reference.positions) == positions.tolist()
    assert list(reference.reference.velocities) == speeds.tolist()
    start = to.reset_message(positions, "key_in_lock", 2**53, 4, STAMP)
    assert (start.task, start.seed, start.episode) == ("key_in_lock", 2**53, 4)
    assert start.joint_names == list(JOINT_NAMES) and list(start.position_rad) == positions.tolist()


@given(st.lists(st.floats(-12000.0, 12000.0, width=32), min_size=15, max_size=15), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_tactile_reading_is_one_that_every_listener_takes(field_ut, valid, measured):
    baseline_ut = np.array(field_ut if measured else [], np.float32)
    message = to.tactile_message(np.array(field_ut, np.float32), valid, baseline_ut, int(measured), STAMP)
    assert whole_tactile(message) is message
    assert message.magnetometers == 5 and list(message.valid) == [valid] * 5
    assert list(message.field_ut) == field_ut and list(message.baseline_ut) == baseline_ut.tolist()


@given(joints, joints, st.integers(0, 100), st.integers(0, 999_999_999), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_trajectory_is_read_in_the_arms_order_at_the_nanosecond(first, second, seconds, nanoseconds, shuffle):
    order = list(range(7))
    shuffle.shuffle(order)
    later = (second[order], seconds + 1, nanoseconds)
    message = trajectory((first[order], seconds, nanoseconds), later, names=[JOINT_NAMES[i] for i in order])
    points = to.points_of(message, JOINT_NAMES)
    np.testing.assert_array_equal(points.positions, [first, second])
    assert points.velocities is None
    np.testing.assert_allclose(points.times_s, seconds + 1e-9 * nanoseconds + np.array([0.0, 1.0]), atol=1e-9)


def test_velocities_of_a_trajectory_go_along_with_their_joints():
    message = trajectory((np.zeros(7), 1, 0), names=JOINT_NAMES[::-1])
    message.points[0].velocities = [float(i) for i in range(7)]
    np.testing.assert_array_equal(to.points_of(message, JOINT_NAMES).velocities, [np.arange(7.0)[::-1]])


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (trajectory(), "no points"),
        (trajectory((np.zeros(6), 1, 0)), "6 positions, expected 7"),
        (trajectory((np.zeros(7), 1, 0), names=JOINT_NAMES[:6]), "in any order"),
        (trajectory((np.zeros(7), 1, 0), names=[*JOINT_NAMES[:6], JOINT_NAMES[0]]), "in any order"),
        (trajectory((np.full(7, np.inf), 1, 0)), "not finite"),
        (trajectory((np.zeros(7), -1, 0)), "expected to rise"),
        (trajectory((np.zeros(7), 1, 5), (np.zeros(7), 1, 4)), "expected to rise"),
    ],
)
def test_trajectory_that_cannot_be_carried_out_is_a_bad_message(message, word):
    assert word in refused(to.points_of, message, JOINT_NAMES)


def test_some_points_with_velocities_and_some_without_are_refused():
    message = trajectory((np.zeros(7), 1, 0), (np.zeros(7), 2, 0))
    message.points[0].velocities = [0.0] * 7
    assert "0 velocities, expected 7 or none at all" in refused(to.points_of, message, JOINT_NAMES)
