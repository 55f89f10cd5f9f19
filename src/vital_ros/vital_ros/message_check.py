"""What a message must look like before anything is done with it. Each refusal is a VitalError(BAD_MESSAGE) that says
what was got and what was expected; nothing here changes or keeps anything.
"""

import importlib
import re
from collections.abc import Callable, Sequence, Sized
from functools import lru_cache, partial
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose as PoseMessage
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import JointState

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError, shortened
from vital_core.pose import Pose
from vital_interfaces.msg import GateState, TactileArray

MOST_CHARACTERS = 10_000
MOST_ENTRIES = 10_000  # of a list that is no array of numbers
MOST_JOINTS = 100
MOST_MAGNETOMETERS = 100
# Further than any joint turns and than any frame of a robot cell is away: such a number is a fault, not a place.
FARTHEST_RAD = 100.0
FARTHEST_M = 1000.0
QUATERNION_TOLERANCE = 0.01
FIELD_TYPE = re.compile(r"(?:sequence<)?([\w/]+(?:<=?\d+>)?)(?:, \d+)?>?(\[\d+\])?$")


def refusal(text: str) -> VitalError:
    """What to raise for a message that cannot be believed."""
    return VitalError(ErrorCode.BAD_MESSAGE, text)


def sound(message: Any) -> None:
    """What holds for a message of any type, nested ones too: stamps that a clock can show, texts and lists of a
    bearable length (arrays of numbers excepted)."""
    kind: Any = type(message)
    for question in _questions(kind):
        question(message)


def message_type(name: str) -> type:
    """The class of a field's type, as in `std_msgs/Header`, or as in `vital_interfaces/RunTask_Feedback`."""
    package, kind = name.split("/")
    action, _, part = kind.partition("_")
    if part in ("Goal", "Feedback", "Result"):
        return getattr(getattr(importlib.import_module(f"{package}.action"), action), part)
    return getattr(importlib.import_module(f"{package}.msg"), kind)


def field_parts(field_type: str) -> tuple[str, bool]:
    """A field's type without its list, as in `sequence<std_msgs/Header>`, and whether there was one."""
    match = FIELD_TYPE.match(field_type)
    if match is None:
        raise ValueError(f"cannot read the field type '{field_type}'")
    return match.group(1), field_type.startswith("sequence<") or match.group(2) is not None


@lru_cache
def _questions(kind: Any) -> tuple[Callable[[Any], None], ...]:
    """Only what there is to ask of a type: most fields are numbers, of which nothing holds everywhere."""
    found: list[Callable[[Any], None]] = []
    for name, field_type in kind.get_fields_and_field_types().items():
        element, many = field_parts(field_type)
        asked = _question_of(element)
        if many and (asked is not None or "/" in element or element == "boolean"):
            found.append(partial(_ask_each, name, asked))
        elif asked is not None:
            found.append(partial(_ask_one, name, asked))
    return tuple(found)


def _question_of(element: str) -> Callable[[str, Any], None] | None:
    if element == "builtin_interfaces/Time":
        return lambda name, value: void(stamp_ns(value, name))
    if element.startswith(("string", "wstring")):
        return lambda name, value: no_longer(name, value, MOST_CHARACTERS, "characters")
    if "/" in element and _questions(message_type(element)):
        return lambda _, value: sound(value)
    return None


def void(_: Any) -> None:
    """Takes a value and lets it go."""


def _ask_one(name: str, question: Callable[[str, Any], None], message: Any) -> None:
    question(name, getattr(message, name))


def _ask_each(name: str, question: Callable[[str, Any], None] | None, message: Any) -> None:
    values = getattr(message, name)
    no_longer(name, values, MOST_ENTRIES, "entries")
    if question is not None:
        for value in values:
            question(name, value)


def stamp_ns(stamp: Any, what: str = "stamp") -> int:
    """Nanoseconds of a builtin_interfaces/Time."""
    if stamp.sec < 0 or stamp.nanosec >= 1_000_000_000:
        raise refusal(f"{what} is {stamp.sec} s and {stamp.nanosec} ns, expected 0 s or more and less than 1e9 ns")
    return 1_000_000_000 * stamp.sec + stamp.nanosec


def no_longer(what: str, values: Sized, most: int, unit: str = "entries") -> None:
    """Refuses what would take too long to look at."""
    if len(values) > most:
        raise refusal(f"{what} has {len(values)} {unit}, expected at most {most}")


def within(what: str, values: ArrayLike, largest: float = float("inf")) -> NDArray[np.float64]:
    """Finite numbers of at most ``largest`` in size."""
    numbers = np.asarray(values, dtype=float)
    if not (np.isfinite(numbers) & (np.abs(numbers) <= largest)).all():
        limit = "" if largest == float("inf") else f" of at most {largest:g} in size"
        raise refusal(f"{what} is {shortened(numbers.tolist())}, expected finite values{limit}")
    return numbers


def joint_positions(message: JointState) -> NDArray[np.float64] | None:
    """(7,) of the arm's joints, rad; None when the message is about other joints, as a gripper's is."""
    no_longer("name", message.name, MOST_JOINTS)
    if len(message.position) != len(message.name):
        raise refusal(f"{len(message.name)} joints have {len(message.position)} positions, expected one each")
    by_name = dict(zip(message.name, message.position, strict=True))
    missing = [name for name in JOINT_NAMES if name not in by_name]
    if len(missing) == len(JOINT_NAMES):
        return None
    if missing:
        raise refusal(f"joint states lack {', '.join(missing)}, expected all of joint1 to joint7")
    return within("joint position, rad,", [by_name[name] for name in JOINT_NAMES], FARTHEST_RAD)


def rigid_pose(what: str, translation: Any, rotation: Any) -> Pose:
    """Pose of a translation (x, y, z), m, and a unit quaternion (x, y, z, w)."""
    position = within(f"translation of {what}, m,", (translation.x, translation.y, translation.z), FARTHEST_M)
    quaternion = within(f"rotation of {what}", (rotation.x, rotation.y, rotation.z, rotation.w), 2.0)
    length = float(np.linalg.norm(quaternion))
    if abs(length - 1.0) > QUATERNION_TOLERANCE:
        raise refusal(f"the quaternion of {what} is of length {length:.3g}, expected 1")
    return pose_of.from_quaternion(position, quaternion)


def pose_in(what: str, message: PoseMessage) -> Pose:
    """Pose of a geometry_msgs/Pose."""
    return rigid_pose(what, message.position, message.orientation)


def known_gate_state(message: GateState) -> GateState:
    """The gate's state, when its mode is one that there is."""
    if message.mode > GateState.LATCHED:
        raise refusal(f"mode is {message.mode}, expected {GateState.IDLE} to {GateState.LATCHED}")
    executed = message.executed_translation_m
    within("executed translation, m,", (executed.x, executed.y, executed.z), FARTHEST_M)
    return message


def whole_tactile(message: TactileArray) -> TactileArray:
    """A tactile reading whose lists fit together; a field that is valid is finite."""
    n = len(message.valid)
    no_longer("valid", message.valid, MOST_MAGNETOMETERS)
    if n == 0 or len(message.field_ut) != 3 * n or len(message.baseline_ut) not in (0, 3 * n):
        raise refusal(
            f"{n} magnetometers have {len(message.field_ut)} values of the field and {len(message.baseline_ut)} of a "
            "baseline, expected three each, of a baseline none or three each"
        )
    field = np.asarray(message.field_ut, float).reshape(n, 3)
    within("field of a valid magnetometer, µT,", field[np.asarray(message.valid, bool)])
    within("baseline, µT,", message.baseline_ut)
    return message


def one_of(what: str, value: int, known: Sequence[int]) -> int:
    """A number that has a meaning."""
    if value not in known:
        raise refusal(f"{what} is {value}, expected one of {', '.join(map(str, sorted(known)))}")
    return value
