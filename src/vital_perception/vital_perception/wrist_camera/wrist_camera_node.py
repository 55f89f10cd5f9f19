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
from vital_perception.wrist_camera.image_reader import ImageReader
from vital_perception.wrist_camera.image_source import CameraSettings, make_source
from vital_perception.wrist_camera.image_watch import ImageWatch, WatchConfig
from vital_perception.wrist_camera.wrist_camera_parameters import WristCameraParameters
from vital_ros import image_message
from vital_ros.conversions import camera_info_message
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node

FRAME = "wrist_camera_optical_frame"


class WristCameraNode(Node):
    """Images are published from the reader's thread, as they come."""

    def __init__(self) -> None:
        super().__init__("wrist_camera")
        given, settings = declare(self, WristCameraParameters), declare(self, CameraSettings)
        self._window = given.window_of(settings)
        self._matrix, self._distortion = given.matrix_of(self._window), given.distortion
        self.watch = ImageWatch(declare(self, WatchConfig), settings.rate_hz)
        self._refused = 0
        self._remarked: tuple[str, ...] = ()
        self._well: bool | None = None
        self._image = self.create_publisher(Image, "/wrist_camera/image_raw", qos_profile_sensor_data)
        self._info = self.create_publisher(CameraInfo, "/wrist_camera/camera_info", qos_profile_sensor_data)
        self._source = make_source(given.device, settings, given.loop)
        self._reader = ImageReader(self._source, self._on_image, self.watch.forget, settings.rate_hz)
        self._diagnostics = Diagnostics(self, self._health)
        self._reader.start()

    def _on_image(self, image: NDArray[np.uint8], stamp_s: float) -> None:
        try:
            small = self._window.apply(image)
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
        size_px = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
        self._info.publish(camera_info_message(self._matrix, size_px, "equidistant", header, self._distortion))

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
            "images": watch.images,
            "frozen": watch.frozen_images,
            "dark": watch.dark_images,
            "late": watch.late_images,
            "wrong_size": self._refused,
            "connections": self._reader.connections,
            "losses": self._reader.losses,
            **{f"remark {i}": remark for i, remark in enumerate(self._source.remarks)},
        }
        if problem is not None:
            return Health(ERROR, problem, values)
        if self._source.remarks:
            return Health(WARN, self._source.remarks[0], values)
        return Health(OK, f"{watch.rate_hz():.0f} images/s", values)

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
                self.get_logger().info("wrist camera: images come")

    def on_exit(self) -> None:
        """End the reader before the publishers go."""
        self._reader.close()


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    exit_with(run_node(WristCameraNode, args=args))


if __name__ == "__main__":
    main()
