"""The one normaliser of a policy: fitted on the demonstrations, stored in the checkpoint, used everywhere."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vital_core.observation import ACTION_VALUES, TACTILE_VALUES

ACTION_MARGIN = 1.1
# Smallest half range of a dimension (m, rad, gripper): keeps a dimension that never moves from becoming noise.
MIN_HALF_RANGE = np.array([5e-4] * 3 + [2e-3] * 3 + [5e-2])
MIN_TACTILE_SCALE_UT = 100.0
TACTILE_SIGMAS = 3.0
# Fields beyond the demonstrations' are compressed, so that no reading carries the network far out of its range.
TACTILE_BOUND = 3.0


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Affine map of actions to [-1, 1] per dimension, and a bounded scaling of the tactile field per axis.

    action_centre, action_half_range: (7,) in m, rad and gripper units. tactile_scale_ut: (15,), µT.
    """

    action_centre: NDArray[np.float64]
    action_half_range: NDArray[np.float64]
    tactile_scale_ut: NDArray[np.float64]

    def __post_init__(self) -> None:
        expected = {
            "action_centre": ACTION_VALUES, "action_half_range": ACTION_VALUES, "tactile_scale_ut": TACTILE_VALUES,
        }  # fmt: skip
        for name, size in expected.items():
            values = getattr(self, name)
            if values.shape != (size,) or not np.isfinite(values).all():
                raise ValueError(f"{name} must be {size} finite values, got {values.tolist()}")
        for name in ("action_half_range", "tactile_scale_ut"):
            if not (getattr(self, name) > 0.0).all():
                raise ValueError(f"{name} must be positive, got {getattr(self, name).tolist()}")

    @classmethod
    def fit(cls, actions: NDArray[np.floating], tactile_ut: NDArray[np.floating]) -> "Normaliser":
        """From all demonstrated actions (N, 7) and tactile readings (M, 15), µT.

        Actions span [-1, 1] with a margin of 10 %; the tactile scale is max(100 µT, 3 sigma) (paper, A1).
        """
        low, high = actions.min(0), actions.max(0)
        half_range = np.maximum(ACTION_MARGIN * (high - low) / 2, MIN_HALF_RANGE)
        scale = np.maximum(MIN_TACTILE_SCALE_UT, TACTILE_SIGMAS * tactile_ut.std(0))
        return cls(((low + high) / 2).astype(float), half_range.astype(float), scale.astype(float))

    def normalise_actions(self, actions: NDArray[np.floating]) -> NDArray[np.float32]:
        """(..., 7) in m, rad -> (..., 7) float32."""
        return ((actions - self.action_centre) / self.action_half_range).astype(np.float32)

    def restore_actions(self, normalised: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 7) in [-1, 1] -> (..., 7) in m, rad. Inverse of `normalise_actions`."""
        return np.asarray(normalised, dtype=float) * self.action_half_range + self.action_centre

    def normalise_tactile(self, tactile_ut: NDArray[np.floating]) -> NDArray[np.float32]:
        """(..., 15) µT -> (..., 15) float32 within +-TACTILE_BOUND, nearly linear within +-1."""
        scaled = tactile_ut / self.tactile_scale_ut
        return (TACTILE_BOUND * np.tanh(scaled / TACTILE_BOUND)).astype(np.float32)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists for JSON. Inverse of `from_dict`."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Normaliser":
        """From `to_dict`'s mapping. Raises TypeError or ValueError for a wrong one."""
        return cls(**{name: np.asarray(v, dtype=float) for name, v in values.items()})
