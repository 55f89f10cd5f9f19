"""What each message type gives to a stream: arrays with names that carry unit and frame."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import MAGNETOMETERS

UNIT_TOLERANCE = 1e-3
CHANNELS = {"rgb8": 3, "mono8": 1}
Columns = dict[str, Any]  # a type's fields by dotted name, see `ros_messages`
Values = dict[str, NDArray]


def _refuse(what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_RECORDING, what)


def _vectors(columns: Columns, name: str) -> NDArray[np.float64]:
    """(n, 3) of a geometry_msgs/Vector3 or Point."""
    return np.stack([columns[f"{name}.{axis}"] for axis in "xyz"], axis=1)


def _image(columns: Columns, rows: int) -> Values:
    """image (n, H, W, 3) or, of one channel, (n, H, W) uint8, a view of the messages' own bytes."""
    if (encoding := columns["encoding"]) not in CHANNELS:
        raise _refuse(f"image has encoding '{encoding}', expected one of {', '.join(CHANNELS)}")
    channels = CHANNELS[encoding]
    height, width, step = (np.unique(columns[name]) for name in ("height", "width", "step"))
    data = columns["data"]
    if not len(height) == len(width) == len(step) == 1 or data.shape[1] != height[0] * step[0]:
        raise _refuse(f"image of {width}x{height} has {data.shape[1]} bytes in steps of {step}")
    if step[0] != channels * width[0]:
        data = data.reshape(rows, height[0], step[0])[:, :, : channels * width[0]]
    shape = (rows, height[0], width[0], 3) if channels == 3 else (rows, height[0], width[0])
    return {"image": data.reshape(shape)}


def _tactile(columns: Columns, rows: int) -> Values:
    """field_ut (n, 5, 3) and baseline_ut (n, 5, 3) float32, NaN before a baseline; valid (n, 5); baseline_id (n,)."""
    field, baseline, valid = columns["field_ut"], columns["baseline_ut"], columns["valid"]
    if field.shape[1] != 3 * MAGNETOMETERS or valid.shape[1] != MAGNETOMETERS:
        raise _refuse(f"tactile reading has {field.shape[1]} values, expected {3 * MAGNETOMETERS}")
    if not baseline.shape[1]:
        baseline = np.full_like(field, np.nan)
    return {
        "field_ut": field.reshape(rows, MAGNETOMETERS, 3),
        "baseline_ut": baseline.reshape(rows, MAGNETOMETERS, 3),
        "valid": valid,
        "baseline_id": columns["baseline_id"],
    }


def _joints(columns: Columns, rows: int) -> Values:
    """position_rad (n, 7) of joint1 to joint7, and velocity_rad_s where there is one."""
    names = list(columns["name"])
    if missing := sorted(set(JOINT_NAMES) - set(names)):
        raise _refuse(f"joint states lack {', '.join(missing)}")
    order = [names.index(name) for name in JOINT_NAMES]
    values = {"position_rad": columns["position"][:, order]}
    if columns["velocity"].shape[1] == len(names):
        values["velocity_rad_s"] = columns["velocity"][:, order]
    return values


def pose_matrices(position_m: NDArray[np.float64], quaternion_xyzw: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4, 4) poses from (n, 3) and (n, 4); NaN where the quaternion is not of unit length."""
    poses = np.tile(np.eye(4), (len(position_m), 1, 1))
    poses[:, :3, 3] = position_m
    sound = np.abs(np.linalg.norm(quaternion_xyzw, axis=1) - 1.0) < UNIT_TOLERANCE
    poses[sound, :3, :3] = Rotation.from_quat(quaternion_xyzw[sound]).as_matrix()
    poses[~sound] = np.nan
    return poses


def pose_values(position_m: NDArray[np.float64], quaternion_xyzw: NDArray[np.float64]) -> Values:
    """A pose stream's values: as recorded, and as matrices."""
    matrices = pose_matrices(position_m, quaternion_xyzw)
    return {"t_base_tcp": matrices, "position_m": position_m, "quaternion_xyzw": quaternion_xyzw}


def values_of_matrices(t_base_tcp: NDArray[np.float64]) -> Values:
    """The same from (n, 4, 4) poses."""
    quaternion = Rotation.from_matrix(t_base_tcp[:, :3, :3]).as_quat()
    return {"t_base_tcp": t_base_tcp, "position_m": t_base_tcp[:, :3, 3], "quaternion_xyzw": quaternion}


def relative_vectors(t_a_b: NDArray[np.float64], t_a_c: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 6): pose of c in b as translation (m) and rotation vector (rad), from (n, 4, 4) poses of both in a."""
    r_b_a = t_a_b[:, :3, :3].transpose(0, 2, 1)
    translation = np.einsum("nij,nj->ni", r_b_a, t_a_c[:, :3, 3] - t_a_b[:, :3, 3])
    return np.concatenate([translation, Rotation.from_matrix(r_b_a @ t_a_c[:, :3, :3]).as_rotvec()], axis=1)


def _pose(columns: Columns, rows: int) -> Values:
    """t_base_tcp (n, 4, 4), and as recorded: position_m (n, 3), quaternion_xyzw (n, 4)."""
    quaternion = np.stack([columns[f"pose.orientation.{axis}"] for axis in "xyzw"], axis=1)
    return pose_values(_vectors(columns, "pose.position"), quaternion)


def _command(columns: Columns, rows: int) -> Values:
    """translation_m, rotation_rad (n, 3); gripper, duration_s, seq (n,); owner (n,) str."""
    return {
        "translation_m": _vectors(columns, "translation_m"),
        "rotation_rad": _vectors(columns, "rotation_rad"),
        "gripper": columns["gripper"],
        "duration_s": columns["duration_s"],
        "seq": columns["seq"],
        "owner": np.full(rows, columns["owner"], dtype=object),
    }


def _gate(columns: Columns, rows: int) -> Values:
    """mode, verdict, accepted, rejected, seq, holds, tactile_peak_ut (n,)."""
    names = ("mode", "verdict", "accepted", "rejected", "seq", "holds", "tactile_peak_ut")
    return {name: columns[name] for name in names}


EXTRACT: dict[str, Callable[[Columns, int], Values]] = {
    "sensor_msgs/msg/Image": _image,
    "vital_interfaces/msg/TactileArray": _tactile,
    "sensor_msgs/msg/JointState": _joints,
    "geometry_msgs/msg/PoseStamped": _pose,
    "vital_interfaces/msg/EndEffectorDelta": _command,
    "vital_interfaces/msg/GateState": _gate,
}


def stream_values(kind: str, groups: Sequence[tuple[NDArray[np.int64], Columns]], count: int) -> Values:
    """Arrays of ``count`` rows from a topic's groups: the rows' places, and their columns.

    Raises VitalError(BAD_RECORDING) where they do not fit.
    """
    extract = EXTRACT.get(kind)
    parts = [extract(columns, len(places)) if extract else {} for places, columns in groups]
    if len(parts) == 1:
        return parts[0]
    result: Values = {}
    for name in set.intersection(*(set(part) for part in parts)) if parts else ():
        shapes = {part[name].shape[1:] for part in parts}
        if len(shapes) > 1:
            raise _refuse(f"{name} changes its shape within the episode: {sorted(shapes)}")
        values = np.empty((count, *shapes.pop()), parts[0][name].dtype)
        for (places, _), part in zip(groups, parts, strict=True):
            values[places] = part[name]
        result[name] = values
    return result
