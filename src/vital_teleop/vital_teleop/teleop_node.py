"""One device, one stream of `/vital/command` at 30 Hz, for as long as the clutch is closed and the arm is ours."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from vital_core.arm import kinematics
from vital_core.arm.xarm7 import TCP_FRAME
from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_core.owner import Owner
from vital_core.pose import Pose
from vital_core.task import load_task
from vital_interfaces.msg import EndEffectorDelta, GateState, OperatorInput, TeleopEvent, TeleopState
from vital_interfaces.srv import AcquireControl, Stop
from vital_ros.boundary import subscribe
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.gate_watch import GateWatch
from vital_ros.message_check import joint_positions, one_of, pose_in, within
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import raise_priority
from vital_ros.qos import NEWEST
from vital_teleop.device import Button, Device, DeviceSample
from vital_teleop.devices import NAMES, REMOTE, make_device
from vital_teleop.devices.remote import Remote
from vital_teleop.devices.webxr_settings import WebXrSettings
from vital_teleop.following import Box, FollowConfig
from vital_teleop.operation import Mode, Operation, Step

OWNER = Owner.TELEOP
RATE_HZ = 30.0
PERIOD_S = 1.0 / RATE_HZ
TICKS_PER_STATE = 3
PRIORITY = 1
JOINTS_TOO_OLD_S = 0.25
ASK_AGAIN_S = 0.5
OPEN_AGAIN_S = 1.0
# A command is good for a little longer than its period; a later one is not carried out.
VALID_S = 0.1
# The same button again within this time is a bounce.
BOUNCE_S = 0.3
# No hand is faster, m/s or rad/s, and no gripper wider open than 0 or closer than 1, but for rounding.
FASTEST, WIDEST_GRIPPER = 20.0, 1.1


@dataclass(frozen=True)
class TeleopParameters:
    """Whose hand moves the arm, and for which task; further ones in `FollowConfig` and `WebXrSettings`."""

    task: Annotated[str, Meta(description="the task whose box and limits hold")] = "usb_insertion"
    device: Annotated[str, Meta(description=f"one of {', '.join(NAMES)}")] = "keyboard"
    take_over: Annotated[bool, Meta(description="take the arm from whoever has it when the clutch closes")] = False


class TeleopNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("teleop_node")
        given = declare(self, TeleopParameters)
        self._task, self._take_over = load_task(given.task), given.take_over
        box = Box(self._task.workspace_lower_m, self._task.workspace_upper_m)
        self._operation = Operation(declare(self, FollowConfig), box)
        webxr = declare(self, WebXrSettings, prefix="webxr_")
        self._device: Device = Remote() if given.device == REMOTE else make_device(given.device, webxr)
        self._open_at_s = 0.0
        self._opened = False
        self._message = ""
        self._owner, self._token = False, 0
        self._asked_s: float | None = None
        self._joints: tuple[NDArray[np.float64], float] | None = None
        self._seq = self._ticks = 0
        self._last_press: dict[Button, float] = {}
        self._sample = DeviceSample(alive_s=float("-inf"))
        self._connect()
        self._open()
        self.get_logger().info(self._device.help)
        self.create_timer(PERIOD_S, self._tick)
        self._diagnostics = Diagnostics(self, self._health)

    def _connect(self) -> None:
        self._command = self.create_publisher(EndEffectorDelta, "/vital/command", 1)
        self._event = self.create_publisher(TeleopEvent, "/vital/teleop_event", 10)
        self._state = self.create_publisher(TeleopState, "/vital/teleop_state", 10)
        self._control = self.create_client(AcquireControl, "/vital/acquire_control")
        self._stop = self.create_client(Stop, "/vital/stop")
        subscribe(self, JointState, "/joint_states", self._on_joints, NEWEST, read=joint_positions)
        self._watch = GateWatch(self, self._on_gate)
        if isinstance(self._device, Remote):
            subscribe(self, OperatorInput, "/vital/operator_input", self._on_input, 10, read=hand_of)

    # What comes in.

    def _on_joints(self, positions: NDArray[np.float64]) -> None:
        self._joints = positions, steady_s()

    def _on_gate(self, message: GateState) -> None:
        taken = self._owner and (message.owner != OWNER or message.mode == GateState.LATCHED)
        # A state from before the arm was granted says nothing about it.
        if taken and self._asked_s is None:
            self._lose(message.stop_reason if message.mode == GateState.LATCHED else f"'{message.owner}' has the arm")

    def _lose(self, why: str) -> None:
        self._owner = False
        self._operation.forfeit()
        self._say(f"control lost: {why}; open the clutch")

    def _on_input(self, hand: dict[str, Any]) -> None:
        assert isinstance(self._device, Remote)
        self._device.put(**hand)

    # Thirty times a second.

    def _tick(self) -> None:
        now_s = steady_s()
        self._sample = sample = self._read(now_s)
        mode_before = self._operation.mode
        lost = self._watch.lost()
        if self._owner and lost is not None:
            self._lose(lost.message)
            self._release(self._token)  # for when it answers again
        step = self._operation.step(sample, now_s, self._measured(now_s), owner=self._owner)
        for button in sample.buttons:
            self._press(button, now_s)
        if lost is None or not step.wants_arm:
            self._claim(step, now_s)
        if step.delta is not None:
            self._send(step)
        self._ticks += 1
        if step.mode is not mode_before or self._ticks % TICKS_PER_STATE == 0:
            self._tell(step, now_s)

    def _read(self, now_s: float) -> DeviceSample:
        """The device now; one that has gone is looked for again each second, its last sign of life growing old."""
        if not self._opened and (now_s < self._open_at_s or not self._open()):
            return DeviceSample(self._sample.alive_s)
        try:
            return self._device.poll()
        except VitalError as error:
            self._opened, self._open_at_s = False, now_s + OPEN_AGAIN_S
            self._say(str(error))
            return DeviceSample(float("-inf"))

    def _open(self) -> bool:
        try:
            self._device.open()
        except VitalError as error:
            if self._message != str(error):
                self._say(str(error))
            self._open_at_s = steady_s() + OPEN_AGAIN_S
            return False
        self._opened, self._message = True, ""
        return True

    def _measured(self, now_s: float) -> Pose | None:
        if self._joints is None or now_s - self._joints[1] > JOINTS_TOO_OLD_S:
            return None
        return kinematics.forward(self._joints[0])

    def _press(self, button: Button, now_s: float) -> None:
        if now_s - self._last_press.get(button, -np.inf) < BOUNCE_S:
            return
        self._last_press[button] = now_s
        if button is Button.STOP and self._stop.service_is_ready():
            self._stop.call_async(Stop.Request(reason=f"STOP on the {self._device.name}"))
        header = Header(stamp=self.get_clock().now().to_msg())
        self._event.publish(TeleopEvent(header=header, device=self._device.name, kind=int(button)))

    def _claim(self, step: Step, now_s: float) -> None:
        """Ask the gate for the arm while it is wanted, and give it back when it is not."""
        if step.wants_arm and not self._owner:
            if self._asked_s is None or now_s - self._asked_s > ASK_AGAIN_S:
                self._asked_s = now_s
                request = AcquireControl.Request(owner=OWNER, token=self._token, task=self._task.name)
                request.take_over = self._take_over
                self._control.call_async(request).add_done_callback(self._answered)
        elif not step.wants_arm and (self._owner or self._asked_s is not None):
            self._owner, self._asked_s = False, None
            self._release(self._token)

    def _release(self, token: int) -> None:
        self._control.call_async(AcquireControl.Request(owner=OWNER, token=token, release=True))

    def _answered(self, future: Future) -> None:
        answer = future.result()
        if answer is None:
            return
        if self._asked_s is None:  # the clutch has opened meanwhile, before there was a token to release with
            if answer.granted:
                self._release(answer.token)
            return
        self._asked_s = None
        self._owner = answer.granted
        if answer.granted:
            self._token, self._message = answer.token, ""
        elif self._message != answer.message:
            self._say(answer.message)

    def _send(self, step: Step) -> None:
        assert step.delta is not None
        self._seq += 1
        now = self.get_clock().now()
        message = EndEffectorDelta(owner=OWNER, token=self._token, seq=self._seq, duration_s=PERIOD_S)
        message.gripper = step.gripper
        message.header = Header(frame_id=TCP_FRAME, stamp=now.to_msg())
        message.valid_until = (now + Duration(seconds=VALID_S)).to_msg()
        t, r = message.translation_m, message.rotation_rad
        t.x, t.y, t.z, r.x, r.y, r.z = map(float, step.delta)
        self._command.publish(message)

    def _say(self, message: str) -> None:
        self._message = message
        self.get_logger().warning(message)

    def _tell(self, step: Step, now_s: float) -> None:
        state = TeleopState(header=Header(stamp=self.get_clock().now().to_msg()), device=self._device.name)
        state.mode = step.mode.value
        state.device_alive = step.mode is not Mode.LOST
        state.heartbeat_age_s = now_s - self._sample.alive_s
        state.input_age_s = now_s - self._sample.input_s
        state.commands_sent, state.gripper, state.message = self._seq, step.gripper, self._message
        self._state.publish(state)

    def _health(self) -> Health:
        mode = self._operation.mode
        values = {"commands_sent": self._seq, "samples_limited": self._operation.limited}
        if mode is Mode.LOST:
            return Health(WARN, self._message or f"no sign of life from the {self._device.name}", values)
        return Health(OK, mode.name.lower(), values)

    def on_exit(self) -> None:
        """Give the arm back and leave the device as it was."""
        if self._owner:
            self._release(self._token)
        self._device.close()


def hand_of(message: OperatorInput) -> dict[str, Any]:
    """What a hand does, as `Remote.put` takes it."""
    one_of("kind", message.kind, (OperatorInput.NONE, OperatorInput.POSE, OperatorInput.TWIST))
    v, w = message.twist.linear, message.twist.angular
    twist = (v.x, v.y, v.z, w.x, w.y, w.z)
    return {
        "clutch": message.clutch,
        "pose": pose_in("the hand", message.pose) if message.kind == OperatorInput.POSE else None,
        "twist": within("twist", twist, FASTEST) if message.kind == OperatorInput.TWIST else None,
        "gripper": float(within("gripper", message.gripper, WIDEST_GRIPPER)),
        "button": message.event,
    }


def main(args: list[str] | None = None) -> None:
    """Teleoperate until SIGINT or SIGTERM."""
    raise_priority(PRIORITY)
    exit_with(run_node(TeleopNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
