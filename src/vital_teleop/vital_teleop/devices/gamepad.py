"""A gamepad through Linux's joystick interface (/dev/input/js*): 8-byte events of time, value, type and number.

Source: linux/joystick.h (struct js_event). The layout is that of the xpad driver (Xbox controllers and the like).
"""

import contextlib
import os
import struct

import numpy as np

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_teleop.device import Button, DeviceSample

EVENT = struct.Struct("<IhBB")
EVENT_BUTTON, EVENT_AXIS, EVENT_INIT = 0x01, 0x02, 0x80
FULL = 32767.0
DEAD_ZONE = 0.12
SPEED_M_S = 0.06
SPEED_RAD_S = 0.5
SLOW = 0.25

# Axis number -> where it goes in the twist, and its sign; triggers rest at -1.
STICKS = {0: (1, -1.0), 1: (0, -1.0), 3: (5, -1.0), 4: (4, -1.0)}
UP_TRIGGER, DOWN_TRIGGER, ROLL_AXIS = 5, 2, 6
CLUTCH, SLOWLY, GRIPPER = 5, 4, 9
BUTTONS = {7: Button.START, 0: Button.SUCCESS, 1: Button.FAILURE, 2: Button.REDO, 3: Button.FINISH, 6: Button.STOP}
HELP = """gamepad: hold [RB] clutch   left stick x y   right stick yaw, pitch   [RT] up [LT] down   cross: roll
         [LB] slowly   [left stick click] gripper   [start] START  [A] SUCCESS  [B] FAILURE  [X] REDO  [Y] FINISH
         [back] STOP"""


class Gamepad:
    """See the module. fd: an open event stream in place of the device file."""

    name = "gamepad"
    help = HELP

    def __init__(self, path: str = "/dev/input/js0", fd: int | None = None) -> None:
        self._path, self._fd, self._given = path, fd, fd is not None
        self._closed = True
        self._input_s = float("-inf")
        self._let_go()

    def _let_go(self) -> None:
        """Sticks and buttons as nobody holds them."""
        self._axes = dict.fromkeys(range(8), 0.0) | {UP_TRIGGER: -1.0, DOWN_TRIGGER: -1.0}
        self._held: set[int] = set()
        self._rest = b""

    def open(self) -> None:
        """Open the device file; what was held on it before counts no more. Raises VitalError(DEVICE_LOST)."""
        self._let_go()
        if self._given:
            os.set_blocking(self._fd or 0, False)
            return
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise VitalError(
                ErrorCode.DEVICE_LOST,
                f"no gamepad at {self._path} ({error.strerror}): plug it in; `ls /dev/input/js*` shows what is there",
            ) from error

    def close(self) -> None:
        """Close the device file."""
        if self._fd is not None and not self._given:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None

    def poll(self) -> DeviceSample:
        """Sticks and buttons now. Raises VitalError(DEVICE_LOST) when it has been unplugged."""
        now_s = steady_s()
        buttons = tuple(b for b in (self._read_event(event, now_s) for event in self._events()) if b is not None)
        clutch = CLUTCH in self._held
        return DeviceSample(now_s, clutch, None, self._twist(), float(self._closed), buttons, self._input_s)

    def _events(self) -> list[tuple[int, int, int, int]]:
        assert self._fd is not None
        data = self._rest
        while True:
            try:
                got = os.read(self._fd, 64 * EVENT.size)
            except BlockingIOError:
                break
            except OSError as error:
                raise VitalError(ErrorCode.DEVICE_LOST, f"the gamepad has gone ({error.strerror})") from error
            if not got:
                raise VitalError(ErrorCode.DEVICE_LOST, "the gamepad has gone: plug it in again")
            data += got
        whole = len(data) - len(data) % EVENT.size
        self._rest = data[whole:]
        return list(EVENT.iter_unpack(data[:whole]))

    def _read_event(self, event: tuple[int, int, int, int], now_s: float) -> Button | None:
        _, value, kind, number = event
        first = bool(kind & EVENT_INIT)
        if kind & EVENT_AXIS:
            self._axes[number] = value / FULL
            moved = abs(self._axes[number]) > DEAD_ZONE
            self._input_s = now_s if moved and not first else self._input_s
            return None
        if first:
            return None
        self._input_s = now_s
        if not value:
            self._held.discard(number)
            return None
        self._held.add(number)
        if number == GRIPPER:
            self._closed = not self._closed
        return BUTTONS.get(number)

    def _twist(self) -> np.ndarray:
        twist = np.zeros(6)
        for number, (place, sign) in STICKS.items():
            twist[place] = sign * _beyond_dead_zone(self._axes[number])
        twist[2] = (self._axes[UP_TRIGGER] - self._axes[DOWN_TRIGGER]) / 2.0
        twist[3] = _beyond_dead_zone(self._axes[ROLL_AXIS])
        twist *= np.array([SPEED_M_S] * 3 + [SPEED_RAD_S] * 3)
        return twist * (SLOW if SLOWLY in self._held else 1.0)


def _beyond_dead_zone(value: float) -> float:
    size = max(0.0, abs(value) - DEAD_ZONE) / (1.0 - DEAD_ZONE)
    return float(np.copysign(min(1.0, size), value))
