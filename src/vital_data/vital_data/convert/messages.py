"""Streams of arrays as the ROS messages that a recording holds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from vital_core.arm.xarm7 import BASE_FRAME, JOINT_NAMES, TCP_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_data.files import streams as topics
from vital_data.files.streams import JOINT_TOPIC, NS_PER_S, Stream
from vital_interfaces.msg import EndEffectorDelta, TactileArray
from vital_ros import image_message
from vital_ros.conversions import quaternion_pose_message, time_message, vector_message

WRIST_FRAME = "wrist_camera_optical_frame"
# A command of a converted data set that says nothing of its duration is taken to last one frame.
FRAME_S = 1.0 / topics.FRAME_RATE_HZ
VALID_S = 0.2

Fields = Mapping[str, Any]


def _header(frame: str, stamp_ns: int) -> Header:
    return Header(frame_id=frame, stamp=time_message(stamp_ns))


def _image(fields: Fields, stamp_ns: int, _: int) -> Any:
    return image_message.to_message(fields["image"], "rgb8", _header(WRIST_FRAME, stamp_ns))


def _foreground(fields: Fields, stamp_ns: int, _: int) -> Any:
    return image_message.to_message(fields["image"], "mono8", _header(WRIST_FRAME, stamp_ns))


def _tactile(fields: Fields, stamp_ns: int, _: int) -> TactileArray:
    field = np.asarray(fields["field_ut"], np.float32).ravel()
    baseline = np.asarray(fields["baseline_ut"], np.float32).ravel()
    message = TactileArray(header=_header(TCP_FRAME, stamp_ns), magnetometers=len(field) // 3)
    message.field_ut, message.baseline_ut = field.tolist(), baseline.tolist()
    message.valid = np.asarray(fields.get("valid", np.ones(len(field) // 3)), bool).tolist()
    message.baseline_id = int(fields.get("baseline_id", 1))
    return message


def _joints(fields: Fields, stamp_ns: int, _: int) -> JointState:
    position = [float(value) for value in fields["position_rad"]]
    return JointState(header=_header(BASE_FRAME, stamp_ns), name=list(JOINT_NAMES), position=position)


def _pose(fields: Fields, stamp_ns: int, _: int) -> PoseStamped:
    pose = quaternion_pose_message(fields["position_m"], fields["quaternion_xyzw"])
    return PoseStamped(header=_header(BASE_FRAME, stamp_ns), pose=pose)


def _command(fields: Fields, stamp_ns: int, number: int) -> EndEffectorDelta:
    return EndEffectorDelta(
        header=_header(TCP_FRAME, stamp_ns),
        owner=str(fields.get("owner", "teleop")),
        seq=int(fields.get("seq", number)),
        valid_until=time_message(stamp_ns + round(VALID_S * NS_PER_S)),
        duration_s=float(fields.get("duration_s", FRAME_S)),
        translation_m=vector_message(fields["translation_m"]),
        rotation_rad=vector_message(fields["rotation_rad"]),
        gripper=float(fields["gripper"]),
    )


MAKERS: dict[str, Callable[[Fields, int, int], Any]] = {
    topics.IMAGE_TOPIC: _image,
    topics.FOREGROUND_TOPIC: _foreground,
    topics.TACTILE_TOPIC: _tactile,
    JOINT_TOPIC: _joints,
    **dict.fromkeys(topics.POSE_TOPICS, _pose),
    topics.COMMAND_TOPIC: _command,
}


def messages_of(streams: Mapping[str, Stream]) -> Iterator[tuple[str, int, Any]]:
    """(topic, stamp ns, message) of all streams, in the order of their stamps. Raises VitalError(BAD_DATASET)."""
    if unknown := sorted(set(streams) - set(MAKERS)):
        raise VitalError(
            ErrorCode.BAD_DATASET, f"no message is known for {', '.join(unknown)}, expected {', '.join(MAKERS)}"
        )
    stamps = np.concatenate([stream.stamps_ns for stream in streams.values()])
    sizes = [len(stream.stamps_ns) for stream in streams.values()]
    which = np.repeat(np.arange(len(sizes)), sizes)
    row = np.concatenate([np.arange(size) for size in sizes])
    names = list(streams)
    for at in np.argsort(stamps, kind="stable"):
        topic, number = names[which[at]], int(row[at])
        fields = {name: values[number] for name, values in streams[topic].values.items()}
        yield topic, int(stamps[at]), MAKERS[topic](fields, int(stamps[at]), number)
