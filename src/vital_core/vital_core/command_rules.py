"""What an end-effector command must keep to, whoever carries it out: the command gate and the environment ask here.

A command that breaks a rule is refused whole, but for the workspace box: a target beyond it is brought back onto it, so
that an arm at a face of the box slides along it.

The rules know no clock, no owner and no joints; the gate asks those questions besides, in `vital_control.gate`.
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core import pose as pose_of
from vital_core.observation import Action
from vital_core.pose import Pose
from vital_core.task import Task

STEP_ROUNDING = 1e-6
"""m, rad: a policy that stays exactly at the limit is within it."""
MAX_TCP_SPEED_M_S = 0.5
MAX_TCP_TURN_RAD_S = 2.5
GRIPPER_TOLERANCE = 0.05
BOX_MARGIN_M = 0.0005
"""Targets keep so far from the box's faces: the joints' way between two of them bends by up to 0.1 mm (30 mm step)."""


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
class Admitted:
    """A motion that keeps to the rules."""

    t_base_target: Pose
    """Where the TCP is to go, on the box or in it."""
    projected_m: float = 0.0
    """How far that is from where the command would have had it; 0: there."""

    def executed(self, action: Action, t_base_tcp: Pose) -> Action:
        """``action`` as it is carried out by a TCP that was measured at ``t_base_tcp``."""
        if self.projected_m == 0.0:
            return action
        translation_m = t_base_tcp[:3, :3].T @ (self.t_base_target[:3, 3] - t_base_tcp[:3, 3])
        return Action(translation_m, action.rotation_rad, action.gripper)


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

    def admit_motion(self, t_base_sent: Pose, t_base_target: Pose, duration_s: float) -> Admitted | Refusal:
        """Where a TCP goes that was last sent to one pose and is commanded to another, or why it goes nowhere.

        A target beyond the box is brought onto it (`onto_box`). An arm outside it must come nearer to it.
        """
        sent_m, target_m = t_base_sent[:3, 3], t_base_target[:3, 3]
        kept_m = onto_box(sent_m, target_m, self.task.workspace_lower_m, self.task.workspace_upper_m)
        if (projected_m := float(np.linalg.norm(kept_m - target_m))) > 0.0:
            t_base_target = t_base_target.copy()
            t_base_target[:3, 3] = kept_m
        refusal = self._refuse_box(sent_m, kept_m) or self._refuse_speed(t_base_sent, t_base_target, duration_s)
        return refusal or Admitted(t_base_target, projected_m)

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

    def _refuse_box(self, sent_m: NDArray[np.float64], target_m: NDArray[np.float64]) -> Refusal | None:
        before_m, after_m = self.outside_box_m(np.stack([sent_m, target_m]))
        if after_m <= 0.0 or after_m < before_m:
            return None
        return Refusal(Rule.OUT_OF_BOX, self.box_text(target_m))

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


def onto_box(
    sent_m: NDArray[np.float64], target_m: NDArray[np.float64], lower_m: ArrayLike, upper_m: ArrayLike
) -> NDArray[np.float64]:
    """(3,) the place nearest to a target (3,) that is in the box, `BOX_MARGIN_M` from its faces; all in `link_base`, m.

    An arm that was sent to outside the box, to ``sent_m`` (3,), may stay as far out along each axis as it is.
    """
    lower, upper = np.asarray(lower_m, float), np.asarray(upper_m, float)
    lowest = np.where(sent_m < lower - BOX_MARGIN_M, sent_m, lower + BOX_MARGIN_M)
    highest = np.where(sent_m > upper + BOX_MARGIN_M, sent_m, upper - BOX_MARGIN_M)
    kept: NDArray[np.float64] = np.clip(target_m, lowest, highest)
    return kept
