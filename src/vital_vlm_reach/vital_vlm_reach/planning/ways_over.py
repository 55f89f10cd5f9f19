"""Up, across and straight down: the way over what stands on a table."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.arm.kinematics import forward
from vital_core.pose import Pose

Array = NDArray[np.float64]

HEIGHT_STEP_M = 0.06
_POINTS = 6


def raised(t_base_tcp: Pose, height_m: float) -> Pose:
    """The same pose at another height over the base."""
    pose = t_base_tcp.copy()
    pose[2, 3] = height_m
    return pose


def ways_over(start_rad: Array, t_base_tcp_goal: Pose, top_m: float) -> Iterator[Array]:
    """(n, 7) waypoints each: straight up to a height, across, straight down to the goal; the lowest first.

    Only such as the arm can follow; whether they are free is not looked at. top_m: the highest that the TCP may be.
    """
    t_base_tcp_start = forward(start_rad)
    lowest = max(t_base_tcp_start[2, 3], t_base_tcp_goal[2, 3])
    for height in np.append(np.arange(lowest, top_m, HEIGHT_STEP_M), max(top_m, lowest)):
        turns = (raised(t_base_tcp_start, height), raised(t_base_tcp_goal, height), t_base_tcp_goal)
        way = _through(start_rad, turns)
        if way is not None:
            yield way


def _through(start_rad: Array, poses: tuple[Pose, ...]) -> Array | None:
    way = start_rad[None]
    for pose in poses:
        piece = joint_waypoints(way[-1], pose, _POINTS)
        if piece is None:
            return None
        way = np.vstack([way, piece])
    return way
