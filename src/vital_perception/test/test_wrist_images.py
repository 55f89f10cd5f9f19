"""Window, watch, sources and reader of the wrist camera."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from waiting import wait_until

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_perception.wrist_camera.image_reader import ImageReader
from vital_perception.wrist_camera.image_source import CameraSettings, Replay, UvcCamera, make_source
from vital_perception.wrist_camera.image_watch import ImageWatch, WatchConfig
from vital_perception.wrist_camera.image_window import Window
from vital_perception.wrist_camera.wrist_camera_parameters import WristCameraParameters

RNG = np.random.default_rng(0)


def noise(level: float = 100.0) -> np.ndarray:
    return np.clip(level + 5 * RNG.standard_normal((128, 128, 3)), 0, 255).astype(np.uint8)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Ten images of 320x240; each one's red tells its number."""
    for i in range(10):
        image = np.zeros((240, 320, 3), np.uint8)
        image[..., 2] = 10 * i + 50
        cv2.imwrite(str(tmp_path / f"{i:02d}.png"), image)
    return tmp_path


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """A second of noise with a moving square, 320x240 at 30 Hz."""
    path = tmp_path_factory.mktemp("video") / "wrist.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (320, 240))
    assert writer.isOpened()
    for i in range(30):
        image = RNG.integers(60, 120, (240, 320, 3), dtype=np.uint8)
        image[100:140, 4 * i : 4 * i + 40] = (0, 0, 255)
        writer.write(image)
    writer.release()
    return path


def test_window_is_the_mean_of_the_pixels_under_each():
    image = RNG.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    small = Window(640, 480, 100, 50, 256).apply(image)
    square = image[50:306, 100:356].astype(float)
    expected = square.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert small.shape == (128, 128, 3) and np.abs(small - expected).max() <= 0.51


def test_without_a_window_it_is_the_middle():
    window = Window(640, 480)
    assert (window.x, window.y, window.size) == (80, 0, 480)


@given(st.integers(0, 300), st.integers(0, 200), st.integers(128, 280))
def test_camera_matrix_follows_a_point_through_the_window(x, y, size):
    window = Window(640, 480, x, y, size)
    whole = np.array([[300.0, 0, 319.5], [0, 310.0, 239.5], [0, 0, 1]])
    ray = np.array([0.1, -0.2, 1.0])
    u, v = (whole @ ray)[:2]
    scale = 128 / size
    cut = window.camera_matrix(300.0, 310.0, 319.5, 239.5) @ ray
    np.testing.assert_allclose(cut[:2], [(u + 0.5 - x) * scale - 0.5, (v + 0.5 - y) * scale - 0.5])


windows = st.builds(
    lambda size, x, y: Window(640, 480, min(x, 640 - size), min(y, 480 - size), size),
    st.integers(128, 480), st.integers(0, 512), st.integers(0, 352),
)  # fmt: skip


@settings(max_examples=30)
@given(windows)
@example(Window(640, 480, 0, 0, 255))  # a pixel of the result is nearly a level of the ramp: rounding is on one side
def test_what_a_pixel_shows_is_where_the_camera_matrix_says_it_looks(window):
    """An image whose red tells the column and whose green tells the row: both must agree with the moved matrix."""
    columns, rows = np.meshgrid((np.arange(640) - window.x) / 2, (np.arange(480) - window.y) / 2)
    # Noise before the rounding down, so that what is lost to whole numbers averages out over a row or column.
    ramps = np.stack([columns, rows, rows], axis=-1) + np.random.default_rng(0).random((480, 640, 3))
    image = np.clip(ramps, 0, 255).astype(np.uint8)
    small = window.apply(image).astype(float)
    matrix = window.camera_matrix(400.0, 400.0, 319.5, 239.5)
    i = np.arange(128)
    column = (i - matrix[0, 2]) / matrix[0, 0] * 400.0 + 319.5 - window.x
    row = (i - matrix[1, 2]) / matrix[1, 1] * 400.0 + 239.5 - window.y
    for value, expected in ((small[..., 0].mean(0), column / 2), (small[..., 1].mean(1), row / 2)):
        assert np.abs(value - expected).max() < 1.0
        assert abs(np.mean(value - expected)) < 0.1, "a fifth of a pixel of the camera's"


@settings(max_examples=30)
@given(windows)
def test_a_plain_image_stays_as_it_is_and_the_result_is_of_its_own(window):
    image = np.full((480, 640, 3), (10, 120, 250), np.uint8)
    small = window.apply(image)
    image[:] = 0
    assert small.flags.c_contiguous and small.dtype == np.uint8
    if window.size > 128:
        np.testing.assert_array_equal(small, np.broadcast_to(np.array([10, 120, 250], np.uint8), (128, 128, 3)))


def test_lens_that_is_not_calibrated_is_published_as_zeros():
    asked = WristCameraParameters(window_x=10, window_y=20, window_size=200)
    window = asked.window_of(CameraSettings())
    assert (window.x, window.y, window.size) == (10, 20, 200)
    np.testing.assert_array_equal(asked.matrix_of(window), np.zeros((3, 3)))
    with pytest.raises(VitalError, match="window_size"):
        WristCameraParameters(window_x=600, window_size=200).window_of(CameraSettings())


@pytest.mark.parametrize("window", [(640, 480, 600, 0, 128), (640, 480, 0, 0, 100), (640, 480, -1, 0, 200), (100, 100)])
def test_window_outside_the_image_or_smaller_than_the_result_is_refused(window):
    with pytest.raises(VitalError, match="window_size") as refusal:
        Window(*window)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_image_of_another_size_is_refused():
    with pytest.raises(VitalError, match="set width and height"):
        Window(640, 480).apply(np.zeros((720, 1280, 3), np.uint8))


def test_watch_tells_frozen_from_alive_and_holds_frozen_images_back():
    watch = ImageWatch(WatchConfig(frozen_after=3))
    same = noise()
    passed = [watch.see(same, 0.033 * i) for i in range(6)]
    assert passed == [True, True, True, False, False, False]
    assert "the same 6 times" in watch.problem(0.17) and watch.frozen_images == 3
    assert watch.see(noise(), 0.2) and watch.problem(0.21) is None


def test_watch_tells_dark_late_and_slow():
    watch = ImageWatch(WatchConfig(late_s=0.15), rate_hz=30.0)
    assert "ms old" in watch.problem(0.0)
    for i in range(30):
        watch.see(noise(), i / 30)
    assert watch.problem(1.0) is None and watch.rate_hz() == pytest.approx(30.0)
    assert watch.problem(1.2) == "the last image is 233 ms old"
    watch.see(noise(0.0), 1.01)
    assert "dark" in watch.problem(1.02)
    for i in range(60):
        watch.see(noise(), 2.0 + i / 10)
    assert watch.problem(7.95) == "10 images/s, expected 30" and watch.late_images == 1


def test_recording_may_stand_still():
    watch = ImageWatch(WatchConfig(frozen_after=0))
    same = noise()
    assert all(watch.see(same, 0.033 * i) for i in range(40))


def test_another_connection_begins_without_an_age_a_rate_or_a_frozen_image():
    watch = ImageWatch(WatchConfig(frozen_after=2))
    same = noise(0.0)
    for i in range(5):
        watch.see(same, i / 30)
    assert watch.frozen and watch.dark
    watch.forget()
    assert watch.age_s(1.0) == float("inf") and watch.rate_hz() == 0.0
    assert not watch.frozen and not watch.dark and watch.see(same, 1.0) and not watch.frozen
    assert (watch.images, watch.frozen_images) == (6, 3), "what was counted stays counted"


@given(st.floats(5.0, 200.0), st.integers(2, 40), st.floats(0.0, 1e6))
def test_rate_is_that_of_the_stamps_whenever_they_began(rate_hz, count, start_s):
    watch = ImageWatch(rate_hz=rate_hz)
    for i in range(count):
        watch.see(np.full((2, 2, 3), i + 20, np.uint8), start_s + i / rate_hz)
    assert watch.rate_hz() == pytest.approx(rate_hz, rel=1e-4)
    assert watch.age_s(start_s + (count - 1) / rate_hz) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("wrong", [{"late_s": 0.0}, {"dark_level": -1.0}, {"frozen_after": -1}, {"late_s": np.nan}])
def test_watch_that_could_not_judge_is_refused(wrong):
    with pytest.raises(VitalError, match="cannot be") as refusal:
        WatchConfig(**wrong)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_damaged_images_of_a_folder_are_left_out_by_name_and_other_files_are_none(images: Path, caplog):
    (images / "03.png").write_bytes((images / "03.png").read_bytes()[:40])
    (images / "05.png").write_bytes(b"")
    (images / "notes.txt").write_text("no image")
    source = Replay(images, 500.0, loop=False)
    source.open()
    caplog.clear()
    reds = [source.read()[0][0, 0, 0] for _ in range(8)]
    assert reds == [50, 60, 70, 90, 110, 120, 130, 140]
    assert ["03.png" in r.message or "05.png" in r.message for r in caplog.records] == [True, True]


def test_folder_is_shown_in_order_and_again_from_the_start(images: Path):
    source = Replay(images, 500.0)
    source.open()
    reds = [source.read()[0][0, 0, 0] for _ in range(12)]
    assert reds == [50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 50, 60]


def test_replay_without_loop_ends_and_stays_at_its_end(images: Path):
    source = Replay(images, 500.0, loop=False)
    source.open()
    for _ in range(10):
        source.read()
    for action in (source.read, source.open):
        with pytest.raises(VitalError, match="end") as refusal:
            action()
        assert refusal.value.code is ErrorCode.DEVICE_LOST


def test_video_gives_rgb(video: Path):
    source = make_source(str(video), CameraSettings(rate_hz=500.0))
    source.open()
    image, stamp_s = source.read()
    assert image.shape == (240, 320, 3) and steady_s() - stamp_s < 1.0
    assert image[120, 20, 0] > 200 and image[120, 20, 2] < 80


@pytest.mark.parametrize("device", ["/dev/video97", "97", "/nowhere/by-id/camera"])
def test_camera_that_is_not_there_is_named(device):
    source = make_source(device, CameraSettings())
    assert isinstance(source, UvcCamera)
    with pytest.raises(VitalError, match=r"there is no camera /.*(97|camera)") as refusal:
        source.open()
    assert refusal.value.code is ErrorCode.DEVICE_LOST


def test_device_that_is_no_camera_is_refused():
    with pytest.raises(VitalError, match="cannot be opened as a camera"):
        UvcCamera("/dev/null", CameraSettings()).open()


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(VitalError, match="holds no image"):
        Replay(tmp_path, 30.0).open()


class Unsteady:
    """A camera that goes after 5 images and is back at the third look; 60 images a second."""

    remarks: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.looks = self.left = 0
        self.time_s = 0.0

    def open(self) -> None:
        self.looks += 1
        if self.looks in (2, 3):
            raise VitalError(ErrorCode.DEVICE_LOST, "no camera")
        self.left = 5 if self.looks == 1 else 10**6

    def read(self):
        if self.left == 0:
            raise VitalError(ErrorCode.DEVICE_LOST, "gone")
        self.left -= 1
        self.time_s += 1 / 60
        threading.Event().wait(0.001)
        return noise(), self.time_s

    def close(self) -> None:
        pass


def test_reader_opens_a_lost_camera_again_and_thins_out_a_fast_one():
    stamps: list[float] = []
    lost: list[bool] = []
    source = Unsteady()
    reader = ImageReader(source, lambda _, s: stamps.append(s), lambda: lost.append(True), 30.0, retry_s=0.01)
    reader.start()
    wait_until(lambda: len(stamps) > 60)
    assert reader.close() and reader.failure is None
    assert (source.looks, reader.connections, reader.losses, len(lost)) == (4, 2, 1, 4)
    np.testing.assert_allclose(np.diff(stamps[10:]), 1 / 30, atol=1e-6)


def test_reader_keeps_a_failure_of_ours_for_the_node():
    def fail(*_) -> None:
        raise ZeroDivisionError

    reader = ImageReader(Unsteady(), fail, lambda: None, 30.0)
    reader.start()
    wait_until(lambda: isinstance(reader.failure, ZeroDivisionError))
