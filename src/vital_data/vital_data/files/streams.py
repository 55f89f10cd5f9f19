"""What a recording holds: its topics, what their numbers are relative to, and one topic as arrays."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vital_core.arm.xarm7 import BASE_FRAME, TCP_FRAME

IMAGE_TOPIC = "/wrist_camera/image_raw"
TACTILE_TOPIC = "/anyskin/tactile"
JOINT_TOPIC = "/joint_states"
POSE_TOPIC = "/vital/tcp_pose"
TARGET_TOPIC = "/vital/tcp_target"
INTENDED_TOPIC = "/vital/tcp_intended"
DEMONSTRATED_TOPIC = "/vital/tcp_demonstrated"
COMMAND_TOPIC = "/vital/command"
GATE_TOPIC = "/vital/gate_state"
# Where the wrist image shows gripper, held object or target; from a simulation, stamped as the image.
FOREGROUND_TOPIC = "/sim/wrist_foreground"
# Frame in which the numbers of a topic are given.
POSE_TOPICS = (POSE_TOPIC, TARGET_TOPIC, INTENDED_TOPIC, DEMONSTRATED_TOPIC)
FRAMES = {**dict.fromkeys(POSE_TOPICS, BASE_FRAME), COMMAND_TOPIC: TCP_FRAME}
# Type that the messages of a topic are of.
TYPES = {
    **dict.fromkeys((IMAGE_TOPIC, FOREGROUND_TOPIC), "sensor_msgs/msg/Image"),
    TACTILE_TOPIC: "vital_interfaces/msg/TactileArray",
    JOINT_TOPIC: "sensor_msgs/msg/JointState",
    **dict.fromkeys(POSE_TOPICS, "geometry_msgs/msg/PoseStamped"),
    COMMAND_TOPIC: "vital_interfaces/msg/EndEffectorDelta",
    GATE_TOPIC: "vital_interfaces/msg/GateState",
}

FRAME_RATE_HZ = 30.0
RATE_TOLERANCE = 0.1
# A camera on a coarse clock comes at 30, 30 and 40 ms by turns.
RATE_SPAN = 6

NS_PER_S = 1_000_000_000
Stamps = NDArray[np.int64]  # (n,) ns, ROS time


@dataclass(frozen=True)
class Stream:
    """One topic of n messages."""

    stamps_ns: Stamps
    """(n,) header stamps, or log times where a type has no header."""
    values: dict[str, NDArray]
    """Arrays of n rows by name, see `stream_values`."""
    frame: str = ""
    """The header's frame."""
    log_ns: Stamps = field(default_factory=lambda: np.empty(0, np.int64))
    """(n,) when each was recorded; empty for a stream that is not from a recording."""

    def __len__(self) -> int:
        return len(self.stamps_ns)


def median_rate_hz(stamps_ns: Stamps) -> float:
    """Rate of a stream by the median time that six intervals take; 0 for fewer than two samples."""
    if len(stamps_ns) < 2:
        return 0.0
    span = min(RATE_SPAN, len(stamps_ns) - 1)
    interval_ns = float(np.median(stamps_ns[span:] - stamps_ns[:-span])) / span
    return NS_PER_S / interval_ns if interval_ns > 0 else float("inf")
