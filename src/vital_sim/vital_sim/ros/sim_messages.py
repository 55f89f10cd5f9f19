"""What the simulation measures, as ROS messages."""

from typing import Any

import numpy as np
from control_msgs.msg import JointTrajectoryControllerState
from numpy.typing import NDArray
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core.arm.xarm7 import BASE_FRAME, GRIPPER_JOINT, JOINT_NAMES, TCP_FRAME
from vital_core.observation import MAGNETOMETERS
from vital_interfaces.msg import SceneReset, SimTruth, TactileArray
from vital_ros.conversions import pose_message, seconds
from vital_ros.message_check import pose_in, refusal, within
from vital_sim.ros.joint_trajectory import Points, read_points
from vital_sim.world.truth import Truth


def joint_message(positions: NDArray, velocities: NDArray, gripper_rad: float, stamp: Any) -> JointState:
    """Arm and gripper joints, rad and rad/s."""
    return JointState(
        header=Header(frame_id=BASE_FRAME, stamp=stamp),
        name=[*JOINT_NAMES, GRIPPER_JOINT],
        position=[*map(float, positions), gripper_rad],
        velocity=[*map(float, velocities), 0.0],
    )


def reference_message(positions: NDArray, velocities: NDArray, stamp: Any) -> JointTrajectoryControllerState:
    """Where the trajectory controller holds the arm, rad and rad/s, as joint_trajectory_controller says it."""
    reference = JointTrajectoryPoint(positions=positions.tolist(), velocities=velocities.tolist())
    return JointTrajectoryControllerState(
        header=Header(frame_id=BASE_FRAME, stamp=stamp), joint_names=list(JOINT_NAMES), reference=reference
    )


def reset_message(positions: NDArray, task: str, seed: int, episode: int, stamp: Any) -> SceneReset:
    """A new scene has put the arm to (7,) positions, rad."""
    return SceneReset(
        header=Header(frame_id=BASE_FRAME, stamp=stamp),
        task=task,
        seed=seed,
        episode=episode,
        joint_names=list(JOINT_NAMES),
        position_rad=positions.tolist(),
    )


def tactile_message(field_ut: NDArray, valid: bool, baseline_ut: NDArray, baseline_id: int, stamp: Any) -> TactileArray:
    """One tactile reading with the baseline in force."""
    return TactileArray(
        header=Header(frame_id=TCP_FRAME, stamp=stamp),
        magnetometers=MAGNETOMETERS,
        field_ut=field_ut.astype(np.float32).tolist(),
        valid=[valid] * MAGNETOMETERS,
        baseline_ut=baseline_ut.tolist(),
        baseline_id=baseline_id,
    )


def truth_message(truth: Truth, task: str, seed: int, episode: int, stamp: Any) -> SimTruth:
    """What the simulator knows."""
    return SimTruth(
        header=Header(frame_id=BASE_FRAME, stamp=stamp),
        task=task,
        seed=seed,
        episode=episode,
        success=bool(truth.success),
        depth_m=truth.depth_m,
        lateral_m=truth.lateral_m,
        travel_m=truth.travel_m,
        contact_force_n=truth.contact_force_n,
        penetration_m=truth.penetration_m,
        target=pose_message(truth.t_base_target),
        tip=pose_message(truth.t_base_tip),
        tcp=pose_message(truth.t_base_tcp),
        in_hand=pose_message(truth.t_tcp_object),
    )


def truth_of(message: SimTruth) -> Truth:
    """The simulator's knowledge out of its message. Raises VitalError(BAD_MESSAGE) when it cannot be known."""
    figures = ("depth_m", "lateral_m", "travel_m", "contact_force_n", "penetration_m")
    return Truth(
        success=message.success,
        **{name: float(within(name, getattr(message, name))) for name in figures},
        t_base_target=pose_in("target", message.target),
        t_base_tip=pose_in("tip", message.tip),
        t_base_tcp=pose_in("tcp", message.tcp),
        t_tcp_object=pose_in("in_hand", message.in_hand),
    )


def seeded_truth(message: SimTruth) -> tuple[int, Truth]:
    """The scene's seed and `truth_of` it."""
    return message.seed, truth_of(message)


def points_of(message: JointTrajectory, expected: tuple[str, ...]) -> Points:
    """The points of a trajectory message. Raises VitalError(BAD_MESSAGE) when it cannot be carried out."""
    points = read_points(
        message.joint_names,
        [list(p.positions) for p in message.points],
        [list(p.velocities) for p in message.points],
        [seconds(p.time_from_start) for p in message.points],
        expected,
    )
    if isinstance(points, str):
        raise refusal(f"trajectory: {points}")
    return points
