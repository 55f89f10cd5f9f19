"""What an end-effector command must keep to, whoever carries it out: the command gate and the environment ask here.

The rules know no clock, no owner and no joints; the gate asks those questions besides, in `vital_control.gate`.
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.observation import Action
from vital_core.pose import Pose
from vital_core.task import Task

STEP_ROUNDING = 1e-6
"""m, rad: a policy that stays exactly at the limit is within it."""
MAX_TCP_SPEED_M_S = 0.5
MAX_TCP_TURN_RAD_S = 2.5
GRIPPER_TOLERANCE = 0.05


class Rule(Enum):
    """Which rule a command breaks."""

    NOT_FINITE = "not_finite"
    STEP_TOO_LARGE = "step_too_large"
    GRIPPER_RANGE = "gripper_range"
    OUT_OF_BOX = "out_of_box"
    TOO_FAST = "too_fast"


@dataclass(frozen=True)
class Refusal:
    """The rule that a command breaks, and its sentence: what was got, what was expected."""

    rule: Rule
    text: str


@dataclass(frozen=True)
class CommandRules:
    """The rules in force."""

    task: Task
    """Its step limits and its workspace box."""
    max_tcp_speed_m_s: float = MAX_TCP_SPEED_M_S
    """Fastest TCP motion from where the arm was last sent."""
    max_tcp_turn_rad_s: float = MAX_TCP_TURN_RAD_S
    """Fastest TCP turn from where the arm was last sent."""
    gripper_tolerance: float = GRIPPER_TOLERANCE
    """How far beyond 0 and 1 still means the stroke's end."""

    def refuse_action(self, action: Action) -> Refusal | None:
        """What is wrong with the action itself, wherever the arm is; None: nothing."""
        return self._refuse_not_finite(action) or self._refuse_step(action) or self._refuse_gripper(action)

    def refuse_motion(self, t_base_sent: Pose, t_base_target: Pose, duration_s: float) -> Refusal | None:
        """What is wrong with a motion of the TCP from where it was last sent to its target; None: nothing.

        A target outside the box is allowed when it is nearer to the box than where the arm was sent.
        """
        return self._refuse_box(t_base_sent, t_base_target) or self._refuse_speed(
            t_base_sent, t_base_target, duration_s
        )

    def outside_box_m(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) how far (n, 3) points are outside the workspace box along the worst axis; negative inside."""
        below = np.array(self.task.workspace_lower_m) - points_m
        above = points_m - np.array(self.task.workspace_upper_m)
        return np.maximum(below, above).max(axis=1)

    def box_text(self, point_m: NDArray[np.float64]) -> str:
        """Where a TCP (3,) would be, and where it may be."""
        at = ", ".join(f"{v:.3f}" for v in point_m)
        lower = ", ".join(f"{v:.3f}" for v in self.task.workspace_lower_m)
        upper = ", ".join(f"{v:.3f}" for v in self.task.workspace_upper_m)
        return f"TCP would be at ({at}) m, the box of {self.task.name} is ({lower}) to ({upper}) m in link_base"

    def _refuse_not_finite(self, action: Action) -> Refusal | None:
        for name in ("translation_m", "rotation_rad", "gripper"):
            value = getattr(action, name)
            if not np.isfinite(value).all():
                return Refusal(Rule.NOT_FINITE, f"{name} is {value}, expected finite numbers")
        return None

    def _refuse_step(self, action: Action) -> Refusal | None:
        step_m, step_rad = math.hypot(*action.translation_m), math.hypot(*action.rotation_rad)
        most_m, most_rad = self.task.max_step_m, self.task.max_step_rad
        if step_m > most_m + STEP_ROUNDING:
            text = f"translation is {step_m * 1000:.1f} mm, at most {most_m * 1000:.1f} mm a command"
            return Refusal(Rule.STEP_TOO_LARGE, text)
        if step_rad > most_rad + STEP_ROUNDING:
            text = f"rotation is {step_rad:.3f} rad, at most {most_rad:.3f} rad a command"
            return Refusal(Rule.STEP_TOO_LARGE, text)
        return None

    def _refuse_gripper(self, action: Action) -> Refusal | None:
        if -self.gripper_tolerance <= action.gripper <= 1.0 + self.gripper_tolerance:
            return None
        return Refusal(Rule.GRIPPER_RANGE, f"gripper is {action.gripper:.3f}, expected 0 (open) to 1 (closed)")

    def _refuse_box(self, t_base_sent: Pose, t_base_target: Pose) -> Refusal | None:
        sent_m, target_m = self.outside_box_m(np.stack([t_base_sent[:3, 3], t_base_target[:3, 3]]))
        if target_m <= 0.0 or target_m < sent_m:
            return None
        return Refusal(Rule.OUT_OF_BOX, self.box_text(t_base_target[:3, 3]))

    def _refuse_speed(self, t_base_sent: Pose, t_base_target: Pose, duration_s: float) -> Refusal | None:
        way_m, turn_rad = pose_of.distance(t_base_sent, t_base_target)
        for got, most, unit in (
            (way_m / duration_s, self.max_tcp_speed_m_s, "m/s"),
            (turn_rad / duration_s, self.max_tcp_turn_rad_s, "rad/s"),
        ):
            if got > most:
                text = f"TCP would move at {got:.2f} {unit} from where it was last sent, at most {most:.2f} allowed"
                return Refusal(Rule.TOO_FAST, text)
        return None
