"""From a TCP target to arm motion in the world: the same law as the command gate's."""

import numpy as np

from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.pose import Pose
from vital_sim.world.world import World

WAYPOINT_PERIOD_S = 0.042
COMMAND_PERIOD_S = 0.0084


def track(world: World, t_base_tcp_target: Pose, duration_s: float) -> bool:
    """Move towards a TCP target for ``duration_s``; False when it is out of reach (the arm then stands still).

    The straight path from the last commanded joints is spread evenly over the duration, and a joint command
    is given every `COMMAND_PERIOD_S`.
    """
    waypoints = max(1, round(duration_s / WAYPOINT_PERIOD_S))
    start = world.commanded_joints
    path = joint_waypoints(start, t_base_tcp_target, waypoints)
    if path is None:
        world.advance(duration_s)
        return False
    knots = np.vstack([start, path])
    commands = max(waypoints, round(duration_s / COMMAND_PERIOD_S))
    for i in range(commands):
        along = (i + 1) / commands * waypoints
        left = min(int(along), waypoints - 1)
        world.command_joints(knots[left] + (along - left) * (knots[left + 1] - knots[left]))
        world.advance(duration_s / commands)
    return True
