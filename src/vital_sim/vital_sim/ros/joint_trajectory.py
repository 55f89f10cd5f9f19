"""Joint trajectories carried out as ros2_control's JointTrajectoryController does.

A new trajectory replaces the old one from now on; points are joined by cubics where velocities are given and by
straight lines where not; past its last point the arm stays there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import shortened

HALT_RAD_S2 = 20.0  # the fastest joint's deceleration when the controller stops by itself
# What no controller is told in earnest.
FARTHEST_RAD, FASTEST_RAD_S = 100.0, 100.0


@dataclass(frozen=True)
class Points:
    """Points of a trajectory of j joints."""

    positions: NDArray[np.float64]
    """(n, j) rad."""
    times_s: NDArray[np.float64]
    """(n,) from the start."""
    velocities: NDArray[np.float64] | None = None
    """(n, j) rad/s, or None."""


def read_points(
    names: Sequence[str],
    positions: Sequence[Sequence[float]],
    velocities: Sequence[Sequence[float]],
    times_s: Sequence[float],
    expected: Sequence[str],
) -> Points | str:
    """The points with joints in the ``expected`` order, or why they are refused."""
    if sorted(names) != sorted(expected):
        return f"joints are {shortened(list(names))}, expected {list(expected)} in any order"
    if not positions:
        return "the trajectory has no points"
    if any(len(p) != len(expected) for p in positions):
        return f"a point has {min(len(p) for p in positions)} positions, expected {len(expected)}"
    given = [len(v) for v in velocities]
    if any(given) and any(n != len(expected) for n in given):
        return f"a point has {min(given)} velocities, expected {len(expected)} or none at all"
    order = [list(names).index(name) for name in expected]
    q = np.asarray(positions, dtype=float)[:, order]
    t = np.asarray(times_s, dtype=float)
    v = np.asarray(velocities, dtype=float)[:, order] if any(given) else None
    if not (np.isfinite(q).all() and np.isfinite(t).all() and (v is None or np.isfinite(v).all())):
        return "a value is not finite"
    if np.abs(q).max() > FARTHEST_RAD or (v is not None and np.abs(v).max() > FASTEST_RAD_S):
        return f"a value is too large, expected at most {FARTHEST_RAD:g} rad and {FASTEST_RAD_S:g} rad/s"
    if t[0] < 0.0 or (np.diff(t) <= 0.0).any():
        return f"times from start are {shortened(t.tolist())} s, expected to rise from 0 or more"
    return Points(q, t, v)


class TrajectoryExecution:
    """The controller's present trajectory; `sample` is the commanded position at a time."""

    def __init__(self, position: NDArray[np.float64]) -> None:
        self.stand(position)

    def stand(self, position: NDArray[np.float64]) -> None:
        """Forget any trajectory and stand at ``position`` (j,)."""
        self._knots = np.asarray(position, dtype=float)[None]
        self._speeds = np.zeros_like(self._knots)
        self._times = np.zeros(1)
        self._straight = True

    def start(self, points: Points, now_s: float) -> None:
        """Follow ``points`` from now on, from where the commands are now."""
        position, speed = self.sample(now_s)
        first = 1 if points.times_s[0] < 1e-9 else 0
        self._straight = points.velocities is None
        later = np.zeros_like(points.positions) if points.velocities is None else points.velocities
        self._times = np.concatenate([[now_s], now_s + points.times_s[first:]])
        self._knots = np.vstack([position[None], points.positions[first:]])
        self._speeds = np.vstack([speed[None], later[first:]])

    def halt(self, now_s: float) -> None:
        """Come to rest without a trajectory, as a controller does that is switched off: all joints slow down evenly."""
        position, speed = self.sample(now_s)
        time_s = float(np.abs(speed).max()) / HALT_RAD_S2
        # Slower than this it is where it comes to rest; a trajectory that has yet to move it must not do so.
        if time_s < 1e-6:
            self.stand(position)
        else:
            rest = (position + speed * time_s / 2)[None]
            self.start(Points(rest, np.array([time_s]), np.zeros((1, len(speed)))), now_s)

    def sample(self, now_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Commanded position (j,) in rad and velocity (j,) in rad/s."""
        times, knots = self._times, self._knots
        if now_s >= times[-1]:
            return knots[-1].copy(), np.zeros(knots.shape[1])
        i = max(0, int(np.searchsorted(times, now_s, side="right")) - 1)
        span = times[i + 1] - times[i]
        s = (now_s - times[i]) / span
        rise = knots[i + 1] - knots[i]
        if self._straight:
            return knots[i] + s * rise, rise / span
        a, b = self._speeds[i] * span, self._speeds[i + 1] * span
        c2, c3 = 3 * rise - 2 * a - b, a + b - 2 * rise
        return knots[i] + s * (a + s * (c2 + s * c3)), (a + s * (2 * c2 + 3 * s * c3)) / span
