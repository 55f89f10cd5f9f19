"""A person's hand on the keys of the page: what each key does, and what the hand does now.

viser keeps W A S D Q E and the arrows for the camera, and the space bar stops the arm. So the hand has the same block
of keys on the right of the keyboard, and turns by the digits.
"""

from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vital_teleop.key_motion import KeyMotion, Way

Key = Literal[
    "I", "K", "J", "L", "O", "U", "1", "2", "3", "4", "5", "6", "C", "X", "V", "G", "B", "Y", "N", "R", "F"
]  # fmt: skip
KEYS: tuple[Key, ...] = get_args(Key)
# x forward, y left, z up in `link_base`; then turned about them.
MOVES: dict[Key, Way] = {
    "I": (0, 1), "K": (0, -1), "J": (1, 1), "L": (1, -1), "O": (2, 1), "U": (2, -1),
    "1": (3, -1), "2": (3, 1), "3": (4, -1), "4": (4, 1), "5": (5, -1), "6": (5, 1),
}  # fmt: skip
CLOSE: Key = "C"
OPEN: Key = "X"
SLOWLY: Key = "V"
GRIPPER: Key = "G"
TOLD = (
    ("I K, J L, O U", "forward and back, left and right, up and down"),
    ("1 2, 3 4, 5 6", "turn about x, y and z"),
    ("C, X", "clutch closed: the arm follows; open: it stays"),
    ("V, G", "slowly or not, gripper closed or open"),
    ("B, Y, N, R, F", "START, SUCCESS, FAILURE, REDO, FINISH"),
)


# A held key is repeated, first after 0.25 to 0.7 s: of a key that switches or speaks, only the first stroke counts.
HELD_FOR_S = 0.75


@dataclass(frozen=True)
class Hand:
    """What the hand does now. twist: (6,) m/s and rad/s in `link_base`; closed: the gripper's fingers."""

    clutch: bool = False
    slowly: bool = False
    closed: bool = True
    twist: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))

    @property
    def words(self) -> str:
        """For the person."""
        return f"{'slowly, ' if self.slowly else ''}gripper {'closed' if self.closed else 'open'}"


class KeyHand:
    """The hand of the page that has taken the keys; safe from any thread. Times are steady time, s."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._page: int | None = None
        self._said_open = True
        self._start()

    def _start(self) -> None:
        self._motion, self._clutch, self._slowly, self._closed = KeyMotion(), False, False, True
        self._struck_s: dict[Key, float] = {}

    @property
    def page(self) -> int | None:
        """Whose keys move the arm."""
        return self._page

    def take(self, page: int) -> None:
        """This page's keys are the hand from here on, with the clutch open."""
        with self._lock:
            self._page = page
            self._start()

    def leave(self, page: int) -> None:
        """The page's keys are no hand any more; the clutch opens."""
        with self._lock:
            if self._page == page:
                self._page, self._said_open = None, False
                self._start()

    def open_clutch(self) -> None:
        """What comes is not the hand's: a stop, or the arm's own way to the next start."""
        with self._lock:
            self._motion, self._clutch = KeyMotion(), False

    def stroke(self, page: int, key: Key, now_s: float) -> bool:
        """A key of a page was pressed, or its repetition has come; whether it counts as pressed anew."""
        with self._lock:
            if page != self._page:
                return False
            is_held = now_s - self._struck_s.get(key, float("-inf")) < HELD_FOR_S
            self._struck_s[key] = now_s
            if key in MOVES:
                self._motion.stroke(MOVES[key], now_s, slowly=self._slowly)
            elif key in (CLOSE, OPEN):
                self._clutch = key == CLOSE
            elif key == SLOWLY:
                self._slowly ^= not is_held
            elif key == GRIPPER:
                self._closed ^= not is_held
        return not is_held

    def now(self, now_s: float) -> Hand | None:
        """What the hand does; once more, with the clutch open, after a page has left, and None without a page."""
        with self._lock:
            if self._page is None:
                if self._said_open:
                    return None
                self._said_open = True
                return Hand()
            return Hand(self._clutch, self._slowly, self._closed, self._motion.twist(now_s))
