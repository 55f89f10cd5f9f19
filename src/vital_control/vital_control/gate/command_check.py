"""What is asked of an end-effector command before a way is planned for it: one small question each, in order."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vital_control.gate.limits import Limits
from vital_control.gate.verdict import BROKEN_RULES, Judgement, Verdict
from vital_core.arm.xarm7 import TCP_FRAME
from vital_core.command_rules import Refusal
from vital_core.observation import Action

CLOCK_TOLERANCE_S = 0.1


@dataclass(frozen=True)
class Command:
    """One end-effector command: a TCP-frame delta (m, rad) from the measured pose, to be carried out in duration_s.

    token: of the owner's acquisition, left out of the representation. stamp_s and valid_until_s are ROS time, s.
    gripper: 0 open, 1 closed.
    """

    owner: str
    token: int = field(repr=False)
    seq: int
    frame_id: str
    stamp_s: float
    valid_until_s: float
    duration_s: float
    translation_m: NDArray[np.float64]
    rotation_rad: NDArray[np.float64]
    gripper: float

    @property
    def action(self) -> Action:
        """What it asks of the arm and the gripper."""
        return Action(self.translation_m, self.rotation_rad, self.gripper)


@dataclass(frozen=True)
class Situation:
    """What the gate knows when it judges. Ages are steady time, ros_now_s is ROS time, both s.

    proven: whether the sender has the token of the owner's acquisition. blind: why the touch guard cannot tell how
    hard the arm presses, or None.
    """

    owner: str
    proven: bool
    stop_reason: str | None
    executing: bool
    last_seq: int | None
    ros_now_s: float
    joint_state_age_s: float
    blind: str | None
    limits: Limits


def check_command(command: Command, situation: Situation) -> Judgement | None:
    """The first thing that is wrong with the command, or None."""
    for check in _CHECKS:
        judgement = check(command, situation)
        if judgement is not None:
            return judgement
    return None


def check_may_move(owner: str, situation: Situation) -> Judgement | None:
    """Whether ``owner`` may move the arm at all: not stopped, owns it, and the arm is seen."""
    if situation.stop_reason is not None:
        return Judgement(
            Verdict.STOPPED,
            f"stopped ({situation.stop_reason}): look at the arm, then call /vital/clear_stop",
        )
    if owner != situation.owner:
        has = f"'{situation.owner}' owns the arm" if situation.owner else "nobody owns the arm"
        return Judgement(Verdict.NOT_OWNER, f"'{owner}' commands, but {has}: call /vital/acquire_control first")
    if not situation.proven:
        return Judgement(
            Verdict.NOT_OWNER,
            f"the token is not that of the acquisition by which '{owner}' owns the arm: send the one that "
            "/vital/acquire_control answered with",
        )
    if situation.joint_state_age_s > situation.limits.max_joint_state_age_s:
        return Judgement(Verdict.NO_JOINT_STATE, _age_text(situation))
    if situation.blind is not None:
        return Judgement(Verdict.NO_TACTILE, situation.blind)
    return None


def _age_text(situation: Situation) -> str:
    age_s, limit_s = situation.joint_state_age_s, situation.limits.max_joint_state_age_s
    if not np.isfinite(age_s):
        return f"no joint state has been received yet, expected one at least every {limit_s * 1000:.0f} ms"
    return f"joint state is {age_s * 1000:.0f} ms old, at most {limit_s * 1000:.0f} ms allowed"


def _may_move(command: Command, situation: Situation) -> Judgement | None:
    return check_may_move(command.owner, situation)


def _not_during_a_trajectory(command: Command, situation: Situation) -> Judgement | None:
    if not situation.executing:
        return None
    return Judgement(Verdict.OUT_OF_ORDER, "a trajectory is being carried out: wait for its result or cancel it")


def _in_order(command: Command, situation: Situation) -> Judgement | None:
    if situation.last_seq is None or command.seq > situation.last_seq:
        return None
    return Judgement(
        Verdict.OUT_OF_ORDER,
        f"seq {command.seq} after {situation.last_seq}, expected a larger one: "
        f"is more than one node commanding as '{command.owner}'?",
    )


def _finite(command: Command, situation: Situation) -> Judgement | None:
    for name in ("duration_s", "stamp_s", "valid_until_s"):
        value = getattr(command, name)
        if not np.isfinite(value).all():
            return Judgement(Verdict.NOT_FINITE, f"{name} is {value}, expected finite numbers")
    return None


def _frame(command: Command, situation: Situation) -> Judgement | None:
    if command.frame_id == TCP_FRAME:
        return None
    return Judgement(Verdict.WRONG_FRAME, f"frame_id is '{command.frame_id}', expected '{TCP_FRAME}'")


def _duration(command: Command, situation: Situation) -> Judgement | None:
    lower, upper = situation.limits.min_duration_s, situation.limits.max_duration_s
    if lower <= command.duration_s <= upper:
        return None
    return Judgement(Verdict.BAD_DURATION, f"duration is {command.duration_s:.4g} s, expected {lower} to {upper} s")


def _fresh(command: Command, situation: Situation) -> Judgement | None:
    late_s = situation.ros_now_s - command.valid_until_s
    if late_s > 0.0:
        return Judgement(Verdict.STALE, f"came {late_s * 1000:.0f} ms after its valid_until")
    age_s = situation.ros_now_s - command.stamp_s
    if age_s > situation.limits.max_command_age_s:
        limit_ms = situation.limits.max_command_age_s * 1000
        return Judgement(
            Verdict.STALE, f"its observation is {age_s * 1000:.0f} ms old, at most {limit_ms:.0f} ms allowed"
        )
    if age_s < -CLOCK_TOLERANCE_S:
        return Judgement(
            Verdict.STALE, f"its stamp is {-age_s * 1000:.0f} ms in the future: check that the clocks agree"
        )
    return None


def _action(command: Command, situation: Situation) -> Judgement | None:
    refusal = situation.limits.rules.refuse_action(command.action)
    return None if refusal is None else judgement_on(refusal)


def judgement_on(refusal: Refusal) -> Judgement:
    """The gate's verdict on a broken rule."""
    return Judgement(BROKEN_RULES[refusal.rule], refusal.text)


_CHECKS: tuple[Callable[[Command, Situation], Judgement | None], ...] = (
    _may_move,
    _not_during_a_trajectory,
    _in_order,
    _finite,
    _frame,
    _duration,
    _fresh,
    _action,
)
