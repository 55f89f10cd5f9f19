"""From a TCP target to arm motion: the same law as the command gate's."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.pose import Pose

WAYPOINT_PERIOD_S = 0.042
COMMAND_PERIOD_S = 0.0084


class Arm(Protocol):
    """What is driven: a world."""

    @property
    def commanded_joints(self) -> NDArray[np.float64]:
        """(7,) last joint command, rad."""

    def command_joints(self, joints_rad: ArrayLike) -> None:
        """Joint target (7,), rad."""

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


def way_to(arm: Arm, t_base_tcp_target: Pose, duration_s: float) -> NDArray[np.float64] | None:
    """(n, 7) joints of the straight TCP path from the last commanded joints to the target; None: out of reach."""
    waypoints = max(1, round(duration_s / WAYPOINT_PERIOD_S))
    start = arm.commanded_joints
    path = joint_waypoints(start, t_base_tcp_target, waypoints)
    return None if path is None else np.vstack([start, path])


def track(arm: Arm, t_base_tcp_target: Pose, duration_s: float) -> bool:
    """Move towards a TCP target for ``duration_s``; False when it is out of reach (the arm then stands still)."""
    way = way_to(arm, t_base_tcp_target, duration_s)
    if way is None:
        arm.advance(duration_s)
        return False
    follow(arm, way, duration_s)
    return True


def follow(arm: Arm, knots: NDArray[np.float64], duration_s: float) -> None:
    """Spread a way (n, 7) evenly over the duration; a joint command is given every `COMMAND_PERIOD_S`."""
    waypoints = len(knots) - 1
    commands = max(waypoints, round(duration_s / COMMAND_PERIOD_S))
    for i in range(commands):
        along = (i + 1) / commands * waypoints
        left = min(int(along), waypoints - 1)
        arm.command_joints(knots[left] + (along - left) * (knots[left + 1] - knots[left]))
        arm.advance(duration_s / commands)
