"""`/tf`, `/tf_static` and `/robot_description` from the arm's geometry and the calibration file.

Stands for robot_state_publisher wherever the arm's URDF is ours; it needs no URDF parser.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from builtin_interfaces.msg import Time as Stamp
from msgspec import Meta
from numpy.typing import NDArray
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from vital_core.arm import kinematics
from vital_core.arm.arm_description import SIM, arm_description
from vital_core.arm.xarm7 import BASE_FRAME, TCP_FRAME
from vital_core.files.calibration_file import CameraCalibration, read_calibration
from vital_core.files.camera_mounting import check_calibrations
from vital_core.files.date_text import now
from vital_ros.boundary import subscribe
from vital_ros.conversions import transform_messages
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.message_check import joint_positions, stamp_ns
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import LATCHED

MAX_RATE_HZ = 50.0
LINKS = (BASE_FRAME, *(f"link{i}" for i in range(1, 8)), TCP_FRAME)


@dataclass(frozen=True)
class FramesParameters:
    """Which arm, and where its cameras are."""

    calibration_file: Annotated[str, Meta(description="where the cameras are; empty: not said")] = ""
    mounting_file: Annotated[str, Meta(description="since when the cameras hang there; empty: not said")] = ""
    hardware: Annotated[str, Meta(description="sim, mock or robot: what the arm's description names")] = SIM
    robot_ip: Annotated[str, Meta(description="address of the control box, for robot")] = ""


class Frames(Node):
    """Publishes where the arm's links and the calibrated cameras are."""

    def __init__(self) -> None:
        super().__init__("frames")
        given = declare(self, FramesParameters)
        self._tf = self.create_publisher(TFMessage, "/tf", 10)
        self._description = self.create_publisher(String, "/robot_description", LATCHED)
        self._description.publish(String(data=arm_description(given.hardware, given.robot_ip)))
        self._cameras = self._calibrated(given) if given.calibration_file else []
        if self._cameras:
            self._static = self.create_publisher(TFMessage, "/tf_static", LATCHED)
            parents, children = [c.parent for c in self._cameras], [c.child for c in self._cameras]
            poses = np.stack([c.t_parent_child for c in self._cameras])
            stamp = self.get_clock().now().to_msg()
            self._static.publish(TFMessage(transforms=transform_messages(parents, children, poses, stamp)))
        self._next_s, self._published = 0.0, 0
        read = stamped_joints
        subscribe(self, JointState, "/joint_states", self._on_joints, qos_profile_sensor_data, read=read)
        self._diagnostics = Diagnostics(self, self._health)

    def _calibrated(self, given: FramesParameters) -> list[CameraCalibration]:
        """The file's entries, none of them of before its camera was mounted. Raises VitalError(NO_CALIBRATION)."""
        found = read_calibration(Path(given.calibration_file))
        check_calibrations(found, Path(given.mounting_file) if given.mounting_file else None, now())
        for calibration in found:
            self.get_logger().info(calibration.told(now()))
        return found

    def _on_joints(self, reading: tuple[Stamp, NDArray[np.float64]]) -> None:
        stamp, positions = reading
        now_s = stamp_ns(stamp) * 1e-9
        if 0.0 <= self._next_s - now_s < 1.0:
            return
        self._next_s = now_s + 1.0 / MAX_RATE_HZ
        t_links = kinematics.link_transforms(positions)
        poses = np.concatenate([t_links, kinematics.T_EEF_TCP[None]])
        self._tf.publish(TFMessage(transforms=transform_messages(LINKS[:-1], LINKS[1:], poses, stamp)))
        self._published += 1

    def _health(self) -> Health:
        values: dict[str, object] = {"published": self._published}
        values |= {f"calibration of {c.child}": c.told(now()) for c in self._cameras}
        return Health(OK, "", values) if self._published else Health(WARN, "no joint states yet", values)


def stamped_joints(message: JointState) -> tuple[Stamp, NDArray[np.float64]] | None:
    """Stamp and `joint_positions`; None when the message is about other joints."""
    positions = joint_positions(message)
    return None if positions is None else (message.header.stamp, positions)


def main() -> None:
    """Entry point."""
    exit_with(run_node(Frames, make_executor=EventsExecutor))
