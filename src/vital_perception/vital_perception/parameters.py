"""ROS parameters with a description and, where it has one, a range; a wrong one is refused in a sentence."""

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError


def declare(node: Node, name: str, default: Any, description: str, range_: tuple[float, float] | None = None) -> Any:
    """The value of a read-only parameter. Raises VitalError(BAD_PARAMETER) for a wrong type or out of ``range_``."""
    descriptor = ParameterDescriptor(description=description, read_only=True)
    if range_ is not None and isinstance(default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(range_[0]), to_value=int(range_[1]), step=1)]
    elif range_ is not None:
        descriptor.floating_point_range = [FloatingPointRange(from_value=range_[0], to_value=range_[1], step=0.0)]
    try:
        return node.declare_parameter(name, default, descriptor).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"parameter {name}: {error}. It is: {description}") from error
