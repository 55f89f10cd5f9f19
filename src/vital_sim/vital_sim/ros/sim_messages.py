"""What the simulation measures, as ROS messages."""

from typing import Any

import numpy as np
from control_msgs.msg import JointTrajectoryControllerState
from geometry_msgs.msg import Pose as PoseMessage
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import BASE_FRAME, JOINT_NAMES, TCP_FRAME
from vital_core.observation import MAGNETOMETERS
from vital_core.pose import Pose
from vital_interfaces.msg import SceneReset, SimTruth, TactileArray
from vital_ros.message_check import pose_in, refusal, within
from vital_sim.ros.joint_trajectory import Points, read_points
from vital_sim.world.truth import Truth

GRIPPER_JOINT = "drive_joint"
GRIPPER_CLOSED_RAD = 0.85


def pose_message(pose: Pose) -> PoseMessage:
    """geometry_msgs/Pose of a 4x4 pose."""
    message = PoseMessage()
    message.position.x, message.position.y, message.position.z = map(float, pose[:3, 3])
    q = message.orientation
    q.x, q.y, q.z, q.w = map(float, pose_of.to_quaternion(pose))
    return message


def transform_message(parent: str, child: str, pose: Pose, stamp: Any) -> TransformStamped:
    """Transform of the pose of ``child`` in ``parent``."""
    message = TransformStamped(header=Header(frame_id=parent, stamp=stamp), child_frame_id=child)
    t, r = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = map(float, pose[:3, 3])
    r.x, r.y, r.z, r.w = map(float, pose_of.to_quaternion(pose))
    return message


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


def camera_info(matrix: NDArray, width: int, height: int, model: str, frame: str, stamp: Any) -> CameraInfo:
    """Calibration of a camera without distortion beyond its model ('plumb_bob' or 'equidistant')."""
    info = CameraInfo(header=Header(frame_id=frame, stamp=stamp), width=width, height=height)
    info.distortion_model = model
    info.d = [0.0] * (5 if model == "plumb_bob" else 4)
    info.k = [float(v) for v in matrix.ravel()]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [float(v) for v in np.hstack([matrix, np.zeros((3, 1))]).ravel()]
    return info


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
        [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points],
        expected,
    )
    if isinstance(points, str):
        raise refusal(f"trajectory: {points}")
    return points
