"""Every recorded type, with random content, decoded in columns as ROS 2's own deserialisation decodes it."""

import random
from array import array

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, JointState

from vital_core.errors import ErrorCode, VitalError
from vital_data.files.ros_messages import (
    SEQUENCE,
    Field,
    installed_definition,
    parse_definition,
    read_rows,
    type_name,
)
from vital_interfaces.msg import EndEffectorDelta, GateState, TactileArray, TeleopState

RECORDED = (Image, JointState, PoseStamped, EndEffectorDelta, GateState, TactileArray, TeleopState)
BITS = {"int8": 8, "uint8": 8, "byte": 8, "char": 8, "octet": 8, "int16": 16, "uint16": 16}
BITS |= {"int32": 32, "uint32": 32, "int64": 64, "uint64": 64}


def random_value(rng: random.Random, kind: str):
    """A random value of a field's type, as `get_fields_and_field_types` names it."""
    if kind.startswith("sequence<"):
        base = kind[len("sequence<") : -1].split(",")[0].strip()
        return [random_value(rng, base) for _ in range(rng.randint(0, 4))]
    if kind.endswith("]"):
        base, size = kind[:-1].split("[")
        return [random_value(rng, base) for _ in range(int(size))]
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "string":
        return "".join(rng.choices("abc µ°/_", k=rng.randint(0, 9)))
    if kind == "float":
        return float(np.float32(rng.uniform(-1e6, 1e6)))
    if kind == "double":
        return rng.uniform(-1e9, 1e9)
    if kind in BITS:
        bits = BITS[kind]
        return rng.randrange(2**bits) if kind.startswith("u") or kind in ("octet", "byte", "char") else (
            rng.randrange(-(2 ** (bits - 1)), 2 ** (bits - 1))
        )  # fmt: skip
    package, name = kind.split("/")
    return random_message(rng, getattr(__import__(f"{package}.msg", fromlist=[name]), name))


def random_message(rng: random.Random, message_class: type):
    """A message with random content in all of its fields."""
    message = message_class()
    for name, kind in message_class.get_fields_and_field_types().items():
        setattr(message, name, random_value(rng, kind))
    return message


def flattened(message, prefix: str = "") -> dict:
    """A message's fields by dotted name, as the columns are named."""
    found = {}
    for name in message.get_fields_and_field_types():
        value = getattr(message, name)
        if hasattr(value, "get_fields_and_field_types"):
            found |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and hasattr(value[0], "get_fields_and_field_types"):
            for number, one in enumerate(value):
                found |= flattened(one, f"{prefix}{name}.{number}.")
        else:
            found[prefix + name] = value
    return found


def read(messages: list) -> list[dict]:
    """Columns of every message, in order, by `read_rows`."""
    name = type_name(type(messages[0]))
    definition = parse_definition(name, installed_definition(name))
    found: list[dict] = [{} for _ in messages]
    for places, columns in read_rows(name, definition, [bytes(serialize_message(m)) for m in messages]):
        for row, place in enumerate(places):
            found[place] = {k: v if isinstance(v, str | list) else v[row] for k, v in columns.items()}
    return found


@pytest.mark.parametrize("message_class", RECORDED, ids=lambda c: c.__name__)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 5))
def test_random_messages_of_every_recorded_type_are_read_as_ros_reads_them(message_class, seed, count):
    rng = random.Random(seed)
    messages = [random_message(rng, message_class) for _ in range(count)]
    for message, got in zip(messages, read(messages), strict=True):
        expected = flattened(deserialize_message(bytes(serialize_message(message)), message_class))
        for name, value in expected.items():
            if isinstance(value, list | array | np.ndarray) and not len(value):
                assert len(got.get(name, [])) == 0
            elif isinstance(value, str):
                assert got[name] == value
            else:
                np.testing.assert_array_equal(got[name], value, err_msg=name)


@pytest.mark.parametrize("message_class", RECORDED, ids=lambda c: c.__name__)
def test_message_cut_at_any_byte_is_refused_or_shorter_never_a_crash(message_class):
    name = type_name(message_class)
    definition = parse_definition(name, installed_definition(name))
    whole = bytes(serialize_message(random_message(random.Random(3), message_class)))
    refused = 0
    for end in range(len(whole)):
        try:
            read_rows(name, definition, [whole[:end]])
        except VitalError as error:
            assert error.code is ErrorCode.BAD_RECORDING
            refused += 1
    # Padding at the very end is all that may be lacking.
    assert refused >= len(whole) - 8


def test_messages_keep_their_places_whatever_their_lengths():
    messages = [JointState(name=["a"] * (i % 3), position=[float(i)] * (i % 4)) for i in range(24)]
    for i, got in enumerate(read(messages)):
        assert len(got["name"]) == i % 3 and list(got["position"]) == [float(i)] * (i % 4)


def test_big_endian_messages_are_refused():
    name = "std_msgs/msg/Header"
    with pytest.raises(VitalError, match="not little-endian CDR") as refused:
        read_rows(name, parse_definition(name, installed_definition(name)), [b"\0\0\0\0" + bytes(16)])
    assert refused.value.code is ErrorCode.BAD_RECORDING


def test_type_name_is_the_one_that_ros_uses():
    assert type_name(JointState) == "sensor_msgs/msg/JointState"
    assert type_name(GateState) == "vital_interfaces/msg/GateState"


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("int32 x", Field("x", "int32", None)),
        ("float64[3] x  # of three", Field("x", "float64", 3)),
        ("uint8[] x", Field("x", "uint8", SEQUENCE)),
        ("string[<=4] x", Field("x", "string", SEQUENCE)),
        ("string<=10 x", Field("x", "string", None)),
        ("bool x true", Field("x", "bool", None)),
        ("Header x", Field("x", "std_msgs/Header", None)),
        ("Other x", Field("x", "pkg/Other", None)),
        ("away/Other x", Field("x", "away/Other", None)),
    ],
)
def test_every_form_of_a_field_is_parsed(line, field):
    rest = "".join(f"\n{'=' * 80}\nMSG: {kind}\nint8 y" for kind in ("std_msgs/Header", "pkg/Other", "away/Other"))
    assert parse_definition("pkg/msg/Kind", line + rest)["pkg/Kind"] == (field,)


@pytest.mark.parametrize("line", ["", "# int32 x", "int32 LIMIT=3", "int32 LIMIT = 3", 'string NAME="a b"', "   "])
def test_comments_blanks_and_constants_are_no_fields(line):
    assert parse_definition("pkg/msg/Kind", line)["pkg/Kind"] == ()


@pytest.mark.parametrize("line", ["3d x", "int32[ x", "int32[-1] x", "a$b x"])
def test_line_that_is_no_field_is_refused_with_what_it_is(line):
    with pytest.raises(VitalError, match="message definition has") as refused:
        parse_definition("pkg/msg/Kind", line)
    assert refused.value.code is ErrorCode.BAD_RECORDING


def test_installed_definition_holds_every_type_that_it_needs_once():
    text = installed_definition("geometry_msgs/msg/PoseStamped")
    parts = [line[5:] for line in text.splitlines() if line.startswith("MSG: ")]
    assert sorted(parts) == sorted(set(parts))
    assert {"std_msgs/Header", "builtin_interfaces/Time", "geometry_msgs/Pose", "geometry_msgs/Quaternion"} <= set(
        parts
    )


def test_type_that_is_not_installed_is_said():
    with pytest.raises(VitalError, match="no message definition of nobody/Knows is installed"):
        installed_definition("nobody/msg/Knows")
