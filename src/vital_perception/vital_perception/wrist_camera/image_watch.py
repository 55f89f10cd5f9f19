"""Is the image alive? Rate, age, darkness, and an image that has stopped changing."""

from collections import deque
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError

RATE_OVER = 60  # images


@dataclass(frozen=True)
class WatchConfig:
    """When an image counts as none. A sensor's noise never repeats, so identical images in a row mean that it hangs."""

    late_s: Annotated[float, Meta(ge=0.01, le=60.0, description="age from which an image is missing, s")] = 0.15
    dark_level: Annotated[float, Meta(ge=0.0, le=255.0, description="mean brightness below which nothing is seen")] = (
        6.0
    )
    frozen_after: Annotated[
        int, Meta(ge=0, le=1000, description="identical images that mean it hangs; 0: never, for recordings")
    ] = 5

    def __post_init__(self) -> None:
        if not (self.late_s > 0 and self.dark_level >= 0 and self.frozen_after >= 0):
            raise VitalError(ErrorCode.BAD_PARAMETER, f"{self} has a value that cannot be: all are 0 or more")


class ImageWatch:
    """Told of every image, in one thread; asked from any. rate_hz: expected."""

    def __init__(self, config: WatchConfig | None = None, rate_hz: float = 30.0) -> None:
        self.config = config or WatchConfig()
        self._expected_hz = rate_hz
        self.images = self.frozen_images = self.dark_images = self.late_images = 0
        self.frozen = self.dark = False
        self.brightness = 0.0
        self._stamps: deque[float] = deque(maxlen=RATE_OVER)
        self._last: NDArray[np.uint8] | None = None
        self._same = 0

    def see(self, image: NDArray[np.uint8], stamp_s: float) -> bool:
        """Whether this image is worth passing on: one that is frozen is not. (H, W, 3), taken at stamp_s."""
        self._same = self._same + 1 if self._last is not None and np.array_equal(image, self._last) else 0
        self._last = image
        self.frozen = 0 < self.config.frozen_after <= self._same
        self.brightness = float(image.mean())
        self.dark = self.brightness < self.config.dark_level
        self.late_images += bool(self._stamps) and stamp_s - self._stamps[-1] > self.config.late_s
        self.images += 1
        self.frozen_images += self.frozen
        self.dark_images += self.dark
        self._stamps.append(stamp_s)
        return not self.frozen

    def forget(self) -> None:
        """Another connection begins."""
        self._stamps.clear()
        self._last, self._same, self.frozen, self.dark = None, 0, False, False

    def age_s(self, now_s: float) -> float:
        """Since the last image was taken; inf without one."""
        try:
            return now_s - self._stamps[-1]
        except IndexError:
            return float("inf")

    def rate_hz(self) -> float:
        """Over the last images; 0 without two."""
        stamps = self._stamps.copy()
        return (len(stamps) - 1) / (stamps[-1] - stamps[0]) if len(stamps) > 1 and stamps[-1] > stamps[0] else 0.0

    def problem(self, now_s: float) -> str | None:
        """What is wrong with the image, or None."""
        if self.age_s(now_s) > self.config.late_s:
            return f"the last image is {self.age_s(now_s) * 1000:.0f} ms old"
        if self.frozen:
            return f"the image has been the same {self._same + 1} times: the camera hangs"
        if self.dark:
            return f"the image is dark (mean brightness {self.brightness:.1f} of 255): lens cap, light, exposure?"
        if 0.0 < self.rate_hz() < 0.8 * self._expected_hz:
            return f"{self.rate_hz():.0f} images/s, expected {self._expected_hz:.0f}"
        return None
