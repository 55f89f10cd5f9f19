"""The keyboard of the terminal that the node runs in."""

import contextlib
import os
import select
import sys
import termios
import tty
from typing import Any

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_teleop.device import Button, DeviceSample
from vital_teleop.key_motion import KeyMotion

AXES = {
    "w": (0, 1), "s": (0, -1), "a": (1, 1), "d": (1, -1), "e": (2, 1), "q": (2, -1),
    "j": (3, -1), "l": (3, 1), "i": (4, 1), "k": (4, -1), "u": (5, 1), "o": (5, -1),
}  # fmt: skip
BUTTONS = {
    "\r": Button.START, "\n": Button.START, "y": Button.SUCCESS, "n": Button.FAILURE, "r": Button.REDO,
    "x": Button.STOP, "\x1b": Button.STOP, "f": Button.FINISH,
}  # fmt: skip
HELP = """keyboard: [space] clutch on/off   [w/s] x  [a/d] y  [e/q] z   [j/l i/k u/o] turn   [capital letter] slowly
          [g] gripper   [enter] START  [y] SUCCESS  [n] FAILURE  [r] REDO  [f] FINISH   [x] or [esc] STOP"""


class Keyboard:
    """See the module. fd: a terminal; by default standard input, or the terminal that the launch was typed in."""

    name = "keyboard"
    help = HELP

    def __init__(self, fd: int | None = None) -> None:
        self._fd = _terminal() if fd is None else fd
        self._before: list[Any] | None = None
        self._clutch = False
        self._closed = True
        self._motion = KeyMotion()
        self._input_s = float("-inf")

    def open(self) -> None:
        """Read single keys, without echo. Raises VitalError(DEVICE_LOST) where there is no terminal."""
        if not os.isatty(self._fd):
            raise VitalError(
                ErrorCode.DEVICE_LOST,
                "the keyboard needs a terminal, and there is none: run "
                "`./vital ros2 run vital_teleop teleop_node --ros-args -p device:=keyboard` in a terminal of its own",
            )
        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            self._before = None

    def poll(self) -> DeviceSample:
        """The keys since the last poll. Raises VitalError(DEVICE_LOST) when the terminal has been closed."""
        now_s = steady_s()
        buttons = tuple(b for b in map(lambda key: self._press(key, now_s), self._keys()) if b is not None)
        twist = self._motion.twist(now_s)
        return DeviceSample(now_s, self._clutch, None, twist, float(self._closed), buttons, self._input_s)

    def _keys(self) -> str:
        keys = ""
        while select.select([self._fd], [], [], 0.0)[0]:
            try:
                got = os.read(self._fd, 64)
            except OSError as error:
                raise VitalError(ErrorCode.DEVICE_LOST, f"the keyboard's terminal is gone ({error})") from error
            if not got:
                raise VitalError(ErrorCode.DEVICE_LOST, "the keyboard's terminal was closed")
            keys += got.decode(errors="ignore")
        return keys

    def _press(self, key: str, now_s: float) -> Button | None:
        self._input_s = now_s
        if key == " ":
            self._clutch = not self._clutch
        elif key == "g":
            self._closed = not self._closed
        elif key.lower() in AXES:
            self._motion.stroke(AXES[key.lower()], now_s, slowly=key.isupper())
        return BUTTONS.get(key)


def _terminal() -> int:
    """Standard input, or the controlling terminal: a launch gives its nodes another standard input."""
    if not os.isatty(sys.stdin.fileno()):
        with contextlib.suppress(OSError):
            return os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    return sys.stdin.fileno()
