"""Depth images of a table with boxes on it, made by intersecting each line of sight; no renderer."""

import numpy as np
from numpy.typing import ArrayLike

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_vlm_reach.localisation.camera import Camera


def depth_of(things, camera: Camera, t_base_camera: np.ndarray) -> np.ndarray:
    """(H, W) uint16 mm of a table at height 0 and `Obstacle`s on it, without noise."""
    rays = camera.rays() @ t_base_camera[:3, :3].T
    origin = t_base_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(rays[..., 2] < 0, -origin[2] / rays[..., 2], np.inf)
        for thing in things:
            half = np.array(thing.size_m) / 2
            ends = np.stack([(thing.centre_m - half - origin) / rays, (thing.centre_m + half - origin) / rays])
            enter, leave = ends.min(axis=0).max(axis=-1), ends.max(axis=0).min(axis=-1)
            depth = np.where((enter <= leave) & (enter > 0) & (enter < depth), enter, depth)
    return np.where(depth < 4.0, np.rint(1000 * depth), 0).astype(np.uint16)


def upright(target_m: ArrayLike) -> Pose:
    """Frame of a target (3,) in `link_base` that is neither tilted nor turned."""
    return pose_of.from_vector(target_m, np.zeros(3))
