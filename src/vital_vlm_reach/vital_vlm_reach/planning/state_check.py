"""Whether the arm may be in a state, and may move between two: joint limits, the task's box, collisions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core.arm.xarm7 import JOINT_NAMES, LOWER_RAD, UPPER_RAD
from vital_vlm_reach.planning.box import Box
from vital_vlm_reach.planning.motion import STEP_RAD
from vital_vlm_reach.planning.robot_model import CollisionScene, touching_text

Array = NDArray[np.float64]

_LIMIT_TOLERANCE_RAD = 1e-6


class StateCheck:
    """Checks states of one planning problem; an arm that starts outside the box may only come nearer."""

    def __init__(self, scene: CollisionScene, box: Box, start_rad: ArrayLike) -> None:
        self.scene = scene
        self._box = box
        self._allowed_outside_m = max(box.outside_m(scene.tcp_m(start_rad)), 0.0) + 1e-9
        self._lower, self._upper = LOWER_RAD - _LIMIT_TOLERANCE_RAD, UPPER_RAD + _LIMIT_TOLERANCE_RAD

    def allows(self, joints_rad: Array) -> bool:
        """Whether the arm may be at (7,) joint positions."""
        if (joints_rad < self._lower).any() or (joints_rad > self._upper).any():
            return False
        if self._box.outside_m(self.scene.tcp_m(joints_rad)) > self._allowed_outside_m:
            return False
        return not self.scene.in_collision(joints_rad)

    def allows_all(self, states_rad: Array) -> bool:
        """Whether the arm may be at each of (n, 7) joint positions."""
        return all(self.allows(q) for q in states_rad)

    def allows_line(self, start_rad: Array, end_rad: Array) -> bool:
        """Whether the arm may move between two states with all joints in proportion."""
        count = max(2, int(np.ceil(np.abs(end_rad - start_rad).max() / STEP_RAD)) + 1)
        fractions = np.linspace(0.0, 1.0, count)[:, None]
        return self.allows_all(start_rad + fractions * (end_rad - start_rad))

    def problem(self, joints_rad: Array) -> str:
        """Why the arm may not be there, for an operator; empty when it may."""
        beyond = np.maximum(self._lower - joints_rad, joints_rad - self._upper)
        if beyond.max() > 0.0:
            joint = int(beyond.argmax())
            return (
                f"{JOINT_NAMES[joint]} at {joints_rad[joint]:.3f} rad is outside "
                f"{LOWER_RAD[joint]:.3f} to {UPPER_RAD[joint]:.3f}"
            )
        if self.scene.in_collision(joints_rad):
            return f"collision of {touching_text(self.scene.touching(joints_rad))}"
        outside_m = self._box.outside_m(self.scene.tcp_m(joints_rad))
        if outside_m > self._allowed_outside_m:
            return f"the TCP is {1000 * outside_m:.0f} mm outside the task's workspace"
        return ""
