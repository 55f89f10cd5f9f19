"""Where images come from: a UVC camera, a video file, a folder of images. All give RGB and the time it was taken."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_core.clock import Pacer, steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.files.image_file import read_image
from vital_core.files.schema import Source

log = logging.getLogger(__name__)
Image = tuple[NDArray[np.uint8], float]  # (H, W, 3) RGB, steady time in s

VIDEO_SUFFIXES = {".mp4", ".avi", ".mkv", ".mov", ".webm"}
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
# V4L2's own values for the exposure mode.
MANUAL_EXPOSURE, AUTO_EXPOSURE = 1, 3
OLDEST_BUFFER_S = 0.5


class ImageSource(Protocol):
    """`open` and `read` raise VitalError(DEVICE_LOST) when there is nothing, or nothing any more."""

    remarks: tuple[str, ...]

    def open(self) -> None:
        """Take hold of it."""

    def read(self) -> Image:
        """The next image; waits for it."""

    def close(self) -> None:
        """Let go of it. May be called twice."""


@dataclass(frozen=True)
class CameraSettings:
    """What a UVC camera is asked for. exposure in units of 100 µs; exposure, white_balance_k and gain below 0: leave
    it to the camera."""

    width: Annotated[int, Meta(ge=1, le=10_000, description="of the camera's image, px")] = 640
    height: Annotated[int, Meta(ge=1, le=10_000, description="of the camera's image, px")] = 480
    rate_hz: Annotated[float, Meta(ge=1.0, le=240.0, description="images a second")] = 30.0
    pixel_format: Annotated[str, Meta(description="V4L2's four letters")] = "MJPG"
    exposure: Annotated[float, Meta(ge=-1.0, le=1e5, description="fixed, units of 100 µs; -1: automatic")] = 100.0
    white_balance_k: Annotated[float, Meta(ge=-1.0, le=1e5, description="fixed, K; -1: automatic")] = 4600.0
    gain: Annotated[float, Meta(ge=-1.0, le=1e5, description="fixed; -1: leave it")] = -1.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.rate_hz <= 0 or len(self.pixel_format) != 4:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"{self}: expected a size and rate above 0 and a pixel format of four letters, such as MJPG or YUYV",
            )


class UvcCamera:
    """A camera of the kernel's uvcvideo driver, through OpenCV's V4L2 back end.

    A control that the camera does not take is a remark, not an error; a size that it does not take is an error,
    because the window would then show something else.
    """

    def __init__(self, device: str, settings: CameraSettings) -> None:
        self.remarks: tuple[str, ...] = ()
        self._device, self._settings = device, settings
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Raises VitalError: DEVICE_LOST, or BAD_PARAMETER when the camera does not give this size."""
        if not os.path.exists(self._device):
            raise VitalError(
                ErrorCode.DEVICE_LOST, f"there is no camera {self._device}: plug it in, or see `ls -l /dev/v4l/by-id`"
            )
        capture = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise VitalError(
                ErrorCode.DEVICE_LOST,
                f"{self._device} cannot be opened as a camera: is another program using it, may this user "
                "(group video)?",
            )
        self._capture = capture
        self._ask(capture)

    def _ask(self, capture: cv2.VideoCapture) -> None:
        s = self._settings
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*s.pixel_format))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, s.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, s.height)
        capture.set(cv2.CAP_PROP_FPS, s.rate_hz)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        got = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        if got != (s.width, s.height):
            self.close()
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"{self._device} gives {got[0]}x{got[1]}, expected {s.width}x{s.height}: set width and height to a "
                "size that `v4l2-ctl --list-formats-ext` names",
            )
        controls = [
            ("automatic exposure", cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL_EXPOSURE if s.exposure >= 0 else AUTO_EXPOSURE),
            ("automatic white balance", cv2.CAP_PROP_AUTO_WB, float(s.white_balance_k < 0)),
            ("exposure", cv2.CAP_PROP_EXPOSURE, s.exposure),
            ("white balance", cv2.CAP_PROP_WB_TEMPERATURE, s.white_balance_k),
            ("gain", cv2.CAP_PROP_GAIN, s.gain),
        ]
        wanted = [control for control in controls if control[2] >= 0]
        self.remarks = tuple(
            f"the camera does not take {name} {value:g}"
            for name, number, value in wanted
            if not capture.set(number, value)
        )

    def read(self) -> Image:
        """The next image, with the kernel's time of capture where there is one."""
        if self._capture is None:
            raise VitalError(ErrorCode.DEVICE_LOST, f"{self._device} is not open")
        whole, image = self._capture.read()
        now_s = steady_s()
        if not whole or image is None:
            raise VitalError(ErrorCode.DEVICE_LOST, f"{self._device} gives no image any more: unplugged?")
        # uvcvideo stamps its buffers with the monotonic clock, which is ours.
        buffer_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        stamp_s = buffer_s if 0.0 <= now_s - buffer_s < OLDEST_BUFFER_S else now_s
        return _rgb(image), stamp_s

    def close(self) -> None:
        """Give the device back."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


class Replay:
    """A video file or a folder of images (in the order of their names), at a steady rate, from the start again at
    its end when ``loop``."""

    def __init__(self, path: Path, rate_hz: float, loop: bool = True) -> None:
        self.remarks: tuple[str, ...] = ()
        self._path, self._rate_hz, self._loop = path, rate_hz, loop
        self._images: Iterator[NDArray[np.uint8]] | None = None
        self._over = False
        self._pacer = Pacer(1.0 / rate_hz)

    def open(self) -> None:
        """Raises VitalError(DEVICE_LOST) when there is nothing to show, or nothing more."""
        if self._over:
            raise VitalError(ErrorCode.DEVICE_LOST, f"{self._path} has been shown to its end")
        if next(self._once(), None) is None:
            raise VitalError(
                ErrorCode.DEVICE_LOST, f"{self._path} holds no image: expected a video file or a folder of images"
            )
        self._images = self._all()
        self._pacer = Pacer(1.0 / self._rate_hz)

    def _all(self) -> Iterator[NDArray[np.uint8]]:
        yield from self._once()
        while self._loop:
            yield from self._once()

    def _once(self) -> Iterator[NDArray[np.uint8]]:
        if self._path.is_dir():
            for file in sorted(f for f in self._path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES):
                try:
                    image = read_image(file, cv2.IMREAD_COLOR, Source(str(file), ErrorCode.DEVICE_LOST, "remove it"))
                except VitalError as error:
                    log.warning("left out: %s", error)
                    continue
                yield _rgb(image)
        elif self._path.is_file():
            capture = cv2.VideoCapture(str(self._path))
            try:
                while (read := capture.read())[0]:
                    yield _rgb(read[1])
            finally:
                capture.release()

    def read(self) -> Image:
        """The next image when it is due."""
        image = next(self._images, None) if self._images is not None else None
        if image is None:
            self._over = True
            raise VitalError(ErrorCode.DEVICE_LOST, f"{self._path} is at its end")
        self._pacer.wait()
        return image, steady_s()

    def close(self) -> None:
        """Nothing is kept open between images."""
        self._images = None


def _rgb(image: Any) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def make_source(device: str, settings: CameraSettings, loop: bool = True) -> ImageSource:
    """A camera for ``/dev/...`` or a number, a replay for a video file or a folder."""
    if device.isdigit():
        device = f"/dev/video{device}"
    path = Path(device)
    if path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES:
        return Replay(path, settings.rate_hz, loop)
    return UvcCamera(device, settings)
