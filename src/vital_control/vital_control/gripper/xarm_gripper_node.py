"""The robot's gripper: what the gate sends on the gripper's trajectory topic becomes goals of the vendor's action.

The vendor's driver has no trajectory controller for the gripper, as the simulator and the mock arm have.
"""

import math
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectory

from vital_control.gripper.gripper_relay import GripperRelay
from vital_core.arm.xarm7 import GRIPPER_CLOSED_RAD, GRIPPER_JOINT
from vital_core.errors import ErrorCode, VitalError
from vital_ros.boundary import subscribe
from vital_ros.diagnostics import ERROR, OK, Diagnostics, Health
from vital_ros.message_check import refusal
from vital_ros.process.node_main import exit_with, run_node

TOPIC = "/xarm_gripper_traj_controller/joint_trajectory"
ACTION = "/xarm_gripper/gripper_action"


def gripper_command_type() -> Any:
    """control_msgs' GripperCommand, which only a ROS installation has. Raises VitalError without it."""
    try:
        from control_msgs.action import GripperCommand
    except ImportError as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER, "the gripper needs control_msgs: sudo apt install ros-jazzy-control-msgs"
        ) from error
    return GripperCommand


def position_of(message: JointTrajectory) -> float:
    """drive_joint's last position in rad, within its stroke. Raises VitalError when there is none."""
    names, points = list(message.joint_names), message.points
    if names != [GRIPPER_JOINT] or not points or len(points[-1].positions) != 1 or math.isnan(points[-1].positions[0]):
        raise refusal(
            f"gripper trajectory of {len(points)} points for {names[:7]}, expected one position of {GRIPPER_JOINT}"
        )
    return min(max(points[-1].positions[0], 0.0), GRIPPER_CLOSED_RAD)


class XarmGripper(Node):
    """See the module's docstring. Everything runs in the executor's thread."""

    def __init__(self, action_type: Any = None) -> None:
        super().__init__("xarm_gripper")
        self._type = action_type or gripper_command_type()
        self._relay = GripperRelay()
        self._failed = self._reached = 0
        self._action = ActionClient(self, self._type, ACTION)
        subscribe(self, JointTrajectory, TOPIC, self._on_wish, 1, read=position_of)
        self.create_timer(0.1, self._send)
        self._diagnostics = Diagnostics(self, self._health)

    def _on_wish(self, position_rad: float) -> None:
        self._relay.wish(position_rad)
        self._send()

    def _send(self) -> None:
        if not self._action.server_is_ready():
            return
        position = self._relay.next_goal()
        if position is None:
            return
        goal = self._type.Goal()
        goal.command.position = position
        self._action.send_goal_async(goal).add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        handle = future.result()
        if handle is None or not handle.accepted:
            self._ended(False)
            return
        handle.get_result_async().add_done_callback(
            lambda result: self._ended(result.result().status == GoalStatus.STATUS_SUCCEEDED)
        )

    def _ended(self, reached: bool) -> None:
        self._reached += reached
        self._failed += not reached
        if not reached:
            self.get_logger().error("the gripper did not reach its goal: see the arm's error state")
        self._relay.done(reached)
        self._send()

    def _health(self) -> Health:
        values = {"reached": self._reached, "failed": self._failed}
        if not self._action.server_is_ready():
            return Health(ERROR, f"nobody serves {ACTION}: is the arm's driver running with add_gripper?", values)
        return Health(OK, "moving" if self._relay.busy else "at rest", values)


def main() -> None:
    """Entry point."""
    exit_with(run_node(XarmGripper))
