"""ROS messages to and from the gate's own types. Nothing is decided here."""

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_control.gate.command_check import Command
from vital_control.gate.report import GateReport
from vital_control.gate.trajectory_check import TrajectoryRequest
from vital_core.arm.trajectory import Array, Trajectory
from vital_core.arm.xarm7 import GRIPPER_CLOSED_RAD, GRIPPER_JOINT, JOINT_NAMES
from vital_interfaces.action import ExecuteTrajectory
from vital_interfaces.msg import EndEffectorDelta, GateState, TactileArray
from vital_ros.conversions import array_of, duration_message, seconds, vector_message

GRIPPER_MOTION_S = 0.3


def command_of(message: EndEffectorDelta) -> Command:
    """The command in an EndEffectorDelta."""
    return Command(
        owner=message.owner,
        token=message.token,
        seq=message.seq,
        frame_id=message.header.frame_id,
        stamp_s=seconds(message.header.stamp),
        valid_until_s=seconds(message.valid_until),
        duration_s=message.duration_s,
        translation_m=array_of(message.translation_m),
        rotation_rad=array_of(message.rotation_rad),
        gripper=message.gripper,
    )


def request_of(goal: ExecuteTrajectory.Goal) -> TrajectoryRequest:
    """The request in a goal; positions are None when a row has not one value per joint."""
    message = goal.trajectory
    names = list(message.joint_names)
    positions = [list(p.positions) for p in message.points]
    velocities = [list(p.velocities) for p in message.points]
    without = not any(velocities)
    whole = all(len(row) == len(names) for row in positions + ([] if without else velocities))
    return TrajectoryRequest(
        owner=goal.owner,
        joint_names=names,
        times_s=np.array([seconds(p.time_from_start) for p in message.points]),
        positions_rad=np.array(positions, dtype=float) if whole else None,
        velocities_rad_s=None if without or not whole else np.array(velocities, dtype=float),
        token=goal.token,
        valid_until_s=seconds(goal.valid_until),
    )


def tactile_of(message: TactileArray) -> tuple[Array, NDArray[np.bool_], Array | None]:
    """field_ut (n, 3), valid (n,) and baseline_ut (n, 3) or None; without magnetometers when it does not add up."""
    field = np.array(message.field_ut, dtype=float)
    valid = np.array(message.valid, dtype=bool)
    baseline = np.array(message.baseline_ut, dtype=float)
    if field.size == 0 or field.size != 3 * valid.size:
        return np.empty((0, 3)), np.empty(0, dtype=bool), None
    return field.reshape(-1, 3), valid, baseline.reshape(-1, 3) if baseline.size == field.size else None


def arm_message(trajectory: Trajectory) -> JointTrajectory:
    """To be carried out from now on. The first knot is the present commanded state and is left out."""
    message = JointTrajectory(joint_names=list(JOINT_NAMES))
    rows = zip(trajectory.times_s, trajectory.positions_rad, trajectory.velocities_rad_s, strict=True)
    message.points = [
        JointTrajectoryPoint(positions=q.tolist(), velocities=v.tolist(), time_from_start=duration_message(float(t)))
        for t, q, v in list(rows)[1:]
    ]
    return message


def gripper_message(closed: float) -> JointTrajectory:
    """For 0 (open) to 1 (closed); a little beyond either means the stroke's end."""
    target = GRIPPER_CLOSED_RAD * float(np.clip(closed, 0.0, 1.0))
    point = JointTrajectoryPoint(
        positions=[target], velocities=[0.0], time_from_start=duration_message(GRIPPER_MOTION_S)
    )
    return JointTrajectory(joint_names=[GRIPPER_JOINT], points=[point])


def state_message(gate: GateReport, stamp: Time) -> GateState:
    """The gate's state, as published."""
    task = gate.task
    message = GateState(
        mode=int(gate.mode),
        owner=gate.owner,
        seq=gate.last_judged_seq,
        verdict=int(gate.last.verdict),
        verdict_text=gate.last.text,
        stop_code=int(gate.stop_code),
        stop_reason=gate.stop_reason,
        stop_number=gate.stop_number,
        hold_reason=gate.hold_reason,
        accepted=gate.accepted,
        rejected=gate.rejected,
        projected=gate.projected,
        holds=gate.holds,
        joint_state_age_s=gate.joint_state_age_s,
        tactile_age_s=gate.tactile_age_s,
        tactile_peak_ut=gate.tactile_peak_ut,
        tactile_limit_ut=task.tactile_limit_ut,
        max_step_m=task.max_step_m,
        max_step_rad=task.max_step_rad,
        workspace_lower_m=vector_message(task.workspace_lower_m),
        workspace_upper_m=vector_message(task.workspace_upper_m),
    )
    if gate.last.projected and gate.last.executed is not None:
        message.projected_last = True
        message.executed_translation_m = vector_message(gate.last.executed.translation_m)
    message.header.stamp = stamp
    message.header.frame_id = "link_base"
    return message
