"""Numbers to and from messages of ROS's own types; what must hold of a message is asked in `message_check`."""

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, PoseStamped, TransformStamped, Vector3
from geometry_msgs.msg import Pose as PoseMessage
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import BASE_FRAME, JOINT_NAMES
from vital_core.pose import Pose

NS_PER_S = 1_000_000_000
DISTORTION_COEFFICIENTS = {"plumb_bob": 5, "equidistant": 4}


def seconds(stamp: Time | Duration) -> float:
    """A stamp or a duration in s."""
    return float(stamp.sec + stamp.nanosec * 1e-9)


def duration_message(duration_s: float) -> Duration:
    """Duration of s, to the nearest ns."""
    whole_s, rest_ns = divmod(round(duration_s * NS_PER_S), NS_PER_S)
    return Duration(sec=whole_s, nanosec=rest_ns)


def time_message(stamp_ns: int) -> Time:
    """Time of ns since the epoch."""
    whole_s, rest_ns = divmod(int(stamp_ns), NS_PER_S)
    return Time(sec=whole_s, nanosec=rest_ns)


def array_of(vector: Vector3 | Point) -> NDArray[np.float64]:
    """(3,) x, y, z."""
    return np.array([vector.x, vector.y, vector.z])


def vector_message(values: ArrayLike) -> Vector3:
    """Vector3 of (3,)."""
    x, y, z = np.asarray(values, dtype=float).tolist()
    return Vector3(x=x, y=y, z=z)


def point_message(point_m: ArrayLike) -> Point:
    """Point of (3,), m."""
    x, y, z = np.asarray(point_m, dtype=float).tolist()
    return Point(x=x, y=y, z=z)


def pose_message(pose: Pose) -> PoseMessage:
    """Pose message of a (4, 4) pose."""
    return quaternion_pose_message(pose[:3, 3], pose_of.to_quaternion(pose))


def quaternion_pose_message(position_m: ArrayLike, quaternion_xyzw: ArrayLike) -> PoseMessage:
    """Pose message of a position (3,), m, and a unit quaternion (4,)."""
    message = PoseMessage(position=point_message(position_m))
    q = message.orientation
    q.x, q.y, q.z, q.w = np.asarray(quaternion_xyzw, dtype=float).tolist()
    return message


def base_pose_message(t_base: Pose, stamp: Time) -> PoseStamped:
    """A (4, 4) pose in `link_base`."""
    return PoseStamped(header=Header(frame_id=BASE_FRAME, stamp=stamp), pose=pose_message(t_base))


def transform_messages(
    parents: Sequence[str], children: Sequence[str], poses: NDArray[np.float64], stamp: Time
) -> list[TransformStamped]:
    """Transforms of the poses (n, 4, 4) of ``children`` in ``parents``."""
    messages = []
    quaternions, positions = pose_of.to_quaternion(poses).tolist(), poses[:, :3, 3].tolist()
    for parent, child, position, quaternion in zip(parents, children, positions, quaternions, strict=True):
        message = TransformStamped(header=Header(frame_id=parent, stamp=stamp), child_frame_id=child)
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = position
        r.x, r.y, r.z, r.w = quaternion
        messages.append(message)
    return messages


def arm_joints_of(names: Sequence[str], values: Sequence[float]) -> NDArray[np.float64] | None:
    """(7,) values of the arm's joints in their order, or None when one is not among ``names``."""
    value_of = dict(zip(names, values, strict=False))
    try:
        return np.array([value_of[name] for name in JOINT_NAMES])
    except KeyError:
        return None


def camera_info_message(
    matrix_px: NDArray[np.float64],
    size_px: tuple[int, int],
    model: str,
    header: Header,
    distortion: Sequence[float] | None = None,
) -> CameraInfo:
    """Calibration of a camera: intrinsics (3, 3), (width, height), model 'plumb_bob' or 'equidistant'.

    distortion: the model's coefficients; None for none. Raises KeyError for another model.
    """
    width_px, height_px = size_px
    info = CameraInfo(header=header, width=width_px, height=height_px, distortion_model=model)
    info.d = [0.0] * DISTORTION_COEFFICIENTS[model] if distortion is None else list(distortion)
    info.k = matrix_px.ravel().tolist()
    info.r = np.eye(3).ravel().tolist()
    info.p = np.hstack([matrix_px, np.zeros((3, 1))]).ravel().tolist()
    return info
