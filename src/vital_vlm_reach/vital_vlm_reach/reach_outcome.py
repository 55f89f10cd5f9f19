"""What came of a reach."""

import math
from dataclasses import dataclass

from vital_core.errors import ErrorCode
from vital_core.pose import Pose


@dataclass
class ReachOutcome:
    """What came of it; goal and figures as far as it got.

    yaw_rad: of the target, as the hand is turned to it. yaw_std_rad: NaN where it was not known. tilt_rad: of the
    target's normal, and so the hand's.
    """

    code: ErrorCode = ErrorCode.OK
    message: str = ""
    t_base_tcp_goal: Pose | None = None
    yaw_rad: float = float("nan")
    yaw_std_rad: float = float("nan")
    tilt_rad: float = 0.0
    error_m: float = float("nan")
    planning_s: float = float("nan")

    def told_turn(self) -> str:
        """How the hand is turned, for the operator."""
        turned = f"turned to {math.degrees(self.yaw_rad):.1f} degrees"
        if self.tilt_rad > 0.0:
            turned = f"tilted by {math.degrees(self.tilt_rad):.1f} degrees, {turned}"
        if math.isnan(self.yaw_std_rad):
            return f"{turned} as before: nothing says how the target is turned"
        return f"{turned} as the target, +- {math.degrees(self.yaw_std_rad):.1f}"
