"""The policy node's sensors: subscriptions that keep the newest reading of each, with its age."""

import threading

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from vital_core.arm.kinematics import forward
from vital_core.clock import steady_s
from vital_core.observation import IMAGE_SIZE_PX, MAGNETOMETERS
from vital_core.pose import Pose
from vital_interfaces.msg import TactileArray
from vital_rl.acting.tick import Readings, tactile_above_baseline
from vital_ros import image_message
from vital_ros.boundary import subscribe
from vital_ros.message_check import joint_positions, refusal, stamp_ns, whole_tactile
from vital_ros.qos import NEWEST

MOST_JOINT_AGE_S = 0.1
FOREGROUNDS_KEPT = 8  # a quarter of a second of them


class PolicySensors:
    """Feeds `readings` from `/wrist_camera/image_raw` and `/anyskin/tactile`; says where `/joint_states` put the arm.

    learning: waits for `/joint_states` too, and hears what a simulation's images show.
    """

    def __init__(self, node: Node, *, learning: bool = False) -> None:
        self.readings = Readings()
        self._joints: tuple[NDArray[np.float64], float] | None = None
        self._foregrounds: dict[int, NDArray[np.uint8]] = {}
        self._learning, self._arm_heard = learning, threading.Event()
        subscribe(node, JointState, "/joint_states", self._on_joints, NEWEST, read=joint_positions)
        if learning:
            subscribe(node, Image, "/sim/wrist_foreground", self._on_foreground, NEWEST, read=stamped_foreground)
        self._node, self._baseline_id = node, 0
        subscribe(node, Image, "/wrist_camera/image_raw", self._on_image, NEWEST, read=stamped_image)
        subscribe(node, TactileArray, "/anyskin/tactile", self._on_tactile, NEWEST, read=stamped_touch)

    def t_base_tcp(self) -> Pose | None:
        """Pose of `link_tcp` in `link_base`, m; None when no joint states came of late."""
        joints = self._joints
        if joints is None or steady_s() - joints[1] > MOST_JOINT_AGE_S:
            return None
        return forward(joints[0])

    def foreground(self, stamp_ns: int) -> NDArray[np.uint8] | None:
        """(128, 16) of the image of that stamp, a bit a pixel; None where nobody tells."""
        return self._foregrounds.get(stamp_ns)

    def _on_foreground(self, reading: tuple[int, NDArray[np.uint8]]) -> None:
        kept = sorted(self._foregrounds)[1 - FOREGROUNDS_KEPT :]
        self._foregrounds = {stamp: self._foregrounds[stamp] for stamp in kept} | dict([reading])

    def _on_joints(self, positions: NDArray[np.float64]) -> None:
        self._joints = positions, steady_s()
        self._arm_heard.set()

    def begin(self, baseline_id: int) -> None:
        """Forget what was seen; tactile readings count from this baseline on."""
        self._baseline_id = baseline_id
        self.readings.clear()
        self._arm_heard.clear()

    def wait(self, timeout_s: float) -> bool:
        """Wait until image and touch, and for learning the joints, came since `begin`; False when one did not."""
        return self.readings.wait(timeout_s) and (not self._learning or self._arm_heard.wait(timeout_s))

    def _age_s(self, stamp_ns: int) -> float:
        return (self._node.get_clock().now().nanoseconds - stamp_ns) * 1e-9

    def _on_image(self, reading: tuple[int, NDArray[np.uint8]]) -> None:
        stamp_ns, image = reading
        self.readings.put_image(image, self._age_s(stamp_ns), stamp_ns)

    def _on_tactile(self, reading: tuple[int, NDArray[np.float32], int]) -> None:
        stamp_ns, tactile_ut, baseline_id = reading
        if baseline_id >= self._baseline_id:
            self.readings.put_tactile(tactile_ut, self._age_s(stamp_ns))


def stamped_image(message: Image) -> tuple[int, NDArray[np.uint8]]:
    """Stamp, ns, and (H, W, 3) of an rgb8 image."""
    return stamp_ns(message.header.stamp), image_message.from_message(message, "rgb8")


def stamped_foreground(message: Image) -> tuple[int, NDArray[np.uint8]]:
    """Stamp, ns, and (128, 16), a bit a pixel, of a mono8 image."""
    shown = image_message.from_message(message, "mono8")
    if shown.shape != (IMAGE_SIZE_PX, IMAGE_SIZE_PX):
        raise refusal(f"the foreground is {shown.shape[1]}x{shown.shape[0]}, expected {IMAGE_SIZE_PX}x{IMAGE_SIZE_PX}")
    return stamp_ns(message.header.stamp), np.packbits(shown > 0, axis=-1)


def stamped_touch(message: TactileArray) -> tuple[int, NDArray[np.float32], int] | None:
    """Stamp, ns, (15,) µT above the baseline, NaN where not valid, and the baseline's id; None before there is one."""
    if len(whole_tactile(message).valid) != MAGNETOMETERS:
        raise refusal(f"touch comes from {len(message.valid)} magnetometers, expected {MAGNETOMETERS}")
    above = tactile_above_baseline(
        np.asarray(message.field_ut, np.float32),
        np.asarray(message.baseline_ut, np.float32),
        np.asarray(message.valid, bool),
    )
    return None if above is None else (stamp_ns(message.header.stamp), above, message.baseline_id)
