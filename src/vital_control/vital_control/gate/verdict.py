"""What the gate answers, before anything moves. The numbers are those of `vital_interfaces/msg/GateState`."""

from dataclasses import dataclass
from enum import IntEnum

from vital_core.command_rules import Rule
from vital_core.errors import ErrorCode
from vital_core.observation import Action


class Verdict(IntEnum):
    """The judgement on one command or trajectory; the table in `vital_control` says when each is given."""

    ACCEPTED = 0
    NOT_OWNER = 1
    NOT_FINITE = 2
    STALE = 3
    OUT_OF_BOX = 4
    STEP_TOO_LARGE = 5
    JOINT_LIMIT = 6
    UNREACHABLE = 7
    STOPPED = 8
    NO_JOINT_STATE = 9
    WRONG_FRAME = 10
    OUT_OF_ORDER = 11
    START_MISMATCH = 12
    TOO_FAST = 13
    BAD_DURATION = 14
    NO_TACTILE = 15


class Mode(IntEnum):
    """What the gate is doing with the arm."""

    IDLE = 0
    MOVING = 1
    HOLDING = 2
    LATCHED = 3


_ERROR_CODES = {
    Verdict.ACCEPTED: ErrorCode.OK,
    Verdict.NOT_OWNER: ErrorCode.NOT_OWNER,
    Verdict.STOPPED: ErrorCode.STOPPED,
    Verdict.UNREACHABLE: ErrorCode.UNREACHABLE,
    Verdict.NO_JOINT_STATE: ErrorCode.SENSOR_FAULT,
    Verdict.NO_TACTILE: ErrorCode.SENSOR_FAULT,
}


BROKEN_RULES = {
    Rule.NOT_FINITE: Verdict.NOT_FINITE,
    Rule.STEP_TOO_LARGE: Verdict.STEP_TOO_LARGE,
    Rule.GRIPPER_RANGE: Verdict.JOINT_LIMIT,
    Rule.OUT_OF_BOX: Verdict.OUT_OF_BOX,
    Rule.TOO_FAST: Verdict.TOO_FAST,
}


@dataclass(frozen=True)
class Judgement:
    """A verdict and its sentence: what was got, what was expected."""

    verdict: Verdict
    text: str = ""
    executed: Action | None = None
    """A command's action as it is carried out; None for a refusal, and for a trajectory."""
    projected: bool = False
    """Whether the command's target left the box and was brought back onto it."""

    @property
    def accepted(self) -> bool:
        """Whether the arm will do it."""
        return self.verdict is Verdict.ACCEPTED

    @property
    def error_code(self) -> ErrorCode:
        """The system-wide code of this verdict."""
        return _ERROR_CODES.get(self.verdict, ErrorCode.GATE_REFUSED)
