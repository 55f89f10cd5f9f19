"""The answers to `/vital/localize_target` and `/vital/reach_target` as messages."""

from builtin_interfaces.msg import Time

from vital_core.errors import ErrorCode
from vital_interfaces.action import ReachTarget
from vital_interfaces.srv import LocalizeTarget
from vital_vlm_reach.localisation.localization import Located
from vital_vlm_reach.reach_messages import point_message, pose_message
from vital_vlm_reach.reach_run import ReachOutcome


def fill_located(response: LocalizeTarget.Response, located: Located, stamp: Time) -> None:
    """Put what was found into a response."""
    response.success, response.message = True, located.message
    response.pixel_u, response.pixel_v = map(float, located.pixel_uv)
    response.confidence = float(located.confidence)
    response.point = point_message(located.point_m, stamp)


def reach_result(outcome: ReachOutcome, stamp: Time) -> ReachTarget.Result:
    """The result of a reach; figures that were not measured are NaN."""
    succeeded = outcome.code is ErrorCode.OK
    result = ReachTarget.Result(success=succeeded, error_code=int(outcome.code), message=outcome.message)
    if outcome.t_base_tcp_goal is not None:
        result.goal = pose_message(outcome.t_base_tcp_goal, stamp)
    result.error_m, result.planning_s = outcome.error_m, outcome.planning_s
    return result
