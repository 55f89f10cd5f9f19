"""The UVC camera behind OpenCV: what it is asked for, what it may refuse, and when its images were taken."""

import cv2
import numpy as np
import pytest

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_perception.wrist_camera.image_source import (
    AUTO_EXPOSURE,
    MANUAL_EXPOSURE,
    OLDEST_BUFFER_S,
    CameraSettings,
    UvcCamera,
)

CONTROLS = {
    "automatic exposure": cv2.CAP_PROP_AUTO_EXPOSURE,
    "automatic white balance": cv2.CAP_PROP_AUTO_WB,
    "exposure": cv2.CAP_PROP_EXPOSURE,
    "white balance": cv2.CAP_PROP_WB_TEMPERATURE,
    "gain": cv2.CAP_PROP_GAIN,
}


class Camera:
    """The kernel's side of a camera, as `cv2.VideoCapture` shows it: takes every control but those in ``refuses``."""

    def __init__(self, refuses: tuple[int, ...] = (), size: tuple[int, int] | None = None) -> None:
        self.asked: dict[int, float] = {}
        self.refuses, self.size = refuses, size
        self.image: np.ndarray | None = np.zeros((480, 640, 3), np.uint8)
        self.buffer_ms = 0.0
        self.released = 0

    def isOpened(self) -> bool:
        return True

    def set(self, number: int, value: float) -> bool:
        if number in self.refuses:
            return False
        self.asked[number] = value
        return True

    def get(self, number: int) -> float:
        if number == cv2.CAP_PROP_POS_MSEC:
            return self.buffer_ms
        if self.size is not None and number in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
            return self.size[number == cv2.CAP_PROP_FRAME_HEIGHT]
        return self.asked.get(number, 0.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        return self.image is not None, self.image

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """Opens a UvcCamera on a camera that is plugged in."""
    device = tmp_path / "video0"
    device.touch()

    def opened(camera: Camera, **settings: object) -> UvcCamera:
        monkeypatch.setattr(cv2, "VideoCapture", lambda path, backend: camera)
        source = UvcCamera(str(device), CameraSettings(**settings))
        source.open()
        return source

    return opened


def test_fixed_settings_switch_the_automatics_off_before_they_are_set(plug_in):
    camera = Camera()
    source = plug_in(camera, exposure=120.0, white_balance_k=5000.0, gain=3.0)
    asked = list(camera.asked)
    assert source.remarks == ()
    assert camera.asked[cv2.CAP_PROP_AUTO_EXPOSURE] == MANUAL_EXPOSURE and camera.asked[cv2.CAP_PROP_EXPOSURE] == 120
    assert camera.asked[cv2.CAP_PROP_AUTO_WB] == 0 and camera.asked[cv2.CAP_PROP_WB_TEMPERATURE] == 5000
    assert asked.index(cv2.CAP_PROP_AUTO_EXPOSURE) < asked.index(cv2.CAP_PROP_EXPOSURE)
    assert asked.index(cv2.CAP_PROP_AUTO_WB) < asked.index(cv2.CAP_PROP_WB_TEMPERATURE)


def test_below_zero_leaves_it_to_the_camera(plug_in):
    camera = Camera()
    plug_in(camera, exposure=-1.0, white_balance_k=-1.0, gain=-1.0)
    assert camera.asked[cv2.CAP_PROP_AUTO_EXPOSURE] == AUTO_EXPOSURE and camera.asked[cv2.CAP_PROP_AUTO_WB] == 1
    assert not {cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_WB_TEMPERATURE, cv2.CAP_PROP_GAIN} & set(camera.asked)


@pytest.mark.parametrize("name", CONTROLS)
def test_control_that_is_not_taken_is_a_remark_with_its_name_and_images_come_all_the_same(plug_in, name):
    source = plug_in(Camera(refuses=(CONTROLS[name],)), gain=7.0)
    assert len(source.remarks) == 1 and f"does not take {name} " in source.remarks[0]
    assert source.read()[0].shape == (480, 640, 3)


def test_size_that_is_not_given_is_an_error_and_the_device_is_given_back(plug_in):
    camera = Camera(size=(1280, 720))
    with pytest.raises(VitalError, match=r"gives 1280x720, expected 640x480: .*v4l2-ctl") as refusal:
        plug_in(camera)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER and camera.released == 1


def test_image_is_rgb_and_carries_the_kernels_time_of_capture(plug_in):
    camera = Camera()
    source = plug_in(camera)
    camera.image[..., 0] = 200  # blue, as OpenCV orders it
    camera.buffer_ms = 1000 * (steady_s() - 0.04)
    image, stamp_s = source.read()
    assert image[0, 0].tolist() == [0, 0, 200] and stamp_s == pytest.approx(camera.buffer_ms / 1000)


@pytest.mark.parametrize("age_s", [-5.0, OLDEST_BUFFER_S + 1.0, 1e9])
def test_time_of_capture_that_cannot_be_is_replaced_by_that_of_arrival(plug_in, age_s):
    camera = Camera()
    source = plug_in(camera)
    camera.buffer_ms = 1000 * (steady_s() - age_s)
    before_s = steady_s()
    assert before_s <= source.read()[1] <= steady_s()


def test_unplugged_or_closed_it_is_a_lost_device_and_closing_twice_is_no_fault(plug_in):
    camera = Camera()
    source = plug_in(camera)
    camera.image = None
    with pytest.raises(VitalError, match="unplugged") as refusal:
        source.read()
    assert refusal.value.code is ErrorCode.DEVICE_LOST
    source.close()
    source.close()
    with pytest.raises(VitalError, match="is not open"):
        source.read()
    assert camera.released == 1


@pytest.mark.parametrize("settings", [{"width": 0}, {"rate_hz": 0.0}, {"pixel_format": "MJPEG"}])
def test_settings_that_no_camera_has_are_refused(settings):
    with pytest.raises(VitalError, match="four letters") as refusal:
        CameraSettings(**settings)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER
