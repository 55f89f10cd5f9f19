"""Messages of any ROS type out of its own description: what a broken or hostile sender might send.

`mutations(good)` changes a few things in a message that would be taken, so that it comes past the first question;
`messages(kind)` makes everything up.
"""

import copy
import math
from array import array
from typing import Any

import numpy as np
from hypothesis import strategies as st
from rclpy.serialization import serialize_message

from vital_ros.message_check import field_parts, message_type

FLOATS = (0.0, -0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 1e-300, 3e38, -3e38, 1e9)
DOUBLES = (*FLOATS, 1.7e308, -1.7e308, 5e-324)
TEXTS = (
    *(
        "",
        " ",
        "\x00",
        "joint1",
        "link_base",
        "link_tcp",
        "policy",
        "teleop",
        "reset",
        "rgb8",
        "16UC1",
        "mono8",
        "plumb_bob",
    ),
    *(
        "usb_insertion",
        "../../etc/passwd",
        "{}",
        "[]",
        "null",
        '{"task": [1]}',
        "[" * 5000,
        '{"a": NaN}',
        "NaN",
        "%s",
        "é€🤖",
    ),
    "x" * 200_000,
)
BITS = {"octet": 8, "char": 8, "byte": 8} | {f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32, 64)}
LENGTHS = (0, 1, 2, 3, 7, 14, 15, 16, 21, 300)
TYPECODES = {"float": "f", "double": "d", "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q", "int8": "b"}
TYPECODES |= {"int16": "h", "int32": "i", "int64": "q"}


def integers(kind: str) -> st.SearchStrategy[int]:
    """Within the type's range, its ends often."""
    bits, signed = BITS[kind], kind.startswith("int")
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.sampled_from(sorted({low, high, 0, 1, min(high, 1_000_000)})) | st.integers(low, high)


def values(kind: str) -> st.SearchStrategy[Any]:
    """One value of a field's type without its list."""
    if kind in ("float", "double"):
        return st.sampled_from(FLOATS if kind == "float" else DOUBLES)
    if kind == "boolean":
        return st.booleans()
    if kind in BITS:
        return integers(kind)
    if kind.startswith(("string", "wstring")):
        return st.sampled_from(TEXTS) | st.text(max_size=12)
    return messages(message_type(kind))


def fields(kind: type) -> dict[str, str]:
    """Name and type of each."""
    return kind.get_fields_and_field_types()


def messages(kind: type) -> st.SearchStrategy[Any]:
    """Any message of a type."""
    return st.fixed_dictionaries({name: field(kind, name, text) for name, text in fields(kind).items()}).map(
        lambda made: kind(**made)
    )


def field(kind: type, name: str, field_type: str) -> st.SearchStrategy[Any]:
    """Any value of a field; long lists are of one value, as what is in them hardly matters."""
    element, many = field_parts(field_type)
    if not many:
        return values(element)
    default = getattr(kind(), name)
    if not field_type.startswith("sequence<"):
        return values(element).map(lambda value: fixed(default, value))
    most = int(field_type.split(", ")[1][:-1]) if ", " in field_type else max(LENGTHS)
    lengths = st.sampled_from([n for n in LENGTHS if n <= most])
    if "/" in element:
        return st.lists(values(element), max_size=min(3, most))
    same = st.tuples(lengths, values(element)).map(lambda drawn: [drawn[1]] * drawn[0])
    few = st.lists(values(element), max_size=min(8, most))
    return (same | few).map(lambda made: array(TYPECODES[element], made) if element in TYPECODES else made)


def fixed(default: Any, value: Any) -> Any:
    """A list of the length that the type has."""
    if isinstance(default, np.ndarray):
        return np.full(default.shape, value, default.dtype)
    return [value] * len(default)


@st.composite
def mutations(draw: st.DrawFn, good: Any) -> Any:
    """``good`` with one to three of its fields changed, at any depth."""
    message = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        mutate(draw, message)
    return message


def mutate(draw: st.DrawFn, message: Any) -> None:
    """Change one field, or one within a field."""
    kind = type(message)
    if not fields(kind):
        return
    name = draw(st.sampled_from(sorted(fields(kind))))
    element, many = field_parts(fields(kind)[name])
    present = getattr(message, name)
    if "/" in element and not many and draw(st.integers(0, 4)):
        mutate(draw, present)
    elif "/" in element and many and len(present) and draw(st.integers(0, 4)):
        mutate(draw, draw(st.sampled_from(list(present))))
    elif many and len(present) and "/" not in element and draw(st.booleans()):
        changed = copy.copy(present)
        changed[draw(st.integers(0, len(present) - 1))] = draw(values(element))
        setattr(message, name, changed)
    else:
        setattr(message, name, draw(field(kind, name, fields(kind)[name])))


def bytes_of(good: Any) -> st.SearchStrategy[bytes]:
    """What comes where a message is taken as it lies on the wire: cut short, garbled, or of something else."""
    whole = serialize_message(good)
    cut = st.integers(0, len(whole)).map(lambda n: whole[:n])
    garbled = st.tuples(st.integers(0, max(0, len(whole) - 1)), st.integers(0, 255)).map(
        lambda drawn: whole[: drawn[0]] + bytes([drawn[1]]) + whole[drawn[0] + 1 :]
    )
    return cut | garbled | st.binary(max_size=64) | mutations(good).map(serialize_message)


def spoilt(kind: type) -> Any | None:
    """A message of the type that nobody may take: a stamp before all time, or a text without end; None where the type
    has neither."""
    message = kind()
    return message if _spoil(message) else None


def _spoil(message: Any) -> bool:
    for name, field_type in fields(type(message)).items():
        element, many = field_parts(field_type)
        if many:
            continue
        if element == "builtin_interfaces/Time":
            getattr(message, name).sec = -1
            return True
        if element.startswith("string"):
            setattr(message, name, "x" * 10_000_000)
            return True
        if "/" in element and _spoil(getattr(message, name)):
            return True
    return False
