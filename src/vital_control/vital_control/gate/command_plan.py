"""The way an accepted command would take: planned and checked whole before the gate says yes."""

from dataclasses import dataclass

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
from vital_core.command_rules import Refusal
from vital_core.observation import Action
from vital_core.pose import Pose

ABRUPT = 2.5  # times the blend's acceleration: start, end and the path's own curvature come together


@dataclass(frozen=True)
class CommandPlan:
    """The way of a command, and what of the command it is."""

    way: Trajectory
    executed: Action
    """The command's action; where its target left the box, the one that ends on the box."""
    projected_m: float
    """How far the target was brought back; 0: it was in the box."""

    @property
    def judgement(self) -> Judgement:
        """What is answered once it has been issued."""
        if self.projected_m == 0.0:
            return Judgement(Verdict.ACCEPTED, "carried out", self.executed)
        text = f"carried out along the workspace box: its target was {1000 * self.projected_m:.1f} mm beyond"
        return Judgement(Verdict.ACCEPTED, text, self.executed, projected=True)


def plan_command(
    command: Command, measured_rad: Array, commanded_rad: Array, velocity_rad_s: Array, limits: Limits
) -> CommandPlan | Judgement:
    """From the commanded state to the command's target, brought onto the box where it leaves it; or why not."""
    start, measured = kinematics.forward(commanded_rad), kinematics.forward(measured_rad)
    admitted = limits.rules.admit_motion(start, measured @ command.action.delta_tcp, command.duration_s)
    if isinstance(admitted, Refusal):
        return judgement_on(admitted)
    way = _way(start, admitted.t_base_target, command, commanded_rad, velocity_rad_s, limits)
    if isinstance(way, Judgement):
        return way
    return CommandPlan(way, admitted.executed(command.action, measured), admitted.projected_m)


def _way(
    start: Pose, target: Pose, command: Command, commanded_rad: Array, velocity_rad_s: Array, limits: Limits
) -> Trajectory | Judgement:
    """From the commanded state to the target, or why not.

    The motion flows on beyond the period where there is room, and comes to rest within it where there is not.
    """
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
