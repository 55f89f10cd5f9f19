"""What is said about where the arm is: why nothing may go on from there, or be cleared there."""

import numpy as np

from vital_control.gate.arm import REFERENCE_TOLERANCE_RAD, Arm
from vital_control.gate.ownership import Answer
from vital_control.gate.touch_guard import TouchGuard
from vital_control.gate.verdict import Judgement, Verdict
from vital_core.errors import ErrorCode

OTHER_REFERENCE_FOR_S = 0.5
SAFE_ORDER = (
    "deactivate the trajectory controller, clear the arm's error, enable it (mode 1, state 0), activate the controller "
    "again, then clear the stop (docs/robot.md, after an error)"
)


def place_problem(arm: Arm, now_s: float) -> str | None:
    """Why nothing may go on from where the arm is, or None. An arm that presses on something while it moves may be
    apart from its command, up to the following tolerance; an arm at rest may not."""
    if arm.apart(now_s):
        return f"{arm.apart_text(now_s)}: is something in the way, or was it moved?"
    if arm.reference_fresh(now_s) and arm.other_reference_for_s(now_s) > OTHER_REFERENCE_FOR_S:
        return (
            f"the trajectory controller holds the arm {arm.reference_apart_rad(now_s):.3f} rad from where the gate "
            "sent it: does another node command it?"
        )
    return None


def misplaced(arm: Arm, now_s: float) -> Judgement | None:
    """`place_problem` as the judgement of what would move the arm."""
    text = place_problem(arm, now_s)
    return None if text is None else Judgement(Verdict.START_MISMATCH, text)


def unseen(arm: Arm, now_s: float) -> Answer | None:
    """Why the arm's joints are not known, or None."""
    if arm.seen(now_s):
        return None
    return Answer(
        False, ErrorCode.SENSOR_FAULT, f"last joint state {arm.age_s(now_s):.2f} s ago: is the arm connected?"
    )


def unfit_to_move(arm: Arm, touch: TouchGuard, now_s: float) -> Answer | None:
    """Why nobody may have the arm now: it is not seen, not where it was sent, or what it touches is unknown."""
    if (answer := unseen(arm, now_s)) is not None:
        return answer
    if (place := place_problem(arm, now_s)) is not None:
        return Answer(False, ErrorCode.ARM_DISPLACED, place)
    if (fault := touch.blind(now_s) or touch.loaded()) is not None:
        return Answer(False, fault.code, fault.text)
    return None


def silent_sensor(arm: Arm, touch: TouchGuard, now_s: float) -> tuple[float, str] | None:
    """For how long, and which, sensor of a running trajectory is silent."""
    if not arm.seen(now_s):
        return arm.age_s(now_s), "joint states stopped coming"
    fault = touch.blind(now_s)
    return None if fault is None else (touch.age_s(now_s), fault.text)


def clear_problem(arm: Arm, now_s: float) -> Answer | None:
    """Why a stop cannot be cleared, or None: the next command would make the arm jump, or nobody can tell."""
    if (answer := unseen(arm, now_s)) is not None:
        return answer
    if arm.reference is None or not arm.reference_fresh(now_s):
        text = "the trajectory controller does not say where it holds the arm, so a jump cannot be ruled out"
        return Answer(False, ErrorCode.SENSOR_FAULT, f"{text}: {SAFE_ORDER}")
    assert arm.measured is not None
    apart = np.abs(arm.measured - arm.reference)
    joint = int(apart.argmax())
    if apart[joint] > REFERENCE_TOLERANCE_RAD:
        return Answer(
            False,
            ErrorCode.ARM_DISPLACED,
            f"joint{joint + 1} is measured at {arm.measured[joint]:.3f} rad, the trajectory controller holds it at "
            f"{arm.reference[joint]:.3f}, at most {REFERENCE_TOLERANCE_RAD} apart allowed: it would jump. Instead: "
            f"{SAFE_ORDER}",
        )
    return None
