"""The way a planned trajectory would take from where the arm is: checked whole before the gate says yes."""

from vital_control.gate.arm import Arm
from vital_control.gate.trajectory_check import TrajectoryRequest, problem, to_trajectory
from vital_control.gate.verdict import Judgement, Verdict
from vital_control.gate.whereabouts import start_mismatch
from vital_control.motion.tracking import joined
from vital_control.motion.trajectory import Trajectory


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
        start_mismatch(arm, plan, now_s)
        or problem(plan, limits, limits.max_joint_acceleration_rad_s2)
        or problem(motion, limits)
        or motion
    )
