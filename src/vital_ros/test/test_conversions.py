"""Numbers to messages and back."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from std_msgs.msg import Header

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import BASE_FRAME, JOINT_NAMES
from vital_ros import conversions as to
from vital_ros.message_check import pose_in, rigid_pose, stamp_ns

METRES = st.floats(-5.0, 5.0)
ROTATION_VECTORS = st.tuples(*[st.floats(-1.8, 1.8)] * 3)
VECTORS = st.tuples(METRES, METRES, METRES)


@given(st.integers(0, 2**31 * to.NS_PER_S - 1))
def test_a_stamp_keeps_every_nanosecond(nanoseconds: int) -> None:
    message = to.time_message(nanoseconds)
    assert stamp_ns(message) == nanoseconds
    assert to.seconds(message) == pytest.approx(nanoseconds * 1e-9, rel=1e-12)


@given(st.floats(-1e6, 1e6))
def test_a_duration_is_right_to_a_nanosecond_before_and_after_zero(duration_s: float) -> None:
    message = to.duration_message(duration_s)
    assert 0 <= message.nanosec < to.NS_PER_S
    assert to.seconds(message) == pytest.approx(duration_s, abs=1e-9)


def test_a_numpy_integer_is_a_stamp_too() -> None:
    assert to.time_message(np.int64(1_700_000_000_123_456_789)) == Time(sec=1_700_000_000, nanosec=123_456_789)


@given(VECTORS)
def test_vectors_and_points_come_back(values: tuple[float, float, float]) -> None:
    assert to.array_of(to.vector_message(values)).tolist() == list(values)
    assert to.array_of(to.point_message(np.array(values, np.float32))) == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize("make", [to.vector_message, to.point_message])
@pytest.mark.parametrize("values", [(1.0, 2.0), (1.0, 2.0, 3.0, 4.0)])
def test_three_numbers_make_a_vector_and_no_others(make, values) -> None:
    with pytest.raises(ValueError, match="values to unpack"):
        make(values)


@given(VECTORS, ROTATION_VECTORS)
def test_a_pose_comes_back_from_either_message(position_m, rotation_rad) -> None:
    pose = pose_of.from_vector(position_m, rotation_rad)
    np.testing.assert_allclose(pose_in("pose", to.pose_message(pose)), pose, atol=1e-9)
    stamped = to.base_pose_message(pose, Time(sec=3))
    assert stamped.header == Header(frame_id=BASE_FRAME, stamp=Time(sec=3)) and stamped.pose == to.pose_message(pose)


@given(st.lists(st.tuples(VECTORS, ROTATION_VECTORS), min_size=1, max_size=4))
def test_many_transforms_are_made_at_once_and_each_comes_back(rows) -> None:
    poses = np.stack([pose_of.from_vector(position, rotation) for position, rotation in rows])
    parents, children = [f"p{i}" for i in range(len(rows))], [f"c{i}" for i in range(len(rows))]
    messages = to.transform_messages(parents, children, poses, Time(nanosec=7))
    assert [(m.header.frame_id, m.child_frame_id) for m in messages] == list(zip(parents, children, strict=True))
    for message, pose in zip(messages, poses, strict=True):
        assert message.header.stamp.nanosec == 7
        found = rigid_pose("child", message.transform.translation, message.transform.rotation)
        np.testing.assert_allclose(found, pose, atol=1e-9)


def test_as_many_frames_as_poses() -> None:
    with pytest.raises(ValueError, match="zip"):
        to.transform_messages(["a"], ["b", "c"], np.stack([np.eye(4)] * 2), Time())


@given(st.permutations(list(range(9))))
def test_joints_are_found_by_name_in_any_order(order: list[int]) -> None:
    names = [*JOINT_NAMES, "drive_joint", "another"]
    found = to.arm_joints_of([names[i] for i in order], [float(i) for i in order])
    assert found is not None and found.tolist() == list(range(7))


@pytest.mark.parametrize("missing", JOINT_NAMES)
def test_an_arm_that_lacks_a_joint_has_no_positions(missing: str) -> None:
    names = [name for name in JOINT_NAMES if name != missing]
    assert to.arm_joints_of(names, [0.0] * 6) is None


def test_a_joint_without_a_value_has_no_position() -> None:
    assert to.arm_joints_of(JOINT_NAMES, [0.0] * 6) is None


@pytest.mark.parametrize(("model", "coefficients"), [("plumb_bob", 5), ("equidistant", 4)])
def test_a_camera_says_its_lens_twice_alike(model: str, coefficients: int) -> None:
    matrix_px = np.array([[90.0, 0.0, 63.5], [0.0, 91.0, 62.5], [0.0, 0.0, 1.0]])
    info = to.camera_info_message(matrix_px, (128, 96), model, Header(frame_id="camera"))
    assert (info.width, info.height, info.header.frame_id) == (128, 96, "camera")
    assert list(info.d) == [0.0] * coefficients
    np.testing.assert_array_equal(np.reshape(info.k, (3, 3)), matrix_px)
    np.testing.assert_array_equal(np.reshape(info.p, (3, 4))[:, :3], matrix_px)
    np.testing.assert_array_equal(np.reshape(info.r, (3, 3)), np.eye(3))


def test_a_measured_distortion_is_passed_on() -> None:
    info = to.camera_info_message(np.eye(3), (1, 1), "equidistant", Header(), [0.1, -0.2, 0.3, -0.4])
    assert list(info.d) == [0.1, -0.2, 0.3, -0.4]


def test_a_lens_that_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError):
        to.camera_info_message(np.eye(3), (1, 1), "rational", Header())
