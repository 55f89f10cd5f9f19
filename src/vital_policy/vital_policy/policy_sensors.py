"""The policy node's sensors: subscriptions that keep the newest reading of each, with its age."""

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import Image, JointState

from vital_core import image_message
from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_core.kinematics import forward
from vital_core.pose import Pose
from vital_core.xarm7 import JOINT_NAMES
from vital_interfaces.msg import TactileArray
from vital_policy.policy_messages import tactile_of
from vital_policy.tick import Readings

MOST_JOINT_AGE_S = 0.1
FOREGROUNDS_KEPT = 8  # a quarter of a second of them
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class PolicySensors:
    """Feeds `readings` from `/wrist_camera/image_raw` and `/anyskin/tactile`.

    learning: hears `/joint_states` too, and where a simulation tells what its pictures show.
    """

    def __init__(self, node: Node, *, learning: bool = False) -> None:
        self.readings, self.images_refused = Readings(), 0
        self._joints: tuple[NDArray[np.float64], float] | None = None
        self._foregrounds: dict[int, NDArray[np.uint8]] = {}
        if learning:
            node.create_subscription(JointState, "/joint_states", self._on_joints, NEWEST)
            node.create_subscription(Image, "/sim/wrist_foreground", self._on_foreground, NEWEST)
        self._node, self._baseline_id = node, 0
        node.create_subscription(Image, "/wrist_camera/image_raw", self._on_image, NEWEST)
        node.create_subscription(TactileArray, "/anyskin/tactile", self._on_tactile, NEWEST)

    def t_base_tcp(self) -> Pose | None:
        """Pose of `link_tcp` in `link_base`, m; None when no joint states came of late."""
        joints = self._joints
        if joints is None or steady_s() - joints[1] > MOST_JOINT_AGE_S:
            return None
        return forward(joints[0])

    def foreground(self, stamp_ns: int) -> NDArray[np.uint8] | None:
        """(128, 16) of the picture of that stamp, a bit a pixel; None where nobody tells."""
        return self._foregrounds.get(stamp_ns)

    def _on_foreground(self, message: Image) -> None:
        try:
            shown = np.packbits(image_message.from_message(message, "mono8") > 0, axis=-1)
        except VitalError:  # it helps learning, and is not worth an episode
            self.images_refused += 1
            return
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        kept = sorted(self._foregrounds)[1 - FOREGROUNDS_KEPT :]
        self._foregrounds = {stamp: self._foregrounds[stamp] for stamp in kept} | {stamp_ns: shown}

    def _on_joints(self, message: JointState) -> None:
        by_name = dict(zip(message.name, message.position, strict=False))
        if all(name in by_name for name in JOINT_NAMES):
            self._joints = np.array([by_name[name] for name in JOINT_NAMES]), steady_s()

    def begin(self, baseline_id: int) -> None:
        """Forget what was seen; tactile readings count from this baseline on."""
        self._baseline_id = baseline_id
        self.readings.clear()

    def _age_s(self, stamp: Time) -> float:
        return (self._node.get_clock().now() - stamp).nanoseconds * 1e-9

    def _on_image(self, message: Image) -> None:
        stamp = Time.from_msg(message.header.stamp)
        try:
            image = image_message.from_message(message, "rgb8")
        except VitalError as error:
            self.images_refused += 1
            self._node.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        self.readings.put_image(image, self._age_s(stamp), stamp.nanoseconds)

    def _on_tactile(self, message: TactileArray) -> None:
        tactile_ut = tactile_of(message)
        if tactile_ut is not None and message.baseline_id >= self._baseline_id:
            self.readings.put_tactile(tactile_ut, self._age_s(Time.from_msg(message.header.stamp)))
