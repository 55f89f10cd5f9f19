"""Streams of different rates seen from one clock: for every tick, the newest sample that was there.

A policy acts on the newest reading that it has, so training takes the same one: the nearest previous sample by
header stamp, and none that is older than allowed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_data.files.streams import NS_PER_S, Stamps

MISSING = -1


@dataclass(frozen=True)
class Matches:
    """For T ticks of a clock: which sample of a stream was the newest, and whether it was fresh."""

    index: NDArray[np.int64]
    """(T,), 0 where there was none."""
    fresh: NDArray[np.bool_]
    """(T,)."""
    age_s: NDArray[np.float64]
    """(T,), infinite where there was none."""

    @property
    def refused(self) -> int:
        """How many ticks found no sample that is young enough."""
        return int((~self.fresh).sum())


def nearest_previous(clock_ns: Stamps, stamps_ns: Stamps, max_age_s: float, *, before: bool = False) -> Matches:
    """Newest sample at each tick, or with ``before`` strictly before it; ``stamps_ns`` must not decrease."""
    position = np.searchsorted(stamps_ns, clock_ns, side="left" if before else "right") - 1
    found = position >= 0
    index = np.maximum(position, 0)
    age_s = np.full(len(clock_ns), np.inf)
    if len(stamps_ns):
        age_s[found] = (clock_ns[found] - stamps_ns[index[found]]) / NS_PER_S
    return Matches(index, age_s <= max_age_s, age_s)


def frames_at(frame_ns: Stamps, wanted_ns: NDArray[np.int64], tolerance_s: float) -> NDArray[np.int64]:
    """Index of the frame nearest to each wanted time, MISSING where the nearest is off by more than the tolerance.

    ``frame_ns`` (T,) increases; ``wanted_ns`` has any shape. This is how a 30 Hz recording is thinned to 6 Hz: a
    dropped frame leaves a hole instead of shifting everything behind it.
    """
    right = np.clip(np.searchsorted(frame_ns, wanted_ns), 1, len(frame_ns) - 1) if len(frame_ns) > 1 else None
    if right is None:
        nearest = np.zeros(wanted_ns.shape, np.int64)
    else:
        nearest = np.where(wanted_ns - frame_ns[right - 1] <= frame_ns[right] - wanted_ns, right - 1, right)
    off = np.abs(frame_ns[nearest] - wanted_ns)
    return np.where(off <= round(tolerance_s * NS_PER_S), nearest, MISSING)


def period_ns(rate_hz: float) -> int:
    """Length of one period, ns."""
    return round(NS_PER_S / rate_hz)
