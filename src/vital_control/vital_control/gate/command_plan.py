"""The way an accepted command would take: planned and checked whole before the gate says yes."""

import numpy as np

from vital_control.gate.command_check import Command, judgement_on
from vital_control.gate.limits import Limits
from vital_control.gate.trajectory_check import problem
from vital_control.gate.verdict import Judgement, Verdict
from vital_control.motion.tracking import WAYPOINTS, arriving, flowing
from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.arm.trajectory import Array, Trajectory
from vital_core.arm.xarm7 import JOINT_NAMES, LOWER_RAD, UPPER_RAD
from vital_core.pose import Pose

ABRUPT = 2.5  # times the blend's acceleration: start, end and the path's own curvature come together


def plan_command(
    command: Command, measured_rad: Array, commanded_rad: Array, velocity_rad_s: Array, limits: Limits
) -> Trajectory | Judgement:
    """From the commanded state to the command's target, or why not.

    The motion flows on beyond the period where there is room, and comes to rest within it where there is not.
    """
    start, target = kinematics.forward(commanded_rad), kinematics.forward(measured_rad) @ command.action.delta_tcp
    refusal = judgement_on(limits.rules.refuse_motion(start, target, command.duration_s))
    if refusal is not None:
        return refusal
    waypoints = joint_waypoints(commanded_rad, target, WAYPOINTS)
    if waypoints is None:
        return _no_way(commanded_rad, start, target)
    flow = flowing(commanded_rad, velocity_rad_s, waypoints, command.duration_s, limits.blend_acceleration_rad_s2)
    abrupt = ABRUPT * limits.blend_acceleration_rad_s2
    refusal = problem(flow, limits, abrupt)
    if refusal is None:
        return flow
    arrive = arriving(commanded_rad, velocity_rad_s, waypoints[-1], command.duration_s)
    return arrive if problem(arrive, limits, abrupt) is None else refusal


def _no_way(joints_rad: Array, start: Pose, target: Pose) -> Judgement:
    """What stood in the way: a joint whose range the direct way would leave, or the arm's geometry."""
    delta, turn = pose_of.to_vector(pose_of.inverse(start) @ target), start[:3, :3]
    twist = np.concatenate([turn @ delta[:3], turn @ delta[3:]])
    direct = joints_rad + np.linalg.pinv(kinematics.jacobian(joints_rad), rcond=0.01) @ twist
    beyond = np.maximum(LOWER_RAD - direct, direct - UPPER_RAD)
    joint = int(beyond.argmax())
    at = ", ".join(f"{v:.3f}" for v in target[:3, 3])
    if beyond[joint] > 0.0:
        return Judgement(
            Verdict.JOINT_LIMIT,
            f"no way to ({at}) m: {JOINT_NAMES[joint]} would be at {direct[joint]:.3f} rad, "
            f"its range is {LOWER_RAD[joint]:.3f} to {UPPER_RAD[joint]:.3f}",
        )
    return Judgement(Verdict.UNREACHABLE, f"no smooth way of the arm to ({at}) m in link_base was found")
