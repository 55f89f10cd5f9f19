"""A node's ROS parameters from one frozen dataclass: type, default, description and range are said there alone.

    @dataclass(frozen=True)
    class GripperParameters:
        port: Annotated[str, Meta(description="serial device")] = "/dev/ttyUSB0"
        rate_hz: Annotated[float, Meta(ge=1.0, le=200.0, description="readings a second")] = 30.0

    parameters = declare(node, GripperParameters)

A choice is a Literal or an Enum with strings for values. Nodes read their parameters when they start, so all are
read-only: `ros2 param set` says so, where it would otherwise have no effect.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from msgspec import Meta
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_core.files.schema import Source, checked

Config = TypeVar("Config")
KINDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number with a point", str: "text"}


@dataclass(frozen=True)
class Described:
    """One parameter as its field says it; ``default`` as ROS carries it, ``bounds`` both included."""

    name: str
    default: Any
    description: str
    kind: str
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None

    @property
    def expected(self) -> str:
        """What is taken, for a sentence."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return self.kind if self.bounds is None else f"{self.kind} from {self.bounds[0]:g} to {self.bounds[1]:g}"

    def descriptor(self) -> ParameterDescriptor:
        """As ROS describes it."""
        descriptor = ParameterDescriptor(description=self.description, read_only=True)
        if self.choices:
            descriptor.additional_constraints = self.expected
        elif self.bounds is not None and isinstance(self.default, int):
            whole = IntegerRange(from_value=int(self.bounds[0]), to_value=int(self.bounds[1]), step=1)
            descriptor.integer_range = [whole]
        elif self.bounds is not None:
            real = FloatingPointRange(from_value=float(self.bounds[0]), to_value=float(self.bounds[1]))
            descriptor.floating_point_range = [real]
        return descriptor


def declare(node: Node, config: type[Config], prefix: str = "") -> Config:
    """Declare a parameter for each field, ``prefix`` and its name, and give what they are.

    Raises VitalError(BAD_PARAMETER) for one that will not do, TypeError for a field without default, description or,
    where it is a number, range.
    """
    values = {found.name: _value(node, found, prefix) for found in described(config)}
    remedy = "correct it in the launch or parameter file"
    return checked(values, config, Source(f"parameters of {node.get_name()}", ErrorCode.BAD_PARAMETER, remedy))


def described(config: type) -> tuple[Described, ...]:
    """The parameters that a dataclass stands for."""
    hints = get_type_hints(config, include_extras=True)
    return tuple(_described(each, hints[each.name]) for each in fields(config) if each.init)


def _described(field: Field, hint: Any) -> Described:
    base, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    meta = [note for note in notes if isinstance(note, Meta)]
    description = next((note.description for note in meta if note.description), None)
    default = _default(field)
    if description is None or default is None:
        raise TypeError(f"{field.name} has no description or no default, expected both")
    bounds = _bounds(field.name, meta) if base in (int, float) else None
    choices, kind = _choices(base), KINDS.get(base, f"a list as {default}")
    return Described(field.name, default, description, kind, choices, bounds)


def _default(field: Field) -> Any:
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if value is MISSING:
        return None
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _bounds(name: str, meta: list[Meta]) -> tuple[float, float]:
    lower = next((note.ge for note in meta if note.ge is not None), None)
    upper = next((note.le for note in meta if note.le is not None), None)
    if lower is None or upper is None:
        raise TypeError(f"{name} is a number without range, expected Meta(ge=..., le=...)")
    return lower, upper


def _choices(base: Any) -> tuple[str, ...]:
    if get_origin(base) is Literal:
        return get_args(base)
    return tuple(choice.value for choice in base) if isinstance(base, type) and issubclass(base, Enum) else ()


def _value(node: Node, found: Described, prefix: str) -> Any:
    try:
        value = node.declare_parameter(prefix + found.name, found.default, found.descriptor()).value
    except ParameterException as error:
        why = shortened(error)
        if isinstance(found.default, str):  # not shown: it may be a PIN
            why = f"its value reads as a number or such: write it in quotes, -p \"{prefix}{found.name}:='...'\""
        refused = f"parameter {prefix}{found.name}: {why}; expected {found.expected}: {found.description}"
        raise VitalError(ErrorCode.BAD_PARAMETER, refused) from error
    return list(value) if isinstance(found.default, list) else value
