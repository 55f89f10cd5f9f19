"""Records calibration images by itself: move the arm, let it rest a second, and the pose is kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, JointState

from vital_core.clock import steady_s
from vital_perception.calibration.board import Board, Lens
from vital_perception.calibration.calibration_session import CalibrationFolder
from vital_perception.calibration.stillness import Stillness
from vital_ros import image_message
from vital_ros.boundary import subscribe
from vital_ros.diagnostics import OK, Diagnostics, Health
from vital_ros.message_check import joint_positions, within
from vital_ros.qos import NEWEST


class CalibrationRecorder(Node):
    """Keeps an image in which the board is seen, of each pose in which the arm rests. ``say`` tells the operator."""

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
        subscribe(self, CameraInfo, info, self._on_info, NEWEST, read=lens_and_frame)
        subscribe(self, JointState, "/joint_states", self._on_joints, NEWEST, read=joint_positions)
        subscribe(self, Image, image, self._on_image, NEWEST, read=lambda m: image_message.from_message(m, "rgb8"))
        self._diagnostics = Diagnostics(self, lambda: Health(OK, f"{self.kept} poses kept"))

    def _on_info(self, camera: tuple[Lens, str]) -> None:
        if self._lens is None:
            self._folder.begin(*camera)
            self._lens = camera[0]

    def _on_joints(self, positions: NDArray[np.float64]) -> None:
        self._joints = positions
        self._resting = self._still.observe(positions, steady_s())

    def _on_image(self, picture: NDArray[np.uint8]) -> None:
        if self._lens is None or self._joints is None or not self._resting:
            return
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


def lens_and_frame(message: CameraInfo) -> tuple[Lens, str]:
    """The calibrated camera and its frame. Raises VitalError when it is not calibrated."""
    matrix, distortion = within("matrix", message.k).reshape(3, 3), within("distortion", message.d)
    return Lens(matrix, message.distortion_model, distortion), message.header.frame_id
