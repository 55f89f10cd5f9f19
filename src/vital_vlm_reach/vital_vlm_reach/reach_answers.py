"""How the action `/vital/reach_target` ends."""

from builtin_interfaces.msg import Time
from rclpy.action.server import ServerGoalHandle

from vital_core.errors import ErrorCode
from vital_interfaces.action import ReachTarget
from vital_ros.conversions import base_pose_message
from vital_vlm_reach.reach_outcome import ReachOutcome


def reach_result(outcome: ReachOutcome, calibration: tuple[float, float], stamp: Time) -> ReachTarget.Result:
    """The result of a reach; figures that were not measured are NaN. calibration: age, s, and residual, m."""
    succeeded = outcome.code is ErrorCode.OK
    result = ReachTarget.Result(success=succeeded, error_code=int(outcome.code), message=outcome.message)
    if outcome.t_base_tcp_goal is not None:
        result.goal = base_pose_message(outcome.t_base_tcp_goal, stamp)
    result.yaw_rad, result.yaw_std_rad = outcome.yaw_rad, outcome.yaw_std_rad
    result.error_m, result.planning_s = outcome.error_m, outcome.planning_s
    result.calibration_age_s, result.calibration_residual_m = calibration
    return result


def end_goal(handle: ServerGoalHandle, outcome: ReachOutcome) -> None:
    """Say to the action how it ended."""
    if outcome.code is ErrorCode.OK:
        handle.succeed()
    elif outcome.code is ErrorCode.CANCELLED and handle.is_cancel_requested:
        handle.canceled()
    else:
        handle.abort()
