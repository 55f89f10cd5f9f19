"""What came of a reach."""

from dataclasses import dataclass

from vital_core.errors import ErrorCode
from vital_core.pose import Pose


@dataclass
class ReachOutcome:
    """What came of it; goal and figures as far as it got."""

    code: ErrorCode = ErrorCode.OK
    message: str = ""
    t_base_tcp_goal: Pose | None = None
    error_m: float = float("nan")
    planning_s: float = float("nan")
