"""From the pad's frames to readings with validity, and from readings to a baseline."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import MAGNETOMETERS
from vital_perception.anyskin.anyskin_protocol import Frame
from vital_perception.anyskin.mounting import Mounting

DEFAULT_BASELINE_SAMPLES = 5
MOST_BASELINE_SAMPLES = 1000


@dataclass(frozen=True)
class StreamConfig:
    """When a reading counts. A chip's noise never repeats, so identical readings in a row were not read anew; motion
    is each reading's distance from the median, norm over the axes."""

    saturation_ut: Annotated[
        float, Meta(ge=100.0, le=6e4, description="a value on any axis from which it is at the chip's limit, µT")
    ] = 12_000.0
    stuck_after: Annotated[int, Meta(ge=2, le=10_000, description="identical readings that mean: not read")] = 30
    rest_readings: Annotated[int, Meta(ge=1, le=1000, description="still readings before a baseline")] = 25
    most_motion_ut: Annotated[float, Meta(ge=0.1, le=1e4, description="motion allowed for a baseline, µT")] = 20.0

    def __post_init__(self) -> None:
        for name in ("saturation_ut", "stuck_after", "rest_readings", "most_motion_ut"):
            if not getattr(self, name) > 0:
                raise VitalError(ErrorCode.BAD_PARAMETER, f"{name} is {getattr(self, name)}, expected more than 0")


@dataclass(frozen=True)
class Reading:
    """field_ut (5, 3) µT in the pad's axes; valid (5,); taken at stamp_s, steady time."""

    field_ut: NDArray[np.float32]
    valid: NDArray[np.bool_]
    stamp_s: float


class TactileStream:
    """Frames in, readings out; remembers the last of them for the baseline. Safe to use from two threads."""

    def __init__(self, mounting: Mounting | None = None, config: StreamConfig | None = None) -> None:
        self.baseline_ut: NDArray[np.float32] = np.zeros(0, np.float32)
        self.baseline_id = 0
        self.saturated_readings = self.unread_readings = 0
        self._mounting = mounting or Mounting()
        self._config = config or StreamConfig()
        self._recent: deque[Reading] = deque(maxlen=MOST_BASELINE_SAMPLES)
        self._arrived = threading.Condition()
        self._last: NDArray[np.float32] | None = None
        self._same = np.zeros(MAGNETOMETERS, int)

    def take(self, frame: Frame, stamp_s: float) -> Reading:
        """The reading in a frame."""
        unread = self._unread(frame)
        saturated = (np.abs(frame.field_ut) >= self._config.saturation_ut).any(axis=1)
        self.unread_readings += bool(unread.any())
        self.saturated_readings += bool(saturated.any())
        valid = self._mounting.reorder(~(unread | saturated))
        reading = Reading(self._mounting.apply(frame.field_ut), valid, stamp_s)
        with self._arrived:
            self._recent.append(reading)
            self._arrived.notify_all()
        return reading

    def _unread(self, frame: Frame) -> NDArray[np.bool_]:
        """(5,): which magnetometers sent nothing but zeros, or the same again and again."""
        values = np.column_stack([frame.temperature_c, frame.field_ut])
        same = np.zeros(MAGNETOMETERS, bool) if self._last is None else (values == self._last).all(axis=1)
        self._last = values
        self._same = np.where(same, self._same + 1, 0)
        return (values == 0.0).all(axis=1) | (self._same >= self._config.stuck_after)

    def forget(self) -> None:
        """The connection has gone: what was read before says nothing about what comes."""
        with self._arrived:
            self._recent.clear()
        self._last, self._same = None, np.zeros(MAGNETOMETERS, int)

    def take_baseline(self, samples: int, timeout_s: float) -> NDArray[np.float32]:
        """(15,) µT: median of the next ``samples`` readings (0: 5), which becomes the baseline in force.

        Waits ``timeout_s`` for readings, and as long for them to be still. Raises VitalError: BAD_PARAMETER for too
        many samples, SENSOR_FAULT when readings do not come in time, are not valid, or go on moving (the pad is
        being touched or dragged).
        """
        samples = samples or DEFAULT_BASELINE_SAMPLES
        if samples > MOST_BASELINE_SAMPLES:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"a baseline of {samples} readings, expected at most {MOST_BASELINE_SAMPLES}"
            )
        deadline_s = steady_s() + timeout_s
        while True:
            readings = self._next(samples, steady_s(), timeout_s)
            problem = self._problem(readings)
            if problem is None:
                break
            # It may only just have come to rest.
            if steady_s() > deadline_s:
                raise VitalError(ErrorCode.SENSOR_FAULT, problem)
        fields = np.array([r.field_ut for r in readings[-samples:]])
        self.baseline_ut = np.median(fields, axis=0).astype(np.float32).ravel()
        self.baseline_id += 1
        return self.baseline_ut

    def _next(self, samples: int, asked_s: float, timeout_s: float) -> list[Reading]:
        """``samples`` readings from ``asked_s`` on, and as many before them as it takes to judge motion."""
        long_enough = max(samples, self._config.rest_readings)
        with self._arrived:
            while (new := sum(r.stamp_s >= asked_s for r in self._recent)) < samples or len(self._recent) < long_enough:
                if not self._arrived.wait(asked_s + timeout_s - steady_s()):
                    raise VitalError(
                        ErrorCode.SENSOR_FAULT,
                        f"{new} tactile readings came within {timeout_s:.1f} s, expected {samples} after "
                        f"{long_enough - samples}: is the sensor connected? see /diagnostics",
                    )
            return list(self._recent)[-long_enough:]

    def _problem(self, readings: list[Reading]) -> str | None:
        """Why these readings make no baseline."""
        bad = [i for i in range(MAGNETOMETERS) if not all(r.valid[i] for r in readings)]
        if bad:
            return (
                f"magnetometer {', '.join(map(str, bad))} of 0 to {MAGNETOMETERS - 1} is saturated or not read: "
                "no baseline taken. Take magnets and steel away from the pad, check its cable"
            )
        fields = np.array([r.field_ut for r in readings])
        motion_ut = float(np.linalg.norm(fields - np.median(fields, axis=0), axis=2).max())
        if motion_ut > self._config.most_motion_ut:
            return (
                f"the tactile readings move by {motion_ut:.0f} µT, at most {self._config.most_motion_ut:.0f} µT "
                "allowed for a baseline: let the arm come to rest and nothing touch what it holds, then ask again"
            )
        return None
