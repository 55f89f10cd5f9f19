"""From a TCP delta to joint waypoints: the one way in which an end-effector command becomes joint motion.

The command gate (on the robot) and the Gymnasium environment (in simulation) both call `joint_waypoints`, so
that a policy meets the same motion in both.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.pose import Pose

MAX_WAYPOINT_STEP_RAD = 0.25


def minimum_jerk(fraction: ArrayLike) -> NDArray[np.float64]:
    """Minimum-jerk progress 0..1 for a time fraction 0..1 (Flash and Hogan 1985)."""
    s = np.clip(np.asarray(fraction, dtype=float), 0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s**2)


def joint_waypoints(
    start_rad: ArrayLike, t_base_tcp_target: Pose, waypoints: int, *, smooth: bool = False
) -> NDArray[np.float64] | None:
    """(waypoints, 7) joint positions on the straight TCP path from ``start_rad`` to the target pose.

    Equal steps in time; linear progress (a stream of commands then has an even speed), or minimum jerk
    when ``smooth``. None when a waypoint is out of reach or a joint would jump by more than
    ``MAX_WAYPOINT_STEP_RAD`` (a singularity or a limit).
    """
    q = np.asarray(start_rad, dtype=float)
    start = kinematics.forward(q)
    way = pose_of.to_vector(pose_of.inverse(start) @ t_base_tcp_target)
    path = np.empty((waypoints, 7))
    for i in range(waypoints):
        fraction = (i + 1) / waypoints
        progress = float(minimum_jerk(fraction)) if smooth else fraction
        solution = kinematics.solve(start @ pose_of.from_vector(progress * way[:3], progress * way[3:]), q)
        if solution is None or np.abs(solution - q).max() > MAX_WAYPOINT_STEP_RAD:
            return None
        q = path[i] = solution
    return path
