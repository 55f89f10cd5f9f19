"""A 3Dconnexion SpaceMouse through `pyspacemouse`: the cap is the hand, both buttons are on its base."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_teleop.device import Button, DeviceSample

SPEED_M_S = 0.06
SPEED_RAD_S = 0.5
DEAD_ZONE = 0.08
# A press shorter than this is a word, a longer one of the right button is STOP.
LONG_PRESS_S = 0.8
# As many as the kernel keeps of them.
MOST_REPORTS = 64
HELP = """spacemouse: push and turn the cap; left button: clutch on/off
            right button: START, and SUCCESS while recording; held for 0.8 s: STOP
            (FAILURE, REDO, FINISH: a second device, or `ros2 topic pub /vital/teleop_event`)"""


class SpaceMouse:
    """See the module. reader: something with pyspacemouse's `read()` and `close()`, for tests."""

    name = "spacemouse"
    help = HELP

    def __init__(self, reader: Any = None) -> None:
        self._reader = reader
        self._clutch = self._recording = False
        self._before = (False, False)
        self._right_since_s: float | None = None
        self._input_s = float("-inf")

    def open(self) -> None:
        """Find the device. Raises VitalError(DEVICE_LOST) when library or device is missing."""
        if self._reader is not None:
            return
        try:
            import pyspacemouse
        except (ImportError, OSError) as error:
            raise VitalError(
                ErrorCode.DEVICE_LOST,
                f"the SpaceMouse needs pyspacemouse and hidapi ({error}): `.venv/bin/pip install pyspacemouse`, "
                "`sudo apt install libhidapi-hidraw0`",
            ) from error
        try:
            self._reader = pyspacemouse.open()
        except Exception as error:  # the library's and hidapi's own kinds
            raise VitalError(
                ErrorCode.DEVICE_LOST, f"no SpaceMouse found ({error}): plug it in; may you read /dev/hidraw*?"
            ) from error

    def close(self) -> None:
        """Let go of it, so that `open` looks for it anew."""
        if self._reader is not None:
            with contextlib.suppress(Exception):  # of a device that has gone
                self._reader.close()
            self._reader = None

    def poll(self) -> DeviceSample:
        """The cap now. Raises VitalError(DEVICE_LOST) when it has been unplugged."""
        now_s = steady_s()
        pressed: tuple[Button, ...] = ()
        try:
            for state in self._states():
                pressed += self._press(bool(state.buttons[0]), bool(state.buttons[-1]), now_s)
        except Exception as error:  # hidapi's own kinds
            raise VitalError(ErrorCode.DEVICE_LOST, f"the SpaceMouse has gone ({error})") from error
        # pyspacemouse: x right, y away, z up; the arm's base: x away, y left, z up.
        twist = np.array([state.y, -state.x, state.z, state.roll, state.pitch, -state.yaw], dtype=float)
        twist = np.where(np.abs(twist) > DEAD_ZONE, twist, 0.0) * np.array([SPEED_M_S] * 3 + [SPEED_RAD_S] * 3)
        if twist.any() or pressed:
            self._input_s = now_s
        return DeviceSample(now_s, self._clutch, None, twist, 1.0, pressed, self._input_s)

    def _states(self) -> Iterator[Any]:
        """The state after each report that has come: `read` takes one, the device sends several in a period."""
        last_t = None
        for _ in range(MOST_REPORTS):
            state = self._reader.read()
            if state.t == last_t:
                return
            last_t = state.t
            yield state

    def _press(self, left: bool, right: bool, now_s: float) -> tuple[Button, ...]:
        left_before, right_before = self._before
        self._before = left, right
        if left and not left_before:
            self._clutch = not self._clutch
        if right and not right_before:
            self._right_since_s = now_s
        if right and self._right_since_s is not None and now_s - self._right_since_s > LONG_PRESS_S:
            self._right_since_s, self._recording = None, False
            return (Button.STOP,)
        if right_before and not right and self._right_since_s is not None:
            self._right_since_s, self._recording = None, not self._recording
            return (Button.START if self._recording else Button.SUCCESS,)
        return ()
