"""One device, one stream of `/vital/command` at 30 Hz, for as long as the clutch is closed and the arm is ours."""

import numpy as np
from numpy.typing import NDArray
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vital_core.arm import kinematics
from vital_core.clock import steady_s
from vital_core.pose import Pose
from vital_core.task import load_task
from vital_interfaces.msg import EndEffectorDelta, GateState, OperatorInput, TeleopState
from vital_interfaces.srv import AcquireControl
from vital_ros.boundary import subscribe
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.gate_watch import GateWatch
from vital_ros.message_check import joint_positions
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import raise_priority
from vital_ros.qos import NEWEST
from vital_teleop.arm_claim import ArmClaim
from vital_teleop.button_presses import ButtonPresses
from vital_teleop.device import Device, DeviceName
from vital_teleop.devices import make_device
from vital_teleop.devices.remote import Remote
from vital_teleop.devices.webxr_settings import WebXrSettings
from vital_teleop.following import Box, FollowConfig
from vital_teleop.opened_device import OpenedDevice
from vital_teleop.operation import Mode, Operation, Step
from vital_teleop.teleop_messages import PERIOD_S, command_message, hand_of, state_message
from vital_teleop.teleop_parameters import TeleopParameters

TICKS_PER_STATE = 3
PRIORITY = 1
JOINTS_TOO_OLD_S = 0.25


class TeleopNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("teleop_node")
        given = declare(self, TeleopParameters)
        task = load_task(given.task)
        box = Box(task.workspace_lower_m, task.workspace_upper_m)
        self._operation = Operation(declare(self, FollowConfig), box)
        webxr = declare(self, WebXrSettings, prefix="webxr_")
        self._device: Device = Remote() if given.device == DeviceName.REMOTE else make_device(given.device, webxr)
        self._message = ""
        self._hand = OpenedDevice(self._device, self._told)
        self._joints: tuple[NDArray[np.float64], float] | None = None
        self._seq = self._ticks = 0
        control = self.create_client(AcquireControl, "/vital/acquire_control")
        self._claim = ArmClaim(control, task.name, take_over=given.take_over, told=self._told)
        self._connect()
        self._hand.open()
        self.get_logger().info(self._device.help)
        self.create_timer(PERIOD_S, self._tick)
        self._diagnostics = Diagnostics(self, self._health)

    def _connect(self) -> None:
        self._command = self.create_publisher(EndEffectorDelta, "/vital/command", 1)
        self._state = self.create_publisher(TeleopState, "/vital/teleop_state", 10)
        self._buttons = ButtonPresses(self, self._device.name)
        subscribe(self, JointState, "/joint_states", self._on_joints, NEWEST, read=joint_positions)
        self._watch = GateWatch(self, self._on_gate)
        if isinstance(self._device, Remote):
            put = self._device.put
            subscribe(self, OperatorInput, "/vital/operator_input", lambda hand: put(**hand), 10, read=hand_of)

    def _on_joints(self, positions: NDArray[np.float64]) -> None:
        self._joints = positions, steady_s()

    def _on_gate(self, message: GateState) -> None:
        if why := self._claim.taken_away(message):
            self._lose(why)

    def _lose(self, why: str) -> None:
        self._claim.owned = False
        self._operation.forfeit()
        self._say(f"control lost: {why}; open the clutch")

    def _tick(self) -> None:
        now_s = steady_s()
        sample = self._hand.read(now_s)
        mode_before, lost = self._operation.mode, self._watch.lost()
        if self._claim.owned and lost is not None:
            self._lose(lost.message)
            self._claim.release(self._claim.token)  # for when it answers again
        step = self._operation.step(sample, now_s, self._measured(now_s), owner=self._claim.owned)
        for button in sample.buttons:
            self._buttons.press(button, now_s)
        if lost is None or not step.wants_arm:
            self._claim.follow(step.wants_arm, now_s)
        if step.delta is not None:
            self._seq += 1
            self._command.publish(command_message(step, self._claim.token, self._seq, self.get_clock().now()))
        self._ticks += 1
        if step.mode is not mode_before or self._ticks % TICKS_PER_STATE == 0:
            self._tell(step, now_s)

    def _measured(self, now_s: float) -> Pose | None:
        if self._joints is None or now_s - self._joints[1] > JOINTS_TOO_OLD_S:
            return None
        return kinematics.forward(self._joints[0])

    def _told(self, message: str) -> None:
        """The same sentence is said once."""
        if message and message != self._message:
            self._say(message)
        self._message = message

    def _say(self, message: str) -> None:
        self._message = message
        self.get_logger().warning(message)

    def _tell(self, step: Step, now_s: float) -> None:
        state = state_message(self._device.name, step, self._hand.sample, now_s)
        state.header.stamp = self.get_clock().now().to_msg()
        state.commands_sent, state.message = self._seq, self._message
        self._state.publish(state)

    def _health(self) -> Health:
        mode = self._operation.mode
        values = {"commands_sent": self._seq, "samples_limited": self._operation.limited}
        if mode is Mode.LOST:
            return Health(WARN, self._message or f"no sign of life from the {self._device.name}", values)
        return Health(OK, mode.name.lower(), values)

    def on_exit(self) -> None:
        """Give the arm back and leave the device as it was."""
        if self._claim.owned:
            self._claim.release(self._claim.token)
        self._device.close()


def main(args: list[str] | None = None) -> None:
    """Teleoperate until SIGINT or SIGTERM."""
    raise_priority(PRIORITY)
    exit_with(run_node(TeleopNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
