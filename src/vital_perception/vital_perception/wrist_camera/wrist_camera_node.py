"""The wrist camera: the working window of its fisheye, 128x128 rgb8, on `/wrist_camera/image_raw` at 30 Hz."""

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX
from vital_perception.parameters import declare
from vital_perception.wrist_camera.image_reader import PictureReader
from vital_perception.wrist_camera.image_source import CameraSettings, make_source
from vital_perception.wrist_camera.image_watch import PictureWatch, WatchConfig
from vital_perception.wrist_camera.image_window import Window
from vital_ros import image_message
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from vital_ros.process.node_main import exit_with, run_node

FRAME = "wrist_camera_optical_frame"
DISTORTION_VALUES = 4


class WristCameraNode(Node):
    """Pictures are published from the reader's thread, as they come."""

    def __init__(self) -> None:
        super().__init__("wrist_camera")
        device = declare(self, "device", "/dev/video0", "camera (/dev/... or a number), video file or image folder")
        loop = declare(self, "loop", True, "a video or folder begins again at its end")
        settings = self._settings()
        self._window = self._declared_window(settings)
        self._matrix, self._distortion = self._lens()
        self.watch = PictureWatch(self._watch_config(settings))
        self._refused = 0
        self._remarked: tuple[str, ...] = ()
        self._well: bool | None = None
        self._image = self.create_publisher(Image, "/wrist_camera/image_raw", qos_profile_sensor_data)
        self._info = self.create_publisher(CameraInfo, "/wrist_camera/camera_info", qos_profile_sensor_data)
        self._source = make_source(device, settings, loop)
        self._reader = PictureReader(self._source, self._on_picture, self.watch.forget, settings.rate_hz)
        self._diagnostics = Diagnostics(self, self._health)
        self._reader.start()

    def _settings(self) -> CameraSettings:
        d = CameraSettings()
        return CameraSettings(
            declare(self, "width", d.width, "of the camera's picture, px", (1, 10_000)),
            declare(self, "height", d.height, "of the camera's picture, px", (1, 10_000)),
            declare(self, "rate_hz", d.rate_hz, "pictures a second", (1.0, 240.0)),
            declare(self, "pixel_format", d.pixel_format, "V4L2's four letters"),
            declare(self, "exposure", d.exposure, "fixed, units of 100 µs; -1: automatic", (-1.0, 1e5)),
            declare(self, "white_balance_k", d.white_balance_k, "fixed, K; -1: automatic", (-1.0, 1e5)),
            declare(self, "gain", d.gain, "fixed; -1: leave it", (-1.0, 1e5)),
        )

    def _declared_window(self, settings: CameraSettings) -> Window:
        return Window(
            settings.width,
            settings.height,
            declare(self, "window_x", 0, "left edge of the window, px of the camera's picture", (0, 10_000)),
            declare(self, "window_y", 0, "upper edge of the window, px", (0, 10_000)),
            declare(self, "window_size", 0, "side of the window, px; 0: the largest square in the middle", (0, 10_000)),
        )

    def _lens(self) -> tuple[NDArray[np.float64], list[float]]:
        """Camera matrix of the published picture (zeros when the lens is not calibrated) and distortion."""
        names = ("fx", "fy", "cx", "cy")
        values = [declare(self, n, 0.0, f"{n} of the whole picture, px; 0: not calibrated") for n in names]
        distortion = declare(self, "distortion", [0.0] * DISTORTION_VALUES, "k1 to k4 of the equidistant model")
        matrix = self._window.camera_matrix(*values) if values[0] > 0.0 else np.zeros((3, 3))
        return matrix, [float(v) for v in distortion]

    def _watch_config(self, settings: CameraSettings) -> WatchConfig:
        d = WatchConfig()
        return WatchConfig(
            settings.rate_hz,
            declare(self, "late_s", d.late_s, "age from which a picture is missing, s", (0.01, 60.0)),
            declare(self, "dark_level", d.dark_level, "mean brightness below which nothing is seen", (0.0, 255.0)),
            declare(self, "frozen_after", d.frozen_after, "identical pictures that mean it hangs; 0: never", (0, 1000)),
        )

    def _on_picture(self, picture: NDArray[np.uint8], stamp_s: float) -> None:
        try:
            small = self._window.apply(picture)
        except VitalError as error:
            self._refused += 1
            self.get_logger().error(str(error), throttle_duration_sec=5.0)
            return
        if not self.watch.see(small, stamp_s):
            return
        now = self.get_clock().now()
        stamp = Time(nanoseconds=now.nanoseconds - int((steady_s() - stamp_s) * 1e9), clock_type=now.clock_type)
        header = Header(frame_id=FRAME, stamp=stamp.to_msg())
        self._image.publish(image_message.to_message(small, "rgb8", header))
        self._info.publish(self._camera_info(header))

    def _camera_info(self, header: Header) -> CameraInfo:
        info = CameraInfo(header=header, width=IMAGE_SIZE_PX, height=IMAGE_SIZE_PX, distortion_model="equidistant")
        info.d = self._distortion
        info.k = [float(v) for v in self._matrix.ravel()]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [float(v) for v in np.hstack([self._matrix, np.zeros((3, 1))]).ravel()]
        return info

    def _health(self) -> Health:
        if self._reader.failure is not None:
            raise VitalError(ErrorCode.INTERNAL, f"the camera's thread ended: {self._reader.failure!r}")
        now_s, watch = steady_s(), self.watch
        problem = self._problem(now_s)
        self._log(problem)
        values = {
            "rate_hz": watch.rate_hz(),
            "age_ms": watch.age_s(now_s) * 1000,
            "brightness": watch.brightness,
            "pictures": watch.pictures,
            "frozen": watch.frozen_pictures,
            "dark": watch.dark_pictures,
            "late": watch.late_pictures,
            "wrong_size": self._refused,
            "connections": self._reader.connections,
            "losses": self._reader.losses,
            **{f"remark {i}": remark for i, remark in enumerate(self._source.remarks)},
        }
        if problem is not None:
            return Health(ERROR, problem, values)
        if self._source.remarks:
            return Health(WARN, self._source.remarks[0], values)
        return Health(OK, f"{watch.rate_hz():.0f} pictures/s", values)

    def _problem(self, now_s: float) -> str | None:
        return self.watch.problem(now_s) if self._reader.connected else f"no wrist camera: {self._reader.problem}"

    def _log(self, problem: str | None) -> None:
        """One line whenever the camera goes, comes back or remarks on its settings."""
        if self._source.remarks != self._remarked:
            self._remarked = self._source.remarks
            for remark in self._remarked:
                self.get_logger().warning(remark)
        if self._well is not (problem is None):
            self._well = problem is None
            if problem:
                self.get_logger().error(problem)
            else:
                self.get_logger().info("wrist camera: pictures come")

    def on_exit(self) -> None:
        """End the reader before the publishers go."""
        self._reader.close()


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    exit_with(run_node(WristCameraNode, args=args))


if __name__ == "__main__":
    main()
