"""Rigid-body poses as (4, 4) float64 matrices, metres and radians.

``t_a_b`` is the pose of frame b in frame a, so ``t_a_c = t_a_b @ t_b_c``.
A delta in the TCP frame moves ``t_base_tcp`` to ``t_base_tcp @ from_vector(translation, rotation)``.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Pose = NDArray[np.float64]  # (4, 4)

_IDENTITY = np.eye(4)
_YZX, _ZXY = np.array([1, 2, 0]), np.array([2, 0, 1])
RIGID = 1e-9
"""How far a matrix may be from a rotation before it is made one."""


def cross(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """(..., 3) cross product of (..., 3) vectors, to the bit as `np.cross`, which takes ten times as long for a few."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return a[..., _YZX] * b[..., _ZXY] - a[..., _ZXY] * b[..., _YZX]


def rotation_matrix(rotation_rad: ArrayLike) -> NDArray[np.float64]:
    """(3, 3) of a rotation vector (3,) in rad: 1 + sin(a)/a K + (1 - cos(a))/a^2 K^2, K its cross product."""
    x, y, z = (float(v) for v in np.asarray(rotation_rad, dtype=float))
    angle = math.sqrt(x * x + y * y + z * z)
    s = math.sin(angle) / angle if angle > 0.0 else 1.0
    half = math.sin(0.5 * angle) / (0.5 * angle) if angle > 0.0 else 1.0
    c = 0.5 * half * half  # without the difference of nearly equal numbers
    return np.array(
        [
            [1.0 - c * (y * y + z * z), c * x * y - s * z, c * x * z + s * y],
            [c * x * y + s * z, 1.0 - c * (x * x + z * z), c * y * z - s * x],
            [c * x * z - s * y, c * y * z + s * x, 1.0 - c * (x * x + y * y)],
        ]
    )


def rotation_vector(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) rotation vector in rad, |rotation| <= pi, of a (3, 3) rotation, by way of its quaternion (Shepperd 1978).

    One that is not quite a rotation is taken for the nearest; raises ValueError for what is none.
    """
    m = matrix.tolist()
    trace = m[0][0] + m[1][1] + m[2][2]
    # Of the quaternion's four parts, times 4, the largest: no difference of nearly equal numbers decides.
    w, largest = trace, max((0, 1, 2), key=lambda axis: m[axis][axis])
    q = [0.0, 0.0, 0.0]
    if trace >= m[largest][largest]:
        q = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]]
        w = most = 1.0 + trace
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        q[i] = most = 1.0 - trace + 2.0 * m[i][i]
        q[j], q[k], w = m[j][i] + m[i][j], m[k][i] + m[i][k], m[k][j] - m[j][k]
    across = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2])
    if not abs(across * across + w * w - 4.0 * most) <= RIGID:
        return Rotation.from_matrix(matrix).as_rotvec()
    if w < 0.0:
        q, w = [-part for part in q], -w
    scale = 2.0 * math.atan2(across, w) / across if across > 0.0 else 0.0
    return np.array([scale * part for part in q])


def from_vector(translation_m: ArrayLike, rotation_rad: ArrayLike) -> Pose:
    """Pose from a translation (3,) in m and a rotation vector (3,) in rad."""
    pose = _IDENTITY.copy()
    pose[:3, :3] = rotation_matrix(rotation_rad)
    pose[:3, 3] = translation_m
    return pose


def to_vector(pose: Pose) -> NDArray[np.float64]:
    """(6,): translation in m, then rotation vector in rad, |rotation| <= pi. Inverse of `from_vector`."""
    return np.concatenate([pose[:3, 3], rotation_vector(pose[:3, :3])])


def from_quaternion(translation_m: ArrayLike, quaternion_xyzw: ArrayLike) -> Pose:
    """Pose from a translation (3,) in m and a unit quaternion (4,), x y z w as in ROS."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(np.asarray(quaternion_xyzw, dtype=float)).as_matrix()
    pose[:3, 3] = translation_m
    return pose


def to_quaternion(pose: Pose) -> NDArray[np.float64]:
    """(4,) unit quaternion x y z w of the pose's rotation; (n, 4) for (n, 4, 4) poses."""
    return Rotation.from_matrix(pose[..., :3, :3]).as_quat()


def from_rpy(translation_m: ArrayLike, rpy_rad: ArrayLike) -> Pose:
    """Pose from a translation (3,) in m and URDF roll, pitch, yaw (3,) in rad (fixed axes x, y, z)."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", np.asarray(rpy_rad, dtype=float)).as_matrix()
    pose[:3, 3] = translation_m
    return pose


def inverse(pose: Pose) -> Pose:
    """Inverse of a rigid pose."""
    result = _IDENTITY.copy()
    result[:3, :3] = pose[:3, :3].T
    result[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return result


def distance(a: Pose, b: Pose) -> tuple[float, float]:
    """Translation distance in m and rotation angle in rad between two poses."""
    delta = to_vector(inverse(a) @ b)
    return float(np.linalg.norm(delta[:3])), float(np.linalg.norm(delta[3:]))


def interpolate(a: Pose, b: Pose, fraction: float) -> Pose:
    """Pose at ``fraction`` of the screw-free way from a to b (0 gives a, 1 gives b)."""
    delta = to_vector(inverse(a) @ b)
    return a @ from_vector(fraction * delta[:3], fraction * delta[3:])


def on_surface(origin_m: ArrayLike, normal: ArrayLike, yaw_rad: float = 0.0) -> Pose:
    """Frame at an origin (3,) with z along a surface's unit normal (3,), turned about it by ``yaw_rad``.

    At yaw 0 it is the base's frame, turned the shortest way so that z is the normal, which must not point down.
    """
    z = np.asarray(normal, dtype=float)
    across = np.cross([0.0, 0.0, 1.0], z)
    size = float(np.linalg.norm(across))
    turn = across / size * np.arctan2(size, z[2]) if size > 1e-12 else np.zeros(3)
    return from_vector(origin_m, turn) @ from_vector(np.zeros(3), (0.0, 0.0, yaw_rad))


def leaning(tilt_rad: float, towards_rad: float) -> NDArray[np.float64]:
    """(3,) unit vector that leans from the vertical by an angle, towards a direction about z (0: towards x)."""
    across = np.sin(tilt_rad)
    return np.array([across * np.cos(towards_rad), across * np.sin(towards_rad), np.cos(tilt_rad)])


def point_down(position_m: ArrayLike, yaw_rad: float = 0.0) -> Pose:
    """TCP pose at a base-frame position (3,) with z down; at yaw 0 the TCP's x axis is the base's x axis."""
    pose = np.eye(4)
    pose[:3, :3] = (Rotation.from_euler("z", yaw_rad) * Rotation.from_euler("x", np.pi)).as_matrix()
    pose[:3, 3] = position_m
    return pose
