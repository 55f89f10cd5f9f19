"""When the arm stands still in a pose worth another image."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

STILL_RAD = 0.002
STILL_S = 1.0
ANOTHER_POSE_RAD = float(np.deg2rad(6.0))


class Stillness:
    """Told the joints as they come; says when they have rested somewhere new."""

    def __init__(self) -> None:
        self.kept: list[NDArray[np.float64]] = []
        self._anchor: NDArray[np.float64] | None = None
        self._since_s = 0.0

    def observe(self, joints_rad: ArrayLike, now_s: float) -> bool:
        """Whether the arm has stood still for a while, some joint away from every pose kept."""
        joints = np.asarray(joints_rad, float)
        if self._anchor is None or np.abs(joints - self._anchor).max() > STILL_RAD:
            self._anchor, self._since_s = joints, now_s
        return now_s - self._since_s >= STILL_S and all(np.abs(joints - k).max() > ANOTHER_POSE_RAD for k in self.kept)

    def keep(self, joints_rad: ArrayLike) -> None:
        """This pose has its image."""
        self.kept.append(np.asarray(joints_rad, float))
