"""What a hand does and what comes of it, to and from messages."""

from typing import Any

from rclpy.duration import Duration
from rclpy.time import Time
from std_msgs.msg import Header

from vital_core.arm.xarm7 import TCP_FRAME
from vital_core.owner import Owner
from vital_interfaces.msg import EndEffectorDelta, OperatorInput, TeleopState
from vital_ros.message_check import one_of, pose_in, within
from vital_teleop.device import DeviceSample
from vital_teleop.operation import Mode, Step

OWNER = Owner.TELEOP
RATE_HZ = 30.0
PERIOD_S = 1.0 / RATE_HZ
# A command is good for a little longer than its period; a later one is not carried out.
VALID_S = 0.1
# No hand is faster, m/s or rad/s, and no gripper wider open than 0 or closer than 1, but for rounding.
FASTEST, WIDEST_GRIPPER = 20.0, 1.1


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


def command_message(step: Step, token: int, seq: int, now: Time) -> EndEffectorDelta:
    """The command of a step that has a delta."""
    assert step.delta is not None
    message = EndEffectorDelta(owner=OWNER, token=token, seq=seq, duration_s=PERIOD_S, gripper=step.gripper)
    message.header = Header(frame_id=TCP_FRAME, stamp=now.to_msg())
    message.valid_until = (now + Duration(seconds=VALID_S)).to_msg()
    t, r = message.translation_m, message.rotation_rad
    t.x, t.y, t.z, r.x, r.y, r.z = map(float, step.delta)
    return message


def state_message(device: str, step: Step, sample: DeviceSample, now_s: float) -> TeleopState:
    """What the node sees of its device and does with it; now_s: steady time."""
    state = TeleopState(device=device, mode=step.mode.value, device_alive=step.mode is not Mode.LOST)
    state.heartbeat_age_s, state.input_age_s = now_s - sample.alive_s, now_s - sample.input_s
    state.gripper = step.gripper
    return state
