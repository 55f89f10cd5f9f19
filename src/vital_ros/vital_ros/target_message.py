"""`vital_interfaces/TargetPose` to and from a `Target`."""

import numpy as np
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from vital_core.arm.xarm7 import BASE_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_core.target import Target, TargetYaw
from vital_interfaces.msg import TargetPose
from vital_ros.conversions import array_of, point_message, vector_message
from vital_ros.message_check import FARTHEST_M

# More than any frame of a robot cell is uncertain by.
_LARGEST_VARIANCE_M2 = 1.0
_UNIT_TOLERANCE = 1e-3


def target_message(target: Target, stamp: Time) -> TargetPose:
    """A target in `link_base`."""
    message = TargetPose(header=Header(frame_id=BASE_FRAME, stamp=stamp), position=point_message(target.point_m))
    message.covariance = target.covariance_m2.ravel().tolist()
    message.normal, message.normal_std_rad = vector_message(target.normal), float(target.normal_std_rad)
    message.yaw_known = target.yaw is not None
    message.yaw_rad = message.yaw_std_rad = float("nan")
    if target.yaw is not None:
        message.yaw_rad, message.yaw_std_rad = float(target.yaw.yaw_rad), float(target.yaw.std_rad)
        message.symmetry = target.yaw.symmetry
    return message


def target_of(message: TargetPose) -> Target:
    """Raises VitalError(BAD_PARAMETER) when it is not given in `link_base`, no place, or turned in no way there is."""
    if message.header.frame_id not in (BASE_FRAME, ""):
        raise _refused(f"is in '{message.header.frame_id}', expected '{BASE_FRAME}'")
    point = array_of(message.position)
    if not (np.abs(point) <= FARTHEST_M).all():
        raise _refused(f"is at {point} m, expected finite values of at most {FARTHEST_M:g} in size")
    covariance = np.asarray(message.covariance, dtype=float).reshape(3, 3)
    if not (np.abs(covariance) <= _LARGEST_VARIANCE_M2).all():
        raise _refused(f"has the covariance {covariance.ravel()} m^2, expected finite values of at most 1 in size")
    normal = array_of(message.normal)
    length = float(np.linalg.norm(normal))
    if length != 0.0 and not abs(length - 1.0) < _UNIT_TOLERANCE:
        raise _refused(f"has a normal of length {length:.3g}, expected 1, or 0 where it is not known")
    yaw = TargetYaw(message.yaw_rad, message.yaw_std_rad, message.symmetry) if message.yaw_known else None
    if length == 0.0:
        return Target(point, covariance, yaw)
    return Target(point, covariance, yaw, normal, message.normal_std_rad)


def _refused(why: str) -> VitalError:
    return VitalError(ErrorCode.BAD_PARAMETER, f"the target {why}")
