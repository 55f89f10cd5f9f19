"""The start pose of the local policy: sampled in the hover region above the target, pointing at it, turned as it is."""

import numpy as np

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import Task

CENTRE_SEED = -1


def sample_start_pose(task: Task, t_base_target: Pose, seed: int) -> Pose:
    """TCP pose in `link_base`: uniform in the task's start region, z against the target's; both lie in its frame.

    t_base_target: the target's frame, z out of its surface (`Target.frame`).

    ``seed`` -1 gives the centre of the region. Raises VitalError(BAD_PARAMETER) for a frame that is not finite
    or another negative seed.
    """
    frame = np.asarray(t_base_target, dtype=float)
    if frame.shape != (4, 4) or not np.isfinite(frame).all():
        raise VitalError(ErrorCode.BAD_PARAMETER, f"the target's frame is {frame.tolist()}, expected a finite pose")
    if seed < CENTRE_SEED:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"the seed is {seed}, expected 0 or more, or -1 for the centre")
    offset = np.zeros(3)
    if seed != CENTRE_SEED:
        half = np.array(task.start_region_m) / 2
        offset = np.random.default_rng(seed).uniform(-half, half)
    return frame @ pose_of.point_down(offset + task.start_centre_m)
