"""What comes is looked at before anything is done with it, and each refusal says what was got."""

import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from sensor_msgs.msg import Image, JointState
from tf2_msgs.msg import TFMessage

from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.action import RunTask
from vital_interfaces.msg import GateState, TactileArray
from vital_ros import message_check as check
from vital_ros.image_message import from_message


def joints(**changed):
    return JointState(**{"name": list(JOINT_NAMES), "position": [0.1] * 7} | changed)


def test_joint_positions_come_in_the_arms_order_whatever_else_is_there():
    found = check.joint_positions(JointState(name=["drive_joint", *reversed(JOINT_NAMES)], position=[9.0, *range(7)]))
    assert found.tolist() == [6, 5, 4, 3, 2, 1, 0]


def test_joint_states_of_other_joints_are_for_others():
    assert check.joint_positions(JointState(name=["drive_joint"], position=[0.2])) is None


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (joints(position=[math.nan] * 7), "expected finite values"),
        (joints(position=[1e300] * 7), "at most 100"),
        (joints(position=[0.1] * 6), "7 joints have 6 positions"),
        (joints(name=["joint1"], position=[0.1]), "joint states lack joint2"),
        (joints(name=["x"] * 101, position=[0.1] * 101), "at most 100"),
    ],
)
def test_joint_states_that_cannot_be_are_refused(message, said):
    with pytest.raises(VitalError, match=said) as refused:
        check.joint_positions(message)
    assert refused.value.code is ErrorCode.BAD_MESSAGE


@pytest.mark.parametrize("stamp", [Time(sec=-1), Time(nanosec=1_000_000_000)])
def test_a_stamp_that_no_clock_shows_is_refused_however_deep_it_lies(stamp):
    transform = TransformStamped()
    transform.header.stamp = stamp
    with pytest.raises(VitalError, match="stamp is"):
        check.sound(TFMessage(transforms=[TransformStamped(), transform]))


def test_texts_and_lists_are_bounded_before_anybody_reads_them():
    with pytest.raises(VitalError, match="prompt has 10000000 characters, expected at most 10000"):
        check.sound(RunTask.Goal(prompt="x" * 10_000_000))
    with pytest.raises(VitalError, match="transforms has 20000 entries"):
        check.sound(TFMessage(transforms=[TransformStamped()] * 20_000))
    with pytest.raises(VitalError, match="name has 20000 entries"):
        check.sound(JointState(name=["x"] * 20_000))
    check.sound(JointState(position=[0.0] * 20_000))


@pytest.mark.parametrize("xyzw", [(0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 1.0), (2.0, 0.0, 0.0, 0.0)])
def test_a_quaternion_that_is_no_rotation_is_refused(xyzw):
    x, y, z, w = xyzw
    with pytest.raises(VitalError, match="of camera"):
        check.rigid_pose("camera", Vector3(), Quaternion(x=x, y=y, z=z, w=w))
    assert np.array_equal(check.rigid_pose("camera", Vector3(), Quaternion(w=1.0)), np.eye(4))


def test_a_tactile_reading_fits_together_or_is_refused():
    field = [0.0] * 14 + [math.nan]
    check.whole_tactile(TactileArray(field_ut=field, valid=[True] * 4 + [False]))
    for bad in (
        TactileArray(field_ut=field, valid=[True] * 5),
        TactileArray(field_ut=field, valid=[False] * 4),
        TactileArray(field_ut=[0.0] * 15, valid=[True] * 5, baseline_ut=[0.0] * 12),
        TactileArray(),
    ):
        with pytest.raises(VitalError):
            check.whole_tactile(bad)


def test_a_gate_that_is_in_no_known_mode_is_not_believed():
    assert check.known_gate_state(GateState(mode=GateState.LATCHED)).mode == GateState.LATCHED
    with pytest.raises(VitalError, match="mode is 200"):
        check.known_gate_state(GateState(mode=200))


@pytest.mark.parametrize(
    "image",
    [
        Image(encoding="rgb8"),
        Image(encoding="rgb8", width=4_000_000_000, step=4_000_000_000),
        Image(encoding="rgb8", width=2, height=2, step=6, data=[0] * 11),
        Image(encoding="bgr8", width=1, height=1, step=3, data=[0] * 3),
    ],
)
def test_a_image_of_a_size_that_it_has_not_is_refused(image):
    with pytest.raises(VitalError) as refused:
        from_message(image, "rgb8")
    assert refused.value.code is ErrorCode.BAD_OBSERVATION


def test_a_depth_image_of_the_other_byte_order_is_refused():
    image = Image(encoding="16UC1", width=1, height=1, step=2, data=[1, 0])
    assert from_message(image, "16UC1").tolist() == [[1]]
    image.is_bigendian = 1
    with pytest.raises(VitalError, match="big-endian"):
        from_message(image, "16UC1")


def test_a_code_that_nobody_has_given_is_another_one():
    assert ErrorCode.told(42, ErrorCode.STOPPED) is ErrorCode.FORCE_LIMIT
    assert ErrorCode.told(999, ErrorCode.STOPPED) is ErrorCode.STOPPED
    assert ErrorCode.told(0, ErrorCode.INTERNAL) is ErrorCode.INTERNAL
