"""What a policy sees and what it answers."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose

IMAGE_SIZE_PX = 128
MAGNETOMETERS = 5
TACTILE_VALUES = 3 * MAGNETOMETERS
ACTION_VALUES = 7
Axis = Literal["x", "y", "z", "rx", "ry", "rz"]
AXES: tuple[Axis, ...] = get_args(Axis)
"""Along and about which an action moves the hand, in its order."""


@dataclass(frozen=True)
class Observation:
    """One observation of the local policy (paper, appendix A1: no proprioception, history length 1).

    image: (128, 128, 3) uint8 RGB wrist image.
    tactile_ut: (15,) float32, field minus the episode's baseline, µT, x y z of each magnetometer in turn.
    image_age_s, tactile_age_s: age of each reading when the observation was taken, steady time, s.
    t_base_tcp: where the arm was measured to be, `link_tcp` in `link_base`; None where nobody says. No network sees
        it: it tells whether the last action is done.
    """

    image: NDArray[np.uint8]
    tactile_ut: NDArray[np.float32]
    image_age_s: float = 0.0
    tactile_age_s: float = 0.0
    t_base_tcp: Pose | None = None

    def problem(self, max_age_s: float) -> str | None:
        """Why this observation must not be acted on, or None when it may be."""
        if self.image.shape != (IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3) or self.image.dtype != np.uint8:
            return f"wrist image is {self.image.shape} {self.image.dtype}, expected (128, 128, 3) uint8"
        if self.tactile_ut.shape != (TACTILE_VALUES,):
            return f"tactile reading has shape {self.tactile_ut.shape}, expected ({TACTILE_VALUES},)"
        if not np.isfinite(self.tactile_ut).all():
            return "tactile reading has a value that is not finite"
        for name, age_s in (("wrist image", self.image_age_s), ("tactile reading", self.tactile_age_s)):
            if not 0.0 <= age_s <= max_age_s:
                return f"{name} is {age_s * 1000:.0f} ms old, at most {max_age_s * 1000:.0f} ms allowed"
        return None


@dataclass(frozen=True)
class Action:
    """A TCP-frame motion for one control period.

    translation_m (3,) and rotation_rad (3,) (rotation vector): target pose relative to the measured pose, in
    the TCP frame. gripper: 0 open, 1 closed.
    """

    translation_m: NDArray[np.float64]
    rotation_rad: NDArray[np.float64]
    gripper: float = 1.0

    @classmethod
    def from_array(cls, values: NDArray[np.floating]) -> "Action":
        """From (7,): translation, rotation vector, gripper."""
        v = np.asarray(values, dtype=float)
        if v.shape != (ACTION_VALUES,):
            raise ValueError(f"an action has {ACTION_VALUES} values, got shape {v.shape}")
        return cls(v[:3], v[3:6], float(v[6]))

    @classmethod
    def still(cls, gripper: float = 1.0) -> "Action":
        """No motion."""
        return cls(np.zeros(3), np.zeros(3), gripper)

    @property
    def delta_tcp(self) -> Pose:
        """Target pose in the measured TCP frame."""
        return pose_of.from_vector(self.translation_m, self.rotation_rad)

    def to_array(self) -> NDArray[np.float64]:
        """(7,): translation, rotation vector, gripper. Inverse of `from_array`."""
        return np.concatenate([self.translation_m, self.rotation_rad, [self.gripper]])
