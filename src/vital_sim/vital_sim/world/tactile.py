"""A magnetic tactile pad on the left finger: five magnetometers under a magnetised elastomer.

The object's movement in the grasp shears, presses and turns the elastomer above each magnetometer. The field
there changes about linearly with the local displacement, with the axes mixed, and turns along with the magnetised
skin; it bends over for large movements, and the chip saturates.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.observation import MAGNETOMETERS, TACTILE_VALUES

# Centre, left, right, up, down in the TCP frame (m): the pad lies in the x-z plane, "down" is towards the tip.
_SPACING_M = 0.0057
POSITIONS_M: NDArray[np.float64] = _SPACING_M * np.array(
    [[0, 0, 0], [-1, 0, 0], [1, 0, 0], [0, 0, -1], [0, 0, 1]], dtype=float
)


# The skin is magnetised along its normal (y); towards its edges the field fringes outwards.
_REMANENCE = np.array([0.0, 1.0, 0.0]) + 0.6 * POSITIONS_M / _SPACING_M


@dataclass(frozen=True)
class TactileConfig:
    """The pad, its electronics, and how grasps differ."""

    sensitivity_ut_per_m: float = 180e3
    """Field change per local displacement."""
    remanence_ut: float = 4000.0
    """Field of the skin at rest."""
    coupling: float = 0.15
    """Relative mixing of the axes, and of the skin's field."""
    bend: float = 0.06
    """Relative gain lost per mm of displacement."""
    noise_ut: float = 1.5
    """Standard deviation of a reading, each axis."""
    drift_ut: float = 0.5
    """Standard deviation of the slow drift after one second."""
    saturation_ut: float = 12000.0
    """Largest reading of the chip."""
    baseline_ut: float = 300.0
    """How much the resting field differs between grasps."""
    gain_spread: float = 0.03
    """Relative gain difference between episodes, common to the pad (temperature, grip)."""
    gain_mismatch: float = 0.005
    """Relative gain difference between episodes, of each axis alone."""


class TactilePad:
    """Field of the pad, from the displacement of the object in the grasp."""

    def __init__(self, config: TactileConfig) -> None:
        self._config = config
        # The pad's own fixed calibration: it is the same pad in every episode.
        fixed = np.random.default_rng(20250)
        shape = (MAGNETOMETERS, 3)
        self._mixing = np.diag([1.0, 1.0, 1.3]) + config.coupling * fixed.standard_normal((*shape, 3))
        self._rest = config.remanence_ut * (_REMANENCE + config.coupling * fixed.standard_normal(shape))
        self._rng = np.random.default_rng(0)
        self._baseline = self._rest
        self._gain = np.ones(shape)
        self._drift = np.zeros(shape)

    def reset(self, rng: np.random.Generator) -> None:
        """A new grasp: another baseline, slightly other gains, no drift yet."""
        shape = (MAGNETOMETERS, 3)
        self._rng = rng
        self._baseline = self._rest + self._config.baseline_ut * rng.standard_normal(shape)
        common = 1.0 + self._config.gain_spread * rng.standard_normal()
        self._gain = common * (1.0 + self._config.gain_mismatch * rng.standard_normal(shape))
        self._drift = np.zeros(shape)

    def advance(self, seconds: float) -> None:
        """Let the slow drift go on."""
        scale = self._config.drift_ut * math.sqrt(seconds)
        self._drift += scale * self._rng.standard_normal(self._drift.shape)

    def field_ut(self, displacement: NDArray[np.float64]) -> NDArray[np.float64]:
        """(5, 3) noise-free field change for a displacement (6,) of the object: m, then rotation in rad."""
        local = displacement[:3] + pose_of.cross(displacement[3:], POSITIONS_M)  # (5, 3)
        linear = self._config.sensitivity_ut_per_m * np.einsum("mij,mj->mi", self._mixing, local)
        loss = 1.0 + self._config.bend * 1e3 * np.linalg.norm(local, axis=1, keepdims=True)
        turned = pose_of.cross(displacement[3:], self._rest)
        return self._gain * (linear / loss + turned)

    def read_ut(self, displacement: NDArray[np.float64]) -> NDArray[np.float32]:
        """(15,) raw reading: baseline, drift, field change and noise, cut off at saturation."""
        noise = self._config.noise_ut * self._rng.standard_normal(self._drift.shape)
        field = self._baseline + self._drift + self.field_ut(displacement) + noise
        limit = self._config.saturation_ut
        return np.clip(field, -limit, limit).astype(np.float32).reshape(TACTILE_VALUES)

    def saturated(self, reading_ut: NDArray[np.float32]) -> bool:
        """Whether any axis of a reading is at its limit."""
        return bool(np.abs(reading_ut).max() >= self._config.saturation_ut)


def largest_field_ut(tactile_ut: NDArray[np.floating]) -> float:
    """Largest field change of one magnetometer (norm over its axes), from a baseline-subtracted reading (15,)."""
    return float(np.linalg.norm(np.reshape(tactile_ut, (MAGNETOMETERS, 3)), axis=1).max())
