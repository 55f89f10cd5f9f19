"""What the wrist camera's node is asked for."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_perception.wrist_camera.image_source import CameraSettings
from vital_perception.wrist_camera.image_window import Window

PX = 10_000


@dataclass(frozen=True)
class WristCameraParameters:
    """Which camera, the window that is published, and the lens of the whole image."""

    device: Annotated[str, Meta(description="camera (/dev/... or a number), video file or image folder")] = (
        "/dev/video0"
    )
    loop: Annotated[bool, Meta(description="a video or folder begins again at its end")] = True
    window_x: Annotated[int, Meta(ge=0, le=PX, description="left edge of the window, px of the camera's image")] = 0
    window_y: Annotated[int, Meta(ge=0, le=PX, description="upper edge of the window, px")] = 0
    window_size: Annotated[
        int, Meta(ge=0, le=PX, description="side of the window, px; 0: the largest square in the middle")
    ] = 0
    fx: Annotated[float, Meta(ge=0.0, le=PX, description="fx of the whole image, px; 0: not calibrated")] = 0.0
    fy: Annotated[float, Meta(ge=0.0, le=PX, description="fy of the whole image, px; 0: not calibrated")] = 0.0
    cx: Annotated[float, Meta(ge=-PX, le=PX, description="cx of the whole image, px")] = 0.0
    cy: Annotated[float, Meta(ge=-PX, le=PX, description="cy of the whole image, px")] = 0.0
    distortion: Annotated[tuple[float, ...], Meta(description="k1 to k4 of the equidistant model")] = (0.0,) * 4

    def window_of(self, settings: CameraSettings) -> Window:
        """What is published of a camera's images. Raises VitalError for one that is not inside them."""
        return Window(settings.width, settings.height, self.window_x, self.window_y, self.window_size)

    def matrix_of(self, window: Window) -> NDArray[np.float64]:
        """(3, 3) of the published image; zeros when the lens is not calibrated."""
        return window.camera_matrix(self.fx, self.fy, self.cx, self.cy) if self.fx > 0.0 else np.zeros((3, 3))
