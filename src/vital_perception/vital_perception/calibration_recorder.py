"""Records calibration pictures by itself: move the arm, let it rest a second, and the pose is kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState

from vital_core import image_message
from vital_core.clock import steady_s
from vital_core.xarm7 import JOINT_NAMES
from vital_perception.board import Board, Lens
from vital_perception.calibration_session import CalibrationFolder
from vital_perception.stillness import Stillness

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class CalibrationRecorder(Node):
    """Keeps a picture in which the board is seen, of each pose in which the arm rests. ``say`` tells the operator."""

    def __init__(self, folder: Path, board: Board, topics: tuple[str, str], say: Callable[[str], None]) -> None:
        super().__init__("calibration_recorder")
        self.kept = 0
        self._folder, self._board, self._say = CalibrationFolder(folder), board, say
        self._lens: Lens | None = None
        self._still = Stillness()
        self._joints: NDArray[np.float64] | None = None
        self._resting = False
        self._told_s = 0.0
        image, info = topics
        self.create_subscription(CameraInfo, info, self._on_info, NEWEST)
        self.create_subscription(JointState, "/joint_states", self._on_joints, NEWEST)
        self.create_subscription(Image, image, self._on_image, NEWEST)

    def _on_info(self, message: CameraInfo) -> None:
        if self._lens is None:
            self._lens = Lens(np.array(message.k).reshape(3, 3), message.distortion_model, np.array(message.d))
            self._folder.begin(self._lens, message.header.frame_id)

    def _on_joints(self, message: JointState) -> None:
        positions = dict(zip(message.name, message.position, strict=False))
        if all(name in positions for name in JOINT_NAMES):
            self._joints = np.array([positions[name] for name in JOINT_NAMES])
            self._resting = self._still.observe(self._joints, steady_s())

    def _on_image(self, message: Image) -> None:
        if self._lens is None or self._joints is None or not self._resting:
            return
        picture = image_message.from_message(message, "rgb8")
        if self._board.find(picture, self._lens) is None:
            if steady_s() - self._told_s > 2.0:
                self._told_s = steady_s()
                self._say("the arm rests, but the board is not seen (well enough): turn it to the camera")
            return
        name = self._folder.add(picture, self._joints.tolist())
        self._still.keep(self._joints)
        self._resting = False
        self.kept += 1
        self._say(f"{name}: pose {self.kept} kept; move on, tilting the board about another axis")
