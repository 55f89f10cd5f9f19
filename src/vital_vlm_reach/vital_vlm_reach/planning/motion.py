"""A planned motion of the arm's joints."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP_RAD = 0.01
"""Between two states that are looked at: at 0.9 m from the axis 9 mm of motion, half of it within the margin."""
_REST_S = 0.1


@dataclass(frozen=True)
class JointMotion:
    """A trajectory from rest to rest: times_s (n,) from 0; the others (n, 7) in rad, rad/s and rad/s^2."""

    times_s: Array
    positions_rad: Array
    velocities_rad_s: Array
    accelerations_rad_s2: Array

    @property
    def duration_s(self) -> float:
        """Time of the last point."""
        return float(self.times_s[-1])

    def then(self, other: "JointMotion") -> "JointMotion":
        """This motion, a moment's rest, and another that starts where this one ends."""
        return JointMotion(
            np.concatenate([self.times_s, self.duration_s + other.times_s[1:]]),
            np.concatenate([self.positions_rad, other.positions_rad[1:]]),
            np.concatenate([self.velocities_rad_s, other.velocities_rad_s[1:]]),
            np.concatenate([self.accelerations_rad_s2, other.accelerations_rad_s2[1:]]),
        )

    def sampled(self, spacing_s: float) -> Array:
        """(m, 7) positions between the points too, on the cubics that a trajectory controller follows."""
        t = np.linspace(0.0, self.duration_s, int(np.ceil(self.duration_s / spacing_s)) + 1)
        i = np.clip(np.searchsorted(self.times_s, t, side="right") - 1, 0, len(self.times_s) - 2)
        h = (self.times_s[i + 1] - self.times_s[i])[:, None]
        x = (t - self.times_s[i])[:, None] / h
        q0, q1 = self.positions_rad[i], self.positions_rad[i + 1]
        m0, m1 = h * self.velocities_rad_s[i], h * self.velocities_rad_s[i + 1]
        return q0 + x * (m0 + x * (3 * (q1 - q0) - 2 * m0 - m1 + x * (m0 + m1 - 2 * (q1 - q0))))


def at_rest(joints_rad: Array) -> JointMotion:
    """Staying where the arm is."""
    still = np.zeros((2, len(joints_rad)))
    return JointMotion(np.array([0.0, _REST_S]), np.stack([joints_rad, joints_rad]), still, still)
