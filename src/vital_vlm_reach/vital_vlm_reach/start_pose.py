"""The start pose of the local policy: sampled in the hover region above the target, pointing down, turned as it is."""

import numpy as np
from numpy.typing import ArrayLike

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import Task

CENTRE_SEED = -1


def sample_start_pose(task: Task, target_m: ArrayLike, seed: int, yaw_rad: float = 0.0) -> Pose:
    """TCP pose in `link_base`: uniform in the task's start region, z down; region and hand are turned as the target.

    target_m: (3,) of the target, in `link_base`. yaw_rad: its turn about the vertical.

    ``seed`` -1 gives the centre of the region. Raises VitalError(BAD_PARAMETER) for a point that is not finite
    or another negative seed.
    """
    target = np.asarray(target_m, dtype=float)
    if target.shape != (3,) or not np.isfinite(target).all():
        raise VitalError(ErrorCode.BAD_PARAMETER, f"the point is {target.tolist()}, expected three finite values in m")
    if seed < CENTRE_SEED:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"the seed is {seed}, expected 0 or more, or -1 for the centre")
    offset = np.zeros(3)
    if seed != CENTRE_SEED:
        half = np.array(task.start_region_m) / 2
        offset = np.random.default_rng(seed).uniform(-half, half)
    t_base_target = pose_of.from_vector(target, (0.0, 0.0, yaw_rad))
    return t_base_target @ pose_of.point_down(offset + task.start_centre_m)
