"""A device on the other side of a topic: whoever publishes `/vital/operator_input`."""

import threading

import numpy as np
from numpy.typing import NDArray

from vital_core.clock import steady_s
from vital_core.pose import Pose
from vital_teleop.device import Button, DeviceSample

# A velocity says what the hand does now: later than this after it came, the hand is at rest.
TWIST_LASTS_S = 0.2


class Remote:
    """Keeps the newest sample that was put in, and every button until it is polled."""

    name = "remote"
    help = "fed by /vital/operator_input"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sample = DeviceSample(alive_s=float("-inf"))
        self._buttons: list[Button] = []

    def open(self) -> None:
        """Nothing to take hold of: it is there when samples come."""

    def close(self) -> None:
        """Nothing to leave."""

    def put(
        self,
        *,
        clutch: bool,
        pose: Pose | None = None,
        twist: NDArray[np.float64] | None = None,
        gripper: float = 1.0,
        button: int = 0,
    ) -> None:
        """A sample that has just come; ``button`` 0 is none, an unknown one is passed over."""
        now_s = steady_s()
        with self._lock:
            if button in set(Button):
                self._buttons.append(Button(button))
            moved = pose is not None or twist is not None or button != 0
            input_s = now_s if moved else self._sample.input_s
            self._sample = DeviceSample(now_s, clutch, pose, twist, gripper, (), input_s)

    def poll(self) -> DeviceSample:
        """The newest sample, with the buttons since the last poll."""
        with self._lock:
            buttons, self._buttons = tuple(self._buttons), []
            s = self._sample
        twist = s.twist if s.twist is None or steady_s() - s.alive_s < TWIST_LASTS_S else np.zeros(6)
        return DeviceSample(s.alive_s, s.clutch, s.pose, twist, s.gripper, buttons, s.input_s)
