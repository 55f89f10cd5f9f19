"""Reads an image source in a thread, opens it again when it has gone."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import VitalError
from vital_perception.device_thread import DeviceThread
from vital_perception.wrist_camera.image_source import ImageSource

RETRY_S = 1.0
JITTER = 0.4  # of a period


class ImageReader(DeviceThread):
    """Calls ``on_image(image, stamp_s)`` in its own thread, at most ``rate_hz`` times a second."""

    def __init__(
        self,
        source: ImageSource,
        on_image: Callable[[NDArray[np.uint8], float], None],
        on_lost: Callable[[], None],
        rate_hz: float,
        retry_s: float = RETRY_S,
    ) -> None:
        super().__init__("camera", self._read_for_ever)
        self.connected = False
        self.problem = "not opened yet"
        self.connections = self.losses = 0
        self._source, self._on_image, self._on_lost = source, on_image, on_lost
        self._period_s, self._retry_s = 1.0 / rate_hz, retry_s
        self._due_s = 0.0

    def _read_for_ever(self) -> None:
        while not self.stopping.is_set():
            try:
                self._source.open()
                self.connections += 1
                self._read()
            except VitalError as error:
                self.problem = str(error)
                self.losses += self.connected
            self.connected = False
            self._source.close()
            self._on_lost()
            self.stopping.wait(self._retry_s)

    def _read(self) -> None:
        while not self.stopping.is_set():
            image, stamp_s = self._source.read()
            self.connected, self.problem = True, ""
            if self._is_due(stamp_s):
                self._on_image(image, stamp_s)

    def _is_due(self, stamp_s: float) -> bool:
        """A camera faster than asked is thinned out; some jitter is let through."""
        if stamp_s < self._due_s - JITTER * self._period_s:
            return False
        behind = stamp_s - self._due_s > self._period_s
        self._due_s = (stamp_s if behind else self._due_s) + self._period_s
        return True
