"""A device that may go and come back."""

from collections.abc import Callable

from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_teleop.device import Device, DeviceSample

OPEN_AGAIN_S = 1.0


class OpenedDevice:
    """Reads a device; one that has gone is looked for again each second. ``told`` gets the sentence of a fault, and an
    empty one when the device is there again."""

    def __init__(self, device: Device, told: Callable[[str], None]) -> None:
        self.device = device
        self.sample = DeviceSample(alive_s=float("-inf"))
        """The last reading; its last sign of life grows old while the device is away."""
        self._told = told
        self._opened, self._open_at_s = False, 0.0

    def read(self, now_s: float) -> DeviceSample:
        """The device now; ``now_s`` is steady time."""
        self.sample = self._read(now_s)
        return self.sample

    def _read(self, now_s: float) -> DeviceSample:
        if not self._opened and (now_s < self._open_at_s or not self.open()):
            return DeviceSample(self.sample.alive_s)
        try:
            return self.device.poll()
        except VitalError as error:
            self.device.close()  # what was open of it is of no more use
            self._opened, self._open_at_s = False, now_s + OPEN_AGAIN_S
            self._told(str(error))
            return DeviceSample(float("-inf"))

    def open(self) -> bool:
        """Whether it is there."""
        try:
            self.device.open()
        except VitalError as error:
            self._told(str(error))
            self._open_at_s = steady_s() + OPEN_AGAIN_S
            return False
        self._opened = True
        self._told("")
        return True
