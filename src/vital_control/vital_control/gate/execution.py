"""A planned trajectory on its way through the gate, and how it ended."""

from dataclasses import dataclass

import numpy as np

from vital_core.arm.trajectory import Array
from vital_core.errors import ErrorCode

STILL_RAD = 1e-3
STILL_S = 0.1
PATH_END_S = 1e-3


@dataclass
class Execution:
    """One trajectory being carried out; ``code`` is None until it has ended, then OK or why it did not arrive.

    duration_s: of its path, which the arm may be sent along with pauses.
    """

    goal_rad: Array
    duration_s: float
    path_time_s: float = 0.0
    code: ErrorCode | None = None
    text: str = ""
    _ended_s: float | None = None
    _last_place_rad: Array | None = None
    _still_since_s: float = 0.0

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.code is None

    def end(self, code: ErrorCode, text: str) -> None:
        """Record how it ended; the first word counts."""
        if self.code is None:
            self.code, self.text = code, text

    @property
    def progress(self) -> float:
        """0 to 1, in the path's time."""
        return float(np.clip(self.path_time_s / self.duration_s, 0.0, 1.0))

    def watch(
        self, measured_rad: Array, path_time_s: float, now_s: float, goal_tolerance_rad: float, settle_s: float
    ) -> None:
        """End it when the arm stands still at its goal, or is not there ``settle_s`` after the path's end."""
        self.path_time_s = path_time_s
        still = self._stands_still(measured_rad, now_s)
        if path_time_s < self.duration_s - PATH_END_S:
            return
        if self._ended_s is None:
            self._ended_s = now_s
        over_s = now_s - self._ended_s
        error = float(np.abs(measured_rad - self.goal_rad).max())
        if error <= goal_tolerance_rad and (still or over_s > settle_s):
            self.end(ErrorCode.OK, f"arrived within {error * 1000:.1f} mrad")
        elif over_s > settle_s:
            self.end(
                ErrorCode.REACH_TIMEOUT,
                f"a joint is {error * 1000:.1f} mrad from its goal {settle_s:.1f} s after the trajectory's end, "
                f"expected {goal_tolerance_rad * 1000:.1f} mrad: is something in the way?",
            )

    def _stands_still(self, measured_rad: Array, now_s: float) -> bool:
        place = self._last_place_rad
        if place is None or np.abs(measured_rad - place).max() > STILL_RAD:
            self._last_place_rad, self._still_since_s = measured_rad, now_s
        return now_s - self._still_since_s >= STILL_S
