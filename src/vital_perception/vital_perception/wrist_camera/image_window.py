"""The working region of the fisheye: a window of the camera's image, at the size that the policy sees."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX


@dataclass(frozen=True)
class Window:
    """A square of ``size`` px with its upper left corner at (x, y), in an image of ``width`` by ``height`` px.

    size 0: the largest square in the middle. A pixel of the result is the mean of those under it (area
    interpolation), so a window smaller than the result is refused: it would only be blown up.
    """

    width: int
    height: int
    x: int = 0
    y: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        if self.size == 0:
            side = min(self.width, self.height)
            object.__setattr__(self, "size", side)
            object.__setattr__(self, "x", (self.width - side) // 2)
            object.__setattr__(self, "y", (self.height - side) // 2)
        inside = self.x >= 0 and self.y >= 0 and self.x + self.size <= self.width and self.y + self.size <= self.height
        if not inside or self.size < IMAGE_SIZE_PX:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the window is {self.size} px at ({self.x}, {self.y}) of an image of {self.width}x{self.height}, "
                f"expected one inside it of {IMAGE_SIZE_PX} px or more: see window_x, window_y, window_size",
            )

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(128, 128, 3) from (height, width, 3). Raises VitalError(BAD_OBSERVATION) for another size."""
        if image.shape != (self.height, self.width, 3):
            raise VitalError(
                ErrorCode.BAD_OBSERVATION,
                f"the image is {image.shape}, expected ({self.height}, {self.width}, 3): set width and height to "
                "what the camera gives",
            )
        square = image[self.y : self.y + self.size, self.x : self.x + self.size]
        if self.size == IMAGE_SIZE_PX:
            return np.ascontiguousarray(square)
        small = cv2.resize(square, (IMAGE_SIZE_PX, IMAGE_SIZE_PX), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def camera_matrix(self, fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float64]:
        """(3, 3) of the result, from the whole image's; pixel (0, 0) is centred at (0, 0)."""
        scale = IMAGE_SIZE_PX / self.size

        def moved(centre: float, corner: int) -> float:
            return (centre + 0.5 - corner) * scale - 0.5

        return np.array([[fx * scale, 0, moved(cx, self.x)], [0, fy * scale, moved(cy, self.y)], [0, 0, 1.0]])
