"""Rigid-body poses as (4, 4) float64 matrices, metres and radians.

``t_a_b`` is the pose of frame b in frame a, so ``t_a_c = t_a_b @ t_b_c``.
A delta in the TCP frame moves ``t_base_tcp`` to ``t_base_tcp @ from_vector(translation, rotation)``.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Pose = NDArray[np.float64]  # (4, 4)


def from_vector(translation_m: ArrayLike, rotation_rad: ArrayLike) -> Pose:
    """Pose from a translation (3,) in m and a rotation vector (3,) in rad."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(np.asarray(rotation_rad, dtype=float)).as_matrix()
    pose[:3, 3] = translation_m
    return pose


def to_vector(pose: Pose) -> NDArray[np.float64]:
    """(6,): translation in m, then rotation vector in rad, |rotation| <= pi. Inverse of `from_vector`."""
    return np.concatenate([pose[:3, 3], Rotation.from_matrix(pose[:3, :3]).as_rotvec()])


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
    result = np.eye(4)
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
