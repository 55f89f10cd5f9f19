"""What is kept of a message that came as bytes, what is recorded of the TCP, and what the recorder says of itself."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import BASE_FRAME, HOME_RAD
from vital_core.command_rules import BOX_MARGIN_M
from vital_core.errors import ErrorCode, VitalError
from vital_data.files.ros_messages import type_name
from vital_data.files.streams import TYPES
from vital_data.recording.quality import StreamReport
from vital_data.recording.recorded_topics import (
    COMMAND,
    JOINTS,
    POSE,
    TARGET,
    TOPICS,
    TcpPoses,
    box_of,
    delta_of,
    pose_bytes,
    reader_of,
)
from vital_data.recording.recording_state import FAULTS, state_message
from vital_data.recording.versions import software_versions
from vital_interfaces.msg import EndEffectorDelta, GateState, RecordingState

STAMP = Time(sec=12, nanosec=345)
numbers = st.tuples(*[st.floats(-2.0, 2.0)] * 3)
poses = st.builds(pose_of.from_vector, numbers, numbers)


def command(translation=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.0), token: int = 77) -> EndEffectorDelta:
    message = EndEffectorDelta(header=Header(stamp=STAMP), owner="teleop", token=token, seq=5, gripper=1.0)
    t, r = message.translation_m, message.rotation_rad
    (t.x, t.y, t.z), (r.x, r.y, r.z) = translation, rotation
    return message


@given(numbers, numbers, st.integers(1, 2**32 - 1))
def test_recorded_command_is_the_command_without_what_proves_who_sent_it(translation, rotation, token):
    message = command(translation, rotation, token)
    kept, stamp, target = reader_of(COMMAND, EndEffectorDelta, delta_of)(bytes(serialize_message(message)))
    back = deserialize_message(kept, EndEffectorDelta)
    assert back.token == 0 and stamp == STAMP
    message.token = 0
    assert back == message
    np.testing.assert_array_equal(target, pose_of.from_vector(translation, rotation))


def test_other_messages_are_kept_byte_by_byte():
    data = bytes(serialize_message(JointState(header=Header(stamp=STAMP), name=["a"], position=[1.0])))
    kept, stamp, names = reader_of(JOINTS, JointState, lambda m: list(m.name))(data)
    assert (kept, stamp, names) == (data, STAMP, ["a"])


@pytest.mark.parametrize("end", [0, 1, 4, 8, 20, 40])
def test_bytes_that_are_no_message_are_refused_with_how_many_came(end):
    data = bytes(serialize_message(command()))[:end]
    with pytest.raises(VitalError, match=f"{end} bytes came that are no EndEffectorDelta") as refusal:
        reader_of(COMMAND, EndEffectorDelta, delta_of)(data)
    assert refusal.value.code is ErrorCode.BAD_MESSAGE


@pytest.mark.parametrize(
    ("translation", "rotation", "words"),
    [
        ((float("nan"), 0.0, 0.0), (0.0, 0.0, 0.0), "translation, m,"),
        ((0.0, 1e7, 0.0), (0.0, 0.0, 0.0), "translation, m,"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 7.0), "rotation, rad,"),
        ((0.0, 0.0, 0.0), (float("inf"), 0.0, 0.0), "rotation, rad,"),
    ],
)
def test_command_that_leads_nowhere_is_refused(translation, rotation, words):
    with pytest.raises(VitalError, match=words) as refusal:
        delta_of(command(translation, rotation))
    assert refusal.value.code is ErrorCode.BAD_MESSAGE


def test_every_recorded_topic_is_of_the_type_that_its_readers_expect():
    recorded = {topic: type_name(kind) for topic, kind, _ in TOPICS}
    recorded |= dict.fromkeys((POSE, TARGET), type_name(PoseStamped))
    assert {topic: recorded[topic] for topic in TYPES} == TYPES


# The TCP.


class Put:
    """What was put, and whether there is a recording."""

    def __init__(self) -> None:
        self.recording = True
        self.rows: list[tuple[str, type, np.ndarray, Time]] = []
        self.poses = TcpPoses(self._put, lambda: self.recording)

    def _put(self, topic: str, kind: type, data: bytes, stamp: Time) -> None:
        message = deserialize_message(data, kind)
        assert message.header.frame_id == BASE_FRAME and message.header.stamp == stamp
        p, q = message.pose.position, message.pose.orientation
        pose = pose_of.from_quaternion((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
        self.rows.append((topic, kind, pose, stamp))


@given(st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=7), poses)
def test_target_is_the_commands_delta_from_the_pose_measured_when_it_came(joints, delta):
    put = Put()
    put.poses.on_joints(np.array(joints), STAMP)
    put.poses.on_command(delta, Time(sec=13))
    (measured, _, tcp, _), (target, _, goal, stamp) = put.rows
    assert (measured, target, stamp) == (POSE, TARGET, Time(sec=13))
    np.testing.assert_allclose(tcp, kinematics.forward(joints), atol=1e-9)
    np.testing.assert_allclose(goal, kinematics.forward(joints) @ delta, atol=1e-9)


def test_target_beyond_the_workspace_box_is_recorded_where_the_gate_brings_it():
    put, at = Put(), kinematics.forward(HOME_RAD)[:3, 3]
    gate = GateState()
    assert box_of(gate) is None, "no box was named"
    for corner, values in ((gate.workspace_lower_m, at - 0.01), (gate.workspace_upper_m, at + 0.2)):
        corner.x, corner.y, corner.z = values.tolist()
    put.poses.on_joints(HOME_RAD, STAMP)
    put.poses.on_gate(box_of(gate), STAMP)
    put.poses.on_command(pose_of.from_vector((0.0, 0.0, 0.03), (0.0, 0.0, 0.1)), STAMP)  # the tool's z is down
    goal = put.rows[-1][2]
    np.testing.assert_allclose(goal[:3, 3], at + np.array([0.0, 0.0, BOX_MARGIN_M - 0.01]), atol=1e-9)
    turned = kinematics.forward(HOME_RAD) @ pose_of.from_vector(np.zeros(3), (0.0, 0.0, 0.1))
    np.testing.assert_allclose(goal[:3, :3], turned[:3, :3], atol=1e-9)


def test_without_joints_a_command_has_no_target_and_outside_a_recording_nothing_is_put():
    put = Put()
    put.poses.on_command(np.eye(4), STAMP)
    assert put.rows == []
    put.recording = False
    put.poses.on_joints(HOME_RAD, STAMP)
    put.poses.on_command(np.eye(4), STAMP)
    assert put.rows == []
    put.recording = True
    put.poses.on_command(np.eye(4), STAMP)
    assert [row[0] for row in put.rows] == [TARGET], "the arm was measured before the recording began"


@given(poses)
def test_pose_survives_its_bytes(pose):
    message = deserialize_message(pose_bytes(pose, STAMP), PoseStamped)
    q = message.pose.orientation
    back = pose_of.from_quaternion(
        (message.pose.position.x, message.pose.position.y, message.pose.position.z), (q.x, q.y, q.z, q.w)
    )
    np.testing.assert_allclose(back, pose, atol=1e-9)


# The recorder's state.


@dataclass
class Recording:
    """A recorder as it is seen from outside."""

    recording: bool = True
    failure: BaseException | None = None
    folder: Path = Path("/data/session")
    task: str = "usb_insertion"
    episode: int = 4
    saved: int = 3
    duration_s: float = 1.5
    bytes: int = 2**40
    longest_wait_s: float = 0.02
    faults: list[str] = field(default_factory=lambda: ["CAMERA_DARK: 40 % of the images"])

    def streams(self) -> list[StreamReport]:
        return [StreamReport("/anyskin/tactile", 150, 99.5, 100.0, 2, 0.05)]


@pytest.mark.parametrize(
    ("recording", "failure", "code", "phase"),
    [
        (False, None, ErrorCode.OK, RecordingState.IDLE),
        (True, None, ErrorCode.OK, RecordingState.RECORDING),
        (False, None, ErrorCode.NOT_RECORDING, RecordingState.IDLE),
        (True, OSError("input/output error"), ErrorCode.OK, RecordingState.FAULT),
        *((running, None, code, RecordingState.FAULT) for code in FAULTS for running in (True, False)),
    ],
)
def test_phase_is_a_fault_when_something_could_not_be_written(recording, failure, code, phase):
    state = state_message(Recording(recording, failure), code, "told", STAMP)
    assert (state.phase, state.error_code, state.message) == (phase, int(code), "told")
    assert len(state.streams) == recording, "streams are told of while they are recorded"


def test_state_tells_session_episode_and_how_each_stream_comes():
    state = deserialize_message(serialize_message(state_message(Recording(), ErrorCode.OK, "", STAMP)), RecordingState)
    assert (state.session, state.task, state.episode, state.episodes_saved) == ("/data/session", "usb_insertion", 4, 3)
    assert (state.duration_s, state.bytes) == (1.5, 2**40) and state.header.stamp == STAMP
    assert state.longest_stall_s == pytest.approx(0.02) and list(state.faults) == ["CAMERA_DARK: 40 % of the images"]
    (stream,) = state.streams
    assert (stream.name, stream.received, stream.dropped) == ("/anyskin/tactile", 150, 2)
    assert (stream.rate_hz, stream.expected_hz) == (99.5, 100.0) and stream.longest_gap_s == pytest.approx(0.05)


def test_recording_says_what_software_made_it_wherever_it_is_run(monkeypatch, tmp_path):
    versions = software_versions()
    assert {"python", "numpy", "mcap", "commit"} <= set(versions) and all(versions.values())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert software_versions() == {**versions, "commit": "unknown"}, "no git is no fault"
