"""The way a planned trajectory would take from where the arm is: checked whole before the gate says yes."""

import numpy as np

from vital_control.gate.arm import Arm
from vital_control.gate.trajectory_check import TrajectoryRequest, problem, to_trajectory
from vital_control.gate.verdict import Judgement, Verdict
from vital_control.motion.tracking import joined
from vital_core.arm.trajectory import Trajectory


def expired(request: TrajectoryRequest, ros_now_s: float) -> Judgement | None:
    """Why it comes too late to begin, or None."""
    late_s = ros_now_s - request.valid_until_s
    if late_s <= 0.0:
        return None
    return Judgement(Verdict.STALE, f"the trajectory came {late_s:.1f} s after its valid_until: plan it again")


def plan_trajectory(request: TrajectoryRequest, arm: Arm, now_s: float) -> Trajectory | Judgement:
    """From the commanded joints along the request, or why not."""
    commanded, _ = arm.commanded(now_s)
    limits = arm.limits
    plan = to_trajectory(request, commanded, limits)
    if isinstance(plan, Judgement):
        return plan
    motion = joined(plan, commanded, limits.blend_acceleration_rad_s2)
    return (
        _refuse_start(arm, plan, now_s)
        or problem(plan, limits, limits.max_joint_acceleration_rad_s2)
        or problem(motion, limits)
        or motion
    )


def _refuse_start(arm: Arm, plan: Trajectory, now_s: float) -> Judgement | None:
    """Why a trajectory cannot start where it does, or None."""
    if arm.moving(now_s):
        return Judgement(Verdict.START_MISMATCH, "the arm is still moving, expected rest: try again in 0.2 s")
    assert arm.measured is not None
    error, tolerance = np.abs(plan.positions_rad[0] - arm.measured), arm.limits.start_tolerance_rad
    joint = int(error.argmax())
    if error[joint] <= tolerance:
        return None
    return Judgement(
        Verdict.START_MISMATCH,
        f"first point has joint{joint + 1} at {plan.positions_rad[0, joint]:.3f} rad, the arm is at "
        f"{arm.measured[joint]:.3f}, at most {tolerance} apart allowed",
    )
