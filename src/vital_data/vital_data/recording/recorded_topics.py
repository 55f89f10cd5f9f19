"""Which topics are recorded, and what of a message that came as bytes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, JointState

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.command_rules import onto_box
from vital_core.pose import Pose
from vital_interfaces.msg import EndEffectorDelta, GateState, TactileArray, TeleopState
from vital_ros.conversions import array_of, base_pose_message
from vital_ros.message_check import FARTHEST_M, refusal, sound, within
from vital_ros.qos import EVERY, LAST_TEN

JOINTS, COMMAND, GATE = "/joint_states", "/vital/command", "/vital/gate_state"
POSE, TARGET = "/vital/tcp_pose", "/vital/tcp_target"
WorkspaceBox = tuple[NDArray[np.float64], NDArray[np.float64]]  # lower and upper corner (3,), link_base, m
TOPICS: tuple[tuple[str, type, QoSProfile], ...] = (
    ("/wrist_camera/image_raw", Image, qos_profile_sensor_data),
    ("/anyskin/tactile", TactileArray, qos_profile_sensor_data),
    (JOINTS, JointState, qos_profile_sensor_data),
    (COMMAND, EndEffectorDelta, EVERY),
    (GATE, GateState, LAST_TEN),
    ("/vital/teleop_state", TeleopState, EVERY),
    ("/vital/tcp_intended", PoseStamped, EVERY),
    ("/vital/tcp_demonstrated", PoseStamped, EVERY),
    ("/sim/wrist_foreground", Image, qos_profile_sensor_data),
)


def reader_of(topic: str, kind: type, value_of: Callable[[Any], Any]) -> Callable[[bytes], tuple[bytes, Any, Any]]:
    """What makes of the bytes that came: the bytes to keep, the stamp, and ``value_of`` the message."""

    def read(data: bytes) -> tuple[bytes, Any, Any]:
        message = whole_message(data, kind)
        sound(message)
        kept = without_token(bytes(data)) if topic == COMMAND else bytes(data)
        return kept, message.header.stamp, value_of(message)

    return read


def whole_message(data: bytes, kind: type) -> Any:
    """The message in the bytes that came. Raises VitalError(BAD_MESSAGE) when there is none."""
    try:
        return deserialize_message(data, kind)
    except RuntimeError as error:
        raise refusal(f"{len(data)} bytes came that are no {kind.__name__}, expected a whole message") from error


def delta_of(message: EndEffectorDelta) -> Pose:
    """A command's target in the measured TCP frame."""
    return pose_of.from_vector(
        within("translation, m,", array_of(message.translation_m), FARTHEST_M),
        within("rotation, rad,", array_of(message.rotation_rad), 2 * np.pi),
    )


def box_of(message: GateState) -> WorkspaceBox | None:
    """The workspace box in force; None where the gate names none."""
    lower = within("lower corner of the workspace, m,", array_of(message.workspace_lower_m), FARTHEST_M)
    upper = within("upper corner of the workspace, m,", array_of(message.workspace_upper_m), FARTHEST_M)
    return (lower, upper) if (lower < upper).all() else None


def without_token(data: bytes) -> bytes:
    """A command as it is recorded: what proves who sent it stays between the owner and the gate."""
    command: EndEffectorDelta = deserialize_message(data, EndEffectorDelta)
    command.token = 0
    return bytes(serialize_message(command))


class TcpPoses:
    """What is recorded of the TCP: where it is measured to be, and where a command sends it.

    ``put`` takes a topic, a message class, bytes and their stamp, while ``recording`` says so.
    """

    def __init__(self, put: Callable[[str, type, bytes, Any], None], recording: Callable[[], bool]) -> None:
        self._put, self._recording = put, recording
        self.t_base_tcp: Pose | None = None
        self._box: WorkspaceBox | None = None

    def on_joints(self, joints_rad: NDArray[np.float64], stamp: Any) -> None:
        """The measured TCP pose, of the same stamp as the joints (7,)."""
        self.t_base_tcp = kinematics.forward(joints_rad)
        self._put_pose(POSE, self.t_base_tcp, stamp)

    def on_gate(self, box: WorkspaceBox, _stamp: Any) -> None:
        """The workspace box in force."""
        self._box = box

    def on_command(self, t_tcp_target: Pose, stamp: Any) -> None:
        """Where a command sends the TCP: its delta from the pose measured when it came, brought back onto the workspace
        box where it leaves it, as the gate takes it."""
        if self.t_base_tcp is None:
            return
        target = self.t_base_tcp @ t_tcp_target
        if self._box is not None:
            target[:3, 3] = onto_box(self.t_base_tcp[:3, 3], target[:3, 3], *self._box)
        self._put_pose(TARGET, target, stamp)

    def _put_pose(self, topic: str, pose: Pose, stamp: Any) -> None:
        if self._recording():
            self._put(topic, PoseStamped, pose_bytes(pose, stamp), stamp)


def pose_bytes(pose: Pose, stamp: Any) -> bytes:
    """A TCP pose in the base frame as a PoseStamped's bytes."""
    return bytes(serialize_message(base_pose_message(pose, stamp)))
