"""The touch guard: how far the tactile field has changed since the owner took the arm."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class TactileWatch:
    """Largest field change of one magnetometer, µT, against a reference taken when control changes hands.

    Magnetometers that are not valid, or not finite, are left out; a reading in which none is valid does not count
    as received. A new baseline of the sensor becomes the reference.
    """

    def __init__(self) -> None:
        self.peak_ut = 0.0
        self.received_s = -np.inf
        self.unusable_readings = 0
        self._field: Array | None = None
        self._reference: Array | None = None
        self._baseline_id: int | None = None

    def age_s(self, now_s: float) -> float:
        """Seconds, steady time, since the last usable reading; inf before the first."""
        return float(now_s - self.received_s)

    def rebase(self) -> None:
        """Measure change from the last reading on (the next one, when there is none yet)."""
        self.peak_ut = 0.0
        self._reference = None if self._field is None else self._field.copy()

    def observe(
        self,
        field_ut: Array,
        valid: NDArray[np.bool_],
        now_s: float,
        baseline_ut: Array | None = None,
        baseline_id: int = 0,
    ) -> float | None:
        """Take in one reading: field_ut (n, 3), valid (n,); returns the present change in µT, None if unusable."""
        usable = valid & np.isfinite(field_ut).all(axis=1)
        if not usable.any():
            self.unusable_readings += 1
            return None
        self.received_s = now_s
        self._field = np.where(usable[:, None], field_ut, np.nan)
        self._follow_baseline(baseline_ut, baseline_id)
        if self._reference is None or self._reference.shape != field_ut.shape:
            self._reference = self._field.copy()
        self._reference = np.where(np.isnan(self._reference), self._field, self._reference)
        change = np.linalg.norm(self._field - self._reference, axis=1)
        largest = float(np.nanmax(change))
        self.peak_ut = max(self.peak_ut, largest)
        return largest

    def _follow_baseline(self, baseline_ut: Array | None, baseline_id: int) -> None:
        changed = self._baseline_id is not None and baseline_id != self._baseline_id
        self._baseline_id = baseline_id
        if changed and baseline_ut is not None and np.isfinite(baseline_ut).all():
            self._reference, self.peak_ut = baseline_ut.astype(float), 0.0
