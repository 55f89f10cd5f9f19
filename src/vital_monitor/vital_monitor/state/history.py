"""What was measured in the last seconds."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class History:
    """Rows of numbers of the last ``window_s``, at most ``most`` of them.

    More often than `most / window_s` a second, of several rows in one slot the one with the largest first number is
    kept, so that no peak is lost however fast rows come.
    """

    def __init__(self, window_s: float, most: int) -> None:
        self.window_s = window_s
        self._slot_s = window_s / most
        self._rows: deque[tuple[float, Array]] = deque(maxlen=most)

    def add(self, at_s: float, row: Array) -> None:
        """A row (n,) measured ``at_s``. One from the past, or of another length, begins the history anew."""
        if self._rows:
            last_s, last = self._rows[-1]
            if at_s < last_s or last.shape != row.shape:
                self._rows.clear()
            elif at_s // self._slot_s == last_s // self._slot_s:
                self._rows[-1] = (last_s, row if row[0] >= last[0] else last)
                return
        self._rows.append((at_s, row))

    def since(self, now_s: float) -> tuple[Array, Array]:
        """(m,) ages, s, oldest first, all within the window; (m, n) rows, (0, 0) without any."""
        kept = [(now_s - at_s, row) for at_s, row in self._rows if now_s - at_s <= self.window_s]
        if not kept:
            return np.zeros(0), np.zeros((0, 0))
        return np.array([age for age, _ in kept]), np.stack([row for _, row in kept])
