"""Forward kinematics, Jacobian and damped least squares for the xArm 7 (numpy, no model files).

Joint positions are (7,) in rad, poses (4, 4) of `link_tcp` in `link_base` in m.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import FLANGE_TO_TCP_M, JOINTS, LOWER_RAD, UPPER_RAD
from vital_core.pose import Pose

_ORIGINS = np.stack([pose_of.from_rpy(j.xyz, j.rpy) for j in JOINTS])  # (7, 4, 4)
_EYE6, _EYE7 = np.eye(6), np.eye(7)
T_EEF_TCP = pose_of.from_vector((0.0, 0.0, FLANGE_TO_TCP_M), (0.0, 0.0, 0.0))


def link_transforms(joints_rad: ArrayLike) -> NDArray[np.float64]:
    """(7, 4, 4) pose of each of link1..link7 in the link before it, link1's in `link_base`."""
    q = np.asarray(joints_rad, dtype=float)[:, None]
    c, s = np.cos(q), np.sin(q)
    x, y = _ORIGINS[:, :, 0], _ORIGINS[:, :, 1]
    transforms = _ORIGINS.copy()
    transforms[:, :, 0] = c * x + s * y
    transforms[:, :, 1] = c * y - s * x
    return transforms


def link_poses(joints_rad: ArrayLike) -> NDArray[np.float64]:
    """(7, 4, 4) poses of link1..link7 in `link_base` (each after its own joint's rotation)."""
    poses = link_transforms(joints_rad)
    for i in range(1, 7):
        poses[i] = poses[i - 1] @ poses[i]
    return poses


def forward(joints_rad: ArrayLike) -> Pose:
    """Pose of `link_tcp` in `link_base`."""
    return link_poses(joints_rad)[-1] @ T_EEF_TCP


def tcp_positions(joints_rad: ArrayLike) -> NDArray[np.float64]:
    """(n, 3) TCP positions in `link_base`, m, for (n, 7) joint positions: `forward` for a whole path at once."""
    q = np.asarray(joints_rad, dtype=float).reshape(-1, 7)
    point = np.broadcast_to(T_EEF_TCP[:3, 3], (len(q), 3))
    for origin, angle in zip(_ORIGINS[::-1], q.T[::-1], strict=True):
        c, s = np.cos(angle), np.sin(angle)
        x, y, z = point.T
        point = np.stack([c * x - s * y, s * x + c * y, z], axis=1) @ origin[:3, :3].T + origin[:3, 3]
    return point


def jacobian(joints_rad: ArrayLike) -> NDArray[np.float64]:
    """(6, 7): TCP linear (m) and angular (rad) velocity per joint velocity, in the base frame at the TCP."""
    return _jacobian(links := link_poses(joints_rad), links[-1] @ T_EEF_TCP)


def _jacobian(links: NDArray[np.float64], t_base_tcp: Pose) -> NDArray[np.float64]:
    axes, arms = links[:, :3, 2], t_base_tcp[:3, 3] - links[:, :3, 3]
    return np.concatenate([pose_of.cross(axes, arms), axes], axis=1).T


def _error_twist(current: Pose, target: Pose) -> NDArray[np.float64]:
    """(6,): base-frame translation (m) and rotation vector (rad) that carry current to target."""
    turn = pose_of.rotation_vector(current[:3, :3].T @ target[:3, :3])
    return np.concatenate([target[:3, 3] - current[:3, 3], current[:3, :3] @ turn])


def solve(
    target: Pose,
    seed_rad: ArrayLike,
    *,
    posture_rad: ArrayLike | None = None,
    damping: float = 1e-3,
    iterations: int = 100,
    position_tolerance_m: float = 1e-5,
    rotation_tolerance_rad: float = 1e-4,
) -> NDArray[np.float64] | None:
    """Joint positions (7,) that reach ``target`` from ``seed_rad``, or None when no such point is found.

    Damped least squares (Nakamura and Hanafusa 1986) with the redundant motion drawn to ``posture_rad``
    (the seed when not given). The result lies within the joint limits.
    """
    q = np.clip(np.asarray(seed_rad, dtype=float), LOWER_RAD, UPPER_RAD)
    posture = q.copy() if posture_rad is None else np.asarray(posture_rad, dtype=float)
    for _ in range(iterations):
        links = link_poses(q)
        reached = links[-1] @ T_EEF_TCP
        error = _error_twist(reached, target)
        if math.hypot(*error[:3]) < position_tolerance_m and math.hypot(*error[3:]) < rotation_tolerance_rad:
            return q
        j = _jacobian(links, reached)
        pseudo_inverse = j.T @ np.linalg.inv(j @ j.T + damping**2 * _EYE6)
        step = pseudo_inverse @ error
        step += (_EYE7 - pseudo_inverse @ j) @ (0.1 * (posture - q))
        largest = np.abs(step).max()
        if largest > 0.3:
            step *= 0.3 / largest
        q = np.minimum(np.maximum(q + step, LOWER_RAD), UPPER_RAD)
    return None
