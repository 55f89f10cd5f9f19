"""One look through the scene's RGB-D camera: subscribed to only while somebody waits for it."""

from collections import deque
from functools import partial

import numpy as np
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image

from vital_core.errors import ErrorCode, VitalError
from vital_ros.boundary import subscribe
from vital_ros.image_message import from_message
from vital_ros.message_check import stamp_ns, within
from vital_ros.qos import as_offered
from vital_vlm_reach.localisation.camera import Camera, View

TOPICS = {
    "colour image": (Image, "/camera/camera/color/image_raw"),
    "aligned depth": (Image, "/camera/camera/aligned_depth_to_color/image_raw"),
    "camera info": (CameraInfo, "/camera/camera/color/camera_info"),
}
# What was seen longer ago, by its stamp, shows where things were.
MAX_AGE_S = 1.0
# Colour and depth further apart in time than this may show different scenes.
MAX_APART_S = 0.2
KEPT = 10


class CameraView:
    """Collects the first fresh colour image, depth image and camera info that belong together, when some are lost too.

    Make it, await `arrived` and `close` it in the executor's thread; then `read`. since_ns: images from before, by
    their stamp, are not taken.
    """

    def __init__(self, node: Node, timeout_s: float, since_ns: int = 0) -> None:
        self._node, self._timeout_s, self._since_ns = node, timeout_s, since_ns
        self._latest: dict[str, Image | CameraInfo] = {}
        self._before: dict[str, deque[Image | CameraInfo]] = {name: deque(maxlen=KEPT) for name in TOPICS}
        self._too_old_s: dict[str, float] = {}
        self.arrived: Future = Future()
        self._subscriptions = [
            subscribe(node, kind, topic, partial(self._on_message, name), as_offered(node, topic))
            for name, (kind, topic) in TOPICS.items()
        ]
        self._timer = node.create_timer(timeout_s, self._finish)

    def _on_message(self, name: str, message: Image | CameraInfo) -> None:
        if self.arrived.done():
            return
        age_s = (self._node.get_clock().now().nanoseconds - stamp_ns(message.header.stamp)) * 1e-9
        if age_s > MAX_AGE_S:
            self._too_old_s[name] = age_s
            return
        if isinstance(message, Image) and stamp_ns(message.header.stamp) < self._since_ns:
            return
        self._latest[name] = message
        self._before[name].append(message)
        other = {"colour image": "aligned depth", "aligned depth": "colour image"}.get(name)
        if other is not None:
            self._pair_with(other)
        if len(self._latest) == len(TOPICS) and self._apart_s() <= MAX_APART_S:
            self._finish()

    def _pair_with(self, other: str) -> None:
        """Take the newest of the other images that was taken at the same moment, if there is one."""
        for partner in reversed(self._before[other]):
            self._latest[other] = partner
            if self._apart_s() <= MAX_APART_S:
                break

    def _apart_s(self) -> float:
        stamps = [stamp_ns(self._latest[name].header.stamp) for name in ("colour image", "aligned depth")]
        return abs(stamps[0] - stamps[1]) * 1e-9

    def _finish(self) -> None:
        if not self.arrived.done():
            self.arrived.set_result(None)

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def read(self) -> View:
        """What was seen. Raises VitalError: NO_CAMERA, NO_CALIBRATION, BAD_OBSERVATION."""
        missing = [f"{name} ({topic})" for name, (_, topic) in TOPICS.items() if name not in self._latest]
        if missing:
            old = [f"{name} {age_s:.1f} s old" for name, age_s in self._too_old_s.items()]
            raise VitalError(
                ErrorCode.NO_CAMERA,
                f"nothing fresh within {self._timeout_s:g} s of {', '.join(missing)}"
                + (f" (but {', '.join(old)}, at most {MAX_AGE_S:g} s allowed)" if old else "")
                + ": is the camera running?",
            )
        if (apart_s := self._apart_s()) > MAX_APART_S:
            raise VitalError(
                ErrorCode.NO_CAMERA,
                f"colour and depth are {apart_s:.2f} s apart, at most {MAX_APART_S} s: enable the camera's sync",
            )
        info = self._latest["camera info"]
        rgb = from_message(self._latest["colour image"], "rgb8")
        if rgb.shape[:2] != (info.height, info.width):
            raise VitalError(
                ErrorCode.NO_CALIBRATION,
                f"camera_info is for {info.width}x{info.height}, the image is {rgb.shape[1]}x{rgb.shape[0]}",
            )
        camera = Camera(info.width, info.height, np.array(info.k).reshape(3, 3), tuple(within("distortion", info.d)))
        depth_message = self._latest["aligned depth"]
        if depth_message.header.frame_id not in ("", info.header.frame_id):
            raise VitalError(
                ErrorCode.BAD_OBSERVATION,
                f"depth is seen from '{depth_message.header.frame_id}', colour from '{info.header.frame_id}': "
                "publish depth aligned to colour (realsense2_camera: align_depth.enable:=true)",
            )
        depth = from_message(depth_message, "16UC1")
        return View(rgb, depth, camera, info.header.frame_id)
