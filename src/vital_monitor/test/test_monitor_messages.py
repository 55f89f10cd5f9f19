"""What is heard: believed, or refused with what was expected; and what the page makes of the strangest of it."""

import math

import numpy as np
import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from geometry_msgs.msg import Point, PointStamped, TransformStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import LearnerState, PolicyState, SessionState, TactileArray, TeleopState, TrainingState
from vital_monitor import monitor_messages as read
from vital_monitor.drawing import svg, tables
from vital_monitor.state.picture import Picture

ANY, COUNTS = st.floats(), st.integers(0, 2**32 - 1)
FIELDS = st.lists(st.one_of(st.floats(width=32), st.just(math.nan)), min_size=15, max_size=15)
unhurried = settings(deadline=None, max_examples=60)


def refused(reading, message) -> str:
    with pytest.raises(VitalError) as caught:
        reading(message)
    assert caught.value.code is ErrorCode.BAD_MESSAGE
    return caught.value.message


def motion(names=JOINT_NAMES, rows=(HOME_RAD,)) -> JointTrajectory:
    points = [JointTrajectoryPoint(positions=list(map(float, row))) for row in rows]
    return JointTrajectory(joint_names=list(names), points=points)


def test_a_planned_path_is_of_the_tcp_whatever_order_the_joints_are_named_in() -> None:
    order = [3, 0, 6, 1, 5, 2, 4]
    mixed = motion([JOINT_NAMES[i] for i in order], [HOME_RAD[order]])
    expected = kinematics.forward(HOME_RAD)[:3, 3]
    for message in (motion(), mixed):
        np.testing.assert_allclose(read.path_of(message), [expected], atol=1e-9)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (motion(JOINT_NAMES[:6], [HOME_RAD[:6]]), "expected joint1 to joint7"),
        (motion(rows=[HOME_RAD[:6]]), "all at each point"),
        (motion(rows=[[math.nan, *HOME_RAD[1:]]]), "planned joint position"),
        (motion(rows=[HOME_RAD] * (read.MOST_POINTS + 1)), "points"),
    ],
)
def test_a_motion_that_cannot_be_drawn_is_refused(message, words) -> None:
    assert words in refused(read.path_of, message)


def test_a_target_counts_in_the_base_frame_alone() -> None:
    point = PointStamped(header=Header(frame_id="link_base"), point=Point(x=0.4, y=0.1, z=0.02))
    np.testing.assert_allclose(read.target_of(point), [0.4, 0.1, 0.02])
    point.header.frame_id = "camera_color_optical_frame"
    assert "expected 'link_base'" in refused(read.target_of, point)
    point.header.frame_id, point.point.x = "link_base", math.inf
    assert "target" in refused(read.target_of, point)


def test_joints_have_one_position_each() -> None:
    assert read.joints_of(JointState(name=["a", "b"], position=[0.1, 0.2])) == {"a": 0.1, "b": 0.2}
    assert "2 joints have 1 positions" in refused(read.joints_of, JointState(name=["a", "b"], position=[0.1]))


def test_only_frames_given_in_the_base_are_kept_and_a_broken_turn_is_refused() -> None:
    base, other = (TransformStamped(header=Header(frame_id=name)) for name in ("/link_base", "world"))
    base.child_frame_id, other.child_frame_id = "camera", "elsewhere"
    base.transform.translation.z = 0.9
    frames = read.frames_of(TFMessage(transforms=[base, other]))
    assert frames.keys() == {"camera"} and frames["camera"][2, 3] == 0.9
    base.transform.rotation.w = 0.0
    assert "'camera'" in refused(read.frames_of, TFMessage(transforms=[base]))


def test_a_lens_without_a_focal_length_is_none() -> None:
    good = CameraInfo(width=640, height=480, k=[600.0, 1.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0])
    assert read.lens_of(good).matrix[0].tolist() == [600.0, 0.0, 320.0]
    assert "expected more than 0" in refused(read.lens_of, CameraInfo(width=640, height=480))


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (read.record_of, SessionState(phase=200)),
        (read.training_of, TrainingState(phase=200)),
        (read.teleop_of, TeleopState(mode=200)),
    ],
)
def test_a_phase_or_mode_that_there_is_not_is_refused(reading, message) -> None:
    assert "is 200, expected 0 to" in refused(reading, message)


def test_a_run_is_under_way_while_one_goal_of_all_is() -> None:
    over, going = (GoalStatus(status=status) for status in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELING))
    assert read.is_running(GoalStatusArray(status_list=[over, going]))
    assert not read.is_running(GoalStatusArray(status_list=[over])) and not read.is_running(GoalStatusArray())


@unhurried
@given(FIELDS, st.lists(st.booleans(), min_size=5, max_size=5), st.booleans())
def test_a_magnetometer_that_is_not_valid_or_has_no_baseline_shows_no_change(field, valid, with_baseline) -> None:
    message = TactileArray(magnetometers=5, field_ut=field, valid=valid)
    message.baseline_ut, message.baseline_id = ([1.0] * 15, 3) if with_baseline else ([], 0)
    try:
        touch = read.touch_of(message)
    except VitalError as error:  # a valid magnetometer with a number that is none
        assert error.code is ErrorCode.BAD_MESSAGE and not np.isfinite(np.array(field)).all()
        return
    assert not touch.change_ut[~touch.valid].any() and np.isfinite(touch.change_ut).all()
    assert with_baseline or not touch.change_ut.any()
    svg.pad(touch, 950.0)
    assert ("no baseline" in tables.touch_line(Picture(touch=touch), None)) is not with_baseline


@unhurried
@given(st.lists(ANY, min_size=7, max_size=7), ANY, ANY, COUNTS, st.text(), st.booleans())
def test_whatever_a_policy_says_of_itself_is_told(action, age_s, lateness_s, seq, words, commanded) -> None:
    state = PolicyState(task=words, phase=words, seq=seq, message=words, commanded=commanded)
    state.base_action = state.residual_action = state.action = action
    state.image_age_s = state.tactile_age_s = state.inference_s = age_s
    state.lateness_s, state.weights_version = lateness_s, seq
    picture, tick = Picture(), read.tick_of(state)
    picture.take_tick(tick, 1.0)
    picture.came("policy", 1.0)
    assert "tick" in tables.policy_table(picture, 1.1) and svg.action_bars(tick, 0.02, 0.1)


@unhurried
@given(COUNTS, ANY, ANY, st.text(), ANY)
def test_whatever_a_learner_says_of_itself_is_told(count, rate, success, words, age_s) -> None:
    learner = LearnerState(episodes=count, steps=count, updates=count, owed=count, updates_per_s=rate, message=words)
    learner.success_20 = success
    picture = Picture()
    picture.learn(read.learner_of(learner))
    picture.session = read.training_of(TrainingState(phase=1, message=words, weights_age_s=age_s, steps_wanted=count))
    told = (
        tables.training_table(picture, 1.0) + tables.what_is_wanted(picture, 1.0) + svg.learning_curve(picture.learned)
    )
    assert "updates" in told and "<script" not in told.lower()
