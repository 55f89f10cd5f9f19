"""A path through joint waypoints with rounded corners: straight pieces joined by quartics.

Parametrised by length s in rad. Position, direction and curvature are continuous, so that a motion along the
path has no jump in acceleration.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Waypoints nearer than this are one: 0.1 mm at the TCP.
SAME_POINT_RAD = 1e-4
_NO_LENGTH_RAD = 1e-9


class JointPath:
    """Through (n, 7) waypoints, n >= 2, each corner cut by ``rounding`` (above 0, to 1) of what its neighbours allow.

    Between unit directions d0 and d1, over a piece of length h: q' = d0 + (d1 - d0) (3 x^2 - 2 x^3), x = u / h.
    Its curvature is zero at both ends, as on the straight pieces that it joins.
    """

    def __init__(self, waypoints_rad: ArrayLike, rounding: float = 1.0) -> None:
        if not 0.0 < rounding <= 1.0:
            raise ValueError(f"rounding is {rounding}, expected more than 0 and at most 1")
        points = distinct(waypoints_rad)
        steps = np.diff(points, axis=0)
        lengths = np.linalg.norm(steps, axis=1)
        directions = steps / lengths[:, None]
        cuts = np.zeros(len(points))
        cuts[1:-1] = 0.5 * rounding * np.minimum(lengths[:-1], lengths[1:])
        starts, coefficients = [], []
        s = 0.0
        for i, (direction, length) in enumerate(zip(directions, lengths, strict=True)):
            straight = length - cuts[i] - cuts[i + 1]
            if straight > _NO_LENGTH_RAD:
                starts.append(s)
                coefficients.append(_straight(points[i] + cuts[i] * direction, direction))
                s += straight
            if i + 1 < len(directions):
                starts.append(s)
                coefficients.append(_corner(points[i + 1], direction, directions[i + 1], cuts[i + 1]))
                s += 2 * cuts[i + 1]
        self.length_rad = s
        self._starts = np.array(starts)
        self._coefficients = np.array(coefficients)  # (pieces, 5, 7), lowest power first

    def derivatives(self, s: ArrayLike) -> tuple[Array, Array, Array, Array]:
        """q, q', q'' and q''' with respect to s, each (m, 7), at (m,) lengths along the path."""
        at = np.clip(np.atleast_1d(np.asarray(s, dtype=float)), 0.0, self.length_rad)
        piece = np.clip(np.searchsorted(self._starts, at, side="right") - 1, 0, None)
        u = (at - self._starts[piece])[:, None]
        c = np.moveaxis(self._coefficients[piece], 1, 0)  # (5, m, 7)
        q = c[0] + u * (c[1] + u * (c[2] + u * (c[3] + u * c[4])))
        first = c[1] + u * (2 * c[2] + u * (3 * c[3] + u * 4 * c[4]))
        second = 2 * c[2] + u * (6 * c[3] + u * 12 * c[4])
        third = 6 * c[3] + u * 24 * c[4]
        return q, first, second, third

    def positions(self, spacing_rad: float) -> Array:
        """(m, 7) along the path, no further apart than ``spacing_rad``."""
        count = max(2, int(np.ceil(self.length_rad / spacing_rad)) + 1)
        return self.derivatives(np.linspace(0.0, self.length_rad, count))[0]


def distinct(waypoints_rad: ArrayLike) -> Array:
    """(m, 7) waypoints without those that repeat the one before."""
    points = np.asarray(waypoints_rad, dtype=float)
    moved = np.linalg.norm(np.diff(points, axis=0), axis=1) > SAME_POINT_RAD
    kept = points[np.concatenate([[True], moved])]
    if len(kept) > 1:
        kept[-1] = points[-1]
    return kept


def _straight(start: Array, direction: Array) -> Array:
    zero = np.zeros_like(start)
    return np.array([start, direction, zero, zero, zero])


def _corner(corner: Array, before: Array, after: Array, cut: float) -> Array:
    length, turn = 2 * cut, after - before
    zero = np.zeros_like(corner)
    return np.array([corner - cut * before, before, zero, turn / length**2, -turn / (2 * length**3)])
