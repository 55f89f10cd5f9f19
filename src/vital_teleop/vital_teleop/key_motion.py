"""A hand that is moved by the keys of a keyboard, of which only strokes and their repetitions are known.

Neither a terminal nor a page is sure to be told when a key is let go: a terminal never is, a page not while another
window has the keyboard. So a stroke moves the hand for a moment, and the repetitions of a held key keep it moving.
"""

import numpy as np
from numpy.typing import NDArray

SPEED_M_S = 0.03
SPEED_RAD_S = 0.3
SLOW = 0.2
# The first repetition of a held key comes after some 0.25 to 0.5 s, the following ones every 0.03 s.
MOVES_FOR_S = 0.12
# What a key moves: one of x, y, z, turn about x, y, z; and which way.
Way = tuple[int, int]


class KeyMotion:
    """Keeps the newest stroke. Times are steady time, s."""

    def __init__(self) -> None:
        self._twist = np.zeros(6)
        self._until_s = float("-inf")

    def stroke(self, way: Way, now_s: float, *, slowly: bool) -> None:
        """A key was pressed, or its repetition has come."""
        axis, sign = way
        self._twist = np.zeros(6)
        self._twist[axis] = sign * (SPEED_M_S if axis < 3 else SPEED_RAD_S) * (SLOW if slowly else 1.0)
        self._until_s = now_s + MOVES_FOR_S

    def twist(self, now_s: float) -> NDArray[np.float64]:
        """(6,) velocity of the hand now, m/s and rad/s."""
        return self._twist.copy() if now_s < self._until_s else np.zeros(6)
