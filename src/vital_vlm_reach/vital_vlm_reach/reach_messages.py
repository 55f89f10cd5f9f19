"""Messages of the reach to and from its own types."""

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PointStamped, TransformStamped
from numpy.typing import NDArray
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_core.arm.xarm7 import BASE_FRAME, JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_ros.conversions import duration_message, point_message, seconds
from vital_ros.message_check import no_longer, rigid_pose
from vital_vlm_reach.planning.motion import JointMotion, at_rest

MOST_TRANSFORMS = 300


def trajectory_message(motion: JointMotion) -> JointTrajectory:
    """The motion with positions, velocities and accelerations; stamp zero: from now."""
    message = JointTrajectory(joint_names=list(JOINT_NAMES))
    for t, q, v, a in zip(
        motion.times_s, motion.positions_rad, motion.velocities_rad_s, motion.accelerations_rad_s2, strict=True
    ):
        message.points.append(
            JointTrajectoryPoint(
                positions=q.tolist(),
                velocities=v.tolist(),
                accelerations=a.tolist(),
                time_from_start=duration_message(float(t)),
            )
        )
    return message


def motion_of(message: JointTrajectory) -> JointMotion:
    """The motion in a trajectory message; one of a single point is a stay.

    Raises VitalError(PLAN_FAILED) when it lacks a joint or velocities, or its times do not increase.
    """
    try:
        order = [list(message.joint_names).index(name) for name in JOINT_NAMES]
        times = [seconds(p.time_from_start) for p in message.points]
        columns = [[getattr(p, field) for p in message.points] for field in ("positions", "velocities")]
        positions, velocities = (np.array(rows, dtype=float)[:, order] for rows in columns)
    except (ValueError, IndexError) as error:
        raise VitalError(
            ErrorCode.PLAN_FAILED,
            f"the planned trajectory is for {', '.join(message.joint_names) or 'no joint'} with "
            f"{len(message.points)} points, expected joint1 to joint7 with positions and velocities",
        ) from error
    if len(times) == 1:
        return at_rest(positions[0])
    if not (np.diff(times) > 0.0).all():
        raise VitalError(
            ErrorCode.PLAN_FAILED,
            "the planned trajectory stands still or goes back in time, expected times that increase",
        )
    return JointMotion(np.array(times), positions, velocities, np.gradient(velocities, times, axis=0))


def stamped_point_message(point_m: NDArray[np.float64], stamp: Time) -> PointStamped:
    """A point (3,) in `link_base`."""
    return PointStamped(header=Header(frame_id=BASE_FRAME, stamp=stamp), point=point_message(point_m))


def transform_of(message: TransformStamped) -> tuple[str, str, Pose]:
    """Parent, child, and the child's pose in the parent; frame names without a leading slash."""
    parent, child = message.header.frame_id.lstrip("/"), message.child_frame_id.lstrip("/")
    return (
        parent,
        child,
        rigid_pose(f"'{child}' in '{parent}'", message.transform.translation, message.transform.rotation),
    )


def transforms_of(message: TFMessage) -> list[tuple[str, str, Pose]]:
    """`transform_of` each. Raises VitalError(BAD_MESSAGE) when one is none: a message is taken whole or not at all."""
    no_longer("transforms", message.transforms, MOST_TRANSFORMS)
    return [transform_of(transform) for transform in message.transforms]
