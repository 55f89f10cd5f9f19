"""The touch guard: how hard the held object is pressed, and whether that can be told at all.

A guard that cannot tell is a guard that stops. Three things are watched in the field of each magnetometer (norm over
its axes, µT): its change since the owner took the arm, or since the sensor's baseline, against the task's limit; its
change since the pad was last known to be at rest, against twice that, so that no row of acquisitions or baselines
under load makes the load the zero; and its absolute value, against the chip's saturation.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_control.gate.limits import Limits
from vital_core.errors import ErrorCode

Array = NDArray[np.float64]
FROM_REST = 2.0  # times the task's limit, over however many acquisitions
UNREAD_READINGS, UNREAD_WITHIN_S = 5, 0.5  # so many with a magnetometer missing are no single glitch
MIXED_FOR_S = 1.0  # for which another layout makes the readings doubtful


@dataclass(frozen=True)
class TouchFault:
    """Why the arm must stop, or must not move: a code and a sentence."""

    code: ErrorCode
    text: str


class TouchGuard:
    """Readings in, faults out. All times are steady time in s.

    rest: the field when the pad was last known to be unloaded: the first reading, or the first one after `at_rest` (a
    person looked at the arm, or the simulator laid a new scene). No baseline and no acquisition moves it.
    """

    def __init__(self, limits: Limits, *, required: bool = True) -> None:
        self.limits = limits
        self.required = required
        self.peak_ut = 0.0
        self.unusable_readings = 0
        self.baselines_refused = 0
        self._rest: Array | None = None
        self._reference: Array | None = None
        self._field: Array | None = None
        self._read_s: Array = np.empty(0)
        self._mixed_s = -np.inf
        self._unread_s: deque[float] = deque(maxlen=UNREAD_READINGS)
        self._baseline_id: int | None = None
        self._baseline_fault: TouchFault | None = None
        self._after_rest = True

    def age_s(self, now_s: float) -> float:
        """Seconds since the magnetometer that has been silent longest was read; inf before all have been."""
        return float(now_s - self._read_s.min()) if self._read_s.size else float("inf")

    def rebase(self) -> None:
        """Measure change from the last reading on (the next one, when there is none yet)."""
        self.peak_ut = 0.0
        self._reference = None if self._field is None else self._field.copy()

    @property
    def counts(self) -> dict[str, int]:
        """What has been counted, by a name for people."""
        return {"baselines refused": self.baselines_refused, "unusable tactile readings": self.unusable_readings}

    def at_rest(self) -> None:
        """Take the next reading for the pad at rest: somebody vouches for it."""
        self._after_rest, self._baseline_fault = True, None

    def observe(
        self,
        field_ut: Array,
        valid: NDArray[np.bool_],
        now_s: float,
        baseline_ut: Array | None = None,
        baseline_id: int = 0,
    ) -> TouchFault | None:
        """Take in one reading: field_ut (n, 3), valid (n,); returns why an owned arm must stop, or None."""
        if self._read_s.size == 0 and field_ut.shape[0] > 0:
            self._read_s = np.full(field_ut.shape[0], -np.inf)
        if field_ut.shape != (self._read_s.size, 3) or field_ut.size == 0:
            return self._other_layout(field_ut.shape[0], now_s)
        usable = valid & np.isfinite(field_ut).all(axis=1)
        saturated: NDArray[np.bool_] = np.any(np.abs(field_ut) >= self.limits.tactile_saturation_ut, axis=1)
        self._take_in(field_ut, usable & ~saturated, now_s)
        fault = self._saturation(field_ut, saturated) or self._follow_baseline(baseline_ut, baseline_id)
        return fault or self._unread(usable, now_s) or self._overload()

    def _unread(self, usable: NDArray[np.bool_], now_s: float) -> TouchFault | None:
        """A magnetometer that is missing again and again, for good or between readings in which it is there."""
        if usable.all():
            return None
        self.unusable_readings += 1
        self._unread_s.append(now_s)
        if len(self._unread_s) < UNREAD_READINGS or now_s - self._unread_s[0] > UNREAD_WITHIN_S:
            return None
        missing = ", ".join(map(str, np.flatnonzero(~usable)))
        return TouchFault(
            ErrorCode.SENSOR_FAULT,
            f"magnetometer {missing} is saturated or not read in {UNREAD_READINGS} readings within "
            f"{now_s - self._unread_s[0]:.2f} s: nobody can tell how hard the arm presses. Check the pad, its cable, "
            "and that no other node publishes on /anyskin/tactile",
        )

    def _other_layout(self, magnetometers: int, now_s: float) -> TouchFault:
        self.unusable_readings += 1
        self._mixed_s = now_s
        return TouchFault(
            ErrorCode.SENSOR_FAULT,
            f"a tactile reading has {magnetometers} magnetometers, the pad has {self._read_s.size}: does another node "
            "publish on /anyskin/tactile?",
        )

    def _take_in(self, field_ut: Array, good: NDArray[np.bool_], now_s: float) -> None:
        self._read_s = np.where(good, now_s, self._read_s)
        before = np.full_like(field_ut, np.nan) if self._field is None else self._field
        self._field = np.where(good[:, None], field_ut, before)
        if self._after_rest and good.all():
            self._rest, self._after_rest = self._field.copy(), False
            self.rebase()
        if self._reference is None:
            self._reference = self._field.copy()
        self._reference = np.where(np.isnan(self._reference), self._field, self._reference)

    @staticmethod
    def _saturation(field_ut: Array, saturated: NDArray[np.bool_]) -> TouchFault | None:
        if not saturated.any():
            return None
        worst = int(np.nanargmax(np.where(saturated, np.abs(field_ut).max(axis=1), np.nan)))
        largest_ut = float(np.abs(field_ut[worst]).max())
        return TouchFault(
            ErrorCode.FORCE_LIMIT, f"magnetometer {worst} is saturated at {largest_ut:.0f} µT: pressed too hard"
        )

    def _follow_baseline(self, baseline_ut: Array | None, baseline_id: int) -> TouchFault | None:
        changed = self._baseline_id is not None and baseline_id != self._baseline_id
        self._baseline_id = baseline_id
        if not changed or baseline_ut is None:
            return None
        apart_ut = self._from_rest(baseline_ut) if baseline_ut.shape == (self._read_s.size, 3) else float("inf")
        if self._rest is not None and not apart_ut <= self.limits.task.tactile_limit_ut:
            self.baselines_refused += 1
            self._baseline_fault = TouchFault(
                ErrorCode.FORCE_LIMIT,
                f"baseline {baseline_id} is {apart_ut:.0f} µT from the pad's last rest, at most "
                f"{self.limits.task.tactile_limit_ut:.0f} µT allowed: was it taken under load? Lift the object off and "
                "take another; if the object was changed in the hand, look at it and clear the stop",
            )
            return self._baseline_fault
        self._baseline_fault = None
        self._reference, self.peak_ut = baseline_ut.astype(float), 0.0
        return None

    def _overload(self) -> TouchFault | None:
        assert self._field is not None and self._reference is not None
        limit_ut = self.limits.task.tactile_limit_ut
        change_ut = _largest(self._field - self._reference)
        self.peak_ut = max(self.peak_ut, change_ut)
        if change_ut > limit_ut:
            return TouchFault(ErrorCode.FORCE_LIMIT, f"touch changed by {change_ut:.0f} µT, limit {limit_ut:.0f} µT")
        from_rest_ut = self._from_rest(self._field)
        if from_rest_ut > FROM_REST * limit_ut:
            return TouchFault(
                ErrorCode.FORCE_LIMIT,
                f"touch is {from_rest_ut:.0f} µT from the pad's last rest, limit {FROM_REST * limit_ut:.0f} µT",
            )
        return None

    def _from_rest(self, field_ut: Array) -> float:
        return 0.0 if self._rest is None else _largest(field_ut - self._rest)

    def loaded(self) -> TouchFault | None:
        """Why nobody may take the arm: the pad is not near its rest, or its baseline was refused."""
        if self._baseline_fault is not None:
            return self._baseline_fault
        limit_ut = self.limits.task.tactile_limit_ut
        if self._field is None or (apart_ut := self._from_rest(self._field)) <= limit_ut:
            return None
        return TouchFault(
            ErrorCode.FORCE_LIMIT,
            f"the pad is {apart_ut:.0f} µT from its last rest, at most {limit_ut:.0f} µT allowed: lift the object off; "
            "if it was changed in the hand, call /vital/stop, look at it, then /vital/clear_stop with your name",
        )

    def blind(self, now_s: float) -> TouchFault | None:
        """Why the guard cannot tell how hard the arm presses, or None; always None where no pad is required."""
        if not self.required:
            return None
        most_s = self.limits.max_tactile_age_s
        if now_s - self._mixed_s < MIXED_FOR_S:
            return TouchFault(ErrorCode.SENSOR_FAULT, "tactile readings of two layouts come: which pad is the arm's?")
        age_s = self.age_s(now_s)
        if age_s <= most_s:
            return None
        if self._read_s.size and now_s - self._read_s.max() <= most_s:
            silent = ", ".join(map(str, np.flatnonzero(now_s - self._read_s > most_s)))
            return TouchFault(ErrorCode.SENSOR_FAULT, f"magnetometer {silent} is not read: check the pad's cable")
        if not np.isfinite(age_s):
            text = f"no tactile reading has been received yet, expected one at least every {most_s * 1000:.0f} ms"
        else:
            text = f"tactile reading is {age_s * 1000:.0f} ms old, at most {most_s * 1000:.0f} ms allowed"
        return TouchFault(
            ErrorCode.SENSOR_FAULT, f"{text}: is the pad connected? Without one, start with tactile:=none"
        )


def _largest(change_ut: Array) -> float:
    """Largest norm over the axes, of the magnetometers that have been read."""
    norms = np.linalg.norm(change_ut, axis=1)
    return float(np.nanmax(norms)) if np.isfinite(norms).any() else 0.0
