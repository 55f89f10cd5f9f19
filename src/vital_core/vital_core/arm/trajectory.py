"""Joint trajectories as cubic Hermite splines, the way a JointTrajectoryController carries them out.

Times in s from the start, positions in rad, velocities in rad/s, seven joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MIN_STOP_S = 0.02
MIN_KNOT_SPACING_S = 0.002


@dataclass(frozen=True)
class Trajectory:
    """Knots of a cubic Hermite spline: times_s (n,) from 0, positions_rad and velocities_rad_s (n, 7), n >= 2."""

    times_s: Array
    positions_rad: Array
    velocities_rad_s: Array

    @classmethod
    def rest(cls, joints_rad: ArrayLike, duration_s: float = 0.1) -> "Trajectory":
        """Standing still at (7,) joint positions."""
        q = np.asarray(joints_rad, dtype=float)
        return cls(np.array([0.0, duration_s]), np.stack([q, q]), np.zeros((2, q.size)))

    @classmethod
    def cubic(cls, q0: ArrayLike, v0: ArrayLike, q1: ArrayLike, v1: ArrayLike, duration_s: float) -> "Trajectory":
        """One cubic from (q0, v0) to (q1, v1)."""
        return cls(np.array([0.0, duration_s]), np.array([q0, q1], float), np.array([v0, v1], float))

    @property
    def duration_s(self) -> float:
        """Time of the last knot."""
        return float(self.times_s[-1])

    def _segment(self, t: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
        clipped = np.clip(t, 0.0, self.times_s[-1])
        i = np.clip(np.searchsorted(self.times_s, clipped, side="right") - 1, 0, len(self.times_s) - 2)
        h = (self.times_s[i + 1] - self.times_s[i])[:, None]
        s = (clipped - self.times_s[i])[:, None] / h
        q0, q1 = self.positions_rad[i], self.positions_rad[i + 1]
        return s, h, q0, self.velocities_rad_s[i] * h, q1 - q0, self.velocities_rad_s[i + 1] * h

    def states(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities, each (m, 7), at times (m,); before the start and after the end it stands still
        at the first and the last knot's position."""
        times = np.atleast_1d(np.asarray(t, dtype=float))
        s, h, q0, m0, d, m1 = self._segment(times)
        positions = q0 + s * (m0 + s * (3 * d - 2 * m0 - m1 + s * (m0 + m1 - 2 * d)))
        velocities = (m0 + s * (2 * (3 * d - 2 * m0 - m1) + 3 * s * (m0 + m1 - 2 * d))) / h
        velocities[times > self.times_s[-1]] = 0.0
        return positions, velocities

    def state(self, t: float) -> tuple[Array, Array]:
        """Position and velocity, each (7,), at one time."""
        positions, velocities = self.states([t])
        return positions[0], velocities[0]

    def accelerations(self) -> Array:
        """(2 (n - 1), 7): at both ends of each segment, where a cubic's acceleration is largest."""
        h = np.diff(self.times_s)[:, None]
        d = np.diff(self.positions_rad, axis=0)
        m0, m1 = self.velocities_rad_s[:-1] * h, self.velocities_rad_s[1:] * h
        return np.concatenate([(6 * d - 4 * m0 - 2 * m1) / h**2, (-6 * d + 2 * m0 + 4 * m1) / h**2])

    def sample_times(self, spacing_s: float) -> Array:
        """Times from start to end, no further apart than ``spacing_s``, the knots among them."""
        even = np.linspace(0.0, self.duration_s, int(np.ceil(self.duration_s / spacing_s)) + 1)
        return np.union1d(even, self.times_s)

    def plus(self, other: "Trajectory") -> "Trajectory":
        """The sum of both motions: exact but for knots of ``other`` that nearly meet one of this motion's."""
        gaps = np.abs(other.times_s[:, None] - self.times_s).min(axis=1)
        times = np.union1d(self.times_s, other.times_s[gaps >= MIN_KNOT_SPACING_S])
        (q_a, v_a), (q_b, v_b) = self.states(times), other.states(times)
        return Trajectory(times, q_a + q_b, v_a + v_b)


def cubic_duration_s(distance_rad: float, speed_rad_s: float, acceleration_rad_s2: float) -> float:
    """How long a cubic to rest over ``distance_rad`` from ``speed_rad_s`` takes within an acceleration."""
    both = 4 * speed_rad_s / acceleration_rad_s2 + np.sqrt(6 * distance_rad / acceleration_rad_s2)
    return float(max(MIN_STOP_S, both))
