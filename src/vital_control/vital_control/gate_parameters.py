"""The gate's limits as ROS parameters: type, default, range and description come from `Limits` itself."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from vital_control.gate.limits import Limits, gate_parameters
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task, task_names


def declare_limits(node: Node) -> Limits:
    """Declare the parameters on ``node`` and read them. Raises VitalError for one that will not do."""
    try:
        task = node.declare_parameter(
            "task",
            "usb_insertion",
            ParameterDescriptor(
                description=f"task whose limits apply until an owner names one: {', '.join(task_names())}",
                read_only=True,
            ),
        )
        values = {p.name: _declare(node, p.name, p.default, p.metadata) for p in gate_parameters()}
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, str(error)) from error
    return Limits(task=load_task(task.value), **values)


Choice = TypeVar("Choice", bound=Enum)


class Bottom(Enum):
    """What carries the gate's motions out."""

    SIM = "sim"
    MOCK = "mock"
    ROBOT = "robot"


class Touch(Enum):
    """Whether anything may move without a tactile pad."""

    REQUIRED = "required"
    NONE = "none"


def declare_bottom(node: Node) -> Bottom:
    """Declare and read ``hardware``: only the simulator's joints may jump, where it announces that."""
    return _choice(node, "hardware", Bottom.ROBOT, "what is at the bottom; scene resets count only with sim")


def declare_touch_required(node: Node) -> bool:
    """Declare and read ``tactile``."""
    text = "required: nothing moves while the tactile pad is silent or unclear; none: there is no pad"
    return _choice(node, "tactile", Touch.REQUIRED, text) is Touch.REQUIRED


def _choice(node: Node, name: str, default: Choice, description: str) -> Choice:
    descriptor = ParameterDescriptor(description=description, read_only=True)
    choices = [choice.value for choice in type(default)]
    try:
        value = node.declare_parameter(name, default.value, descriptor).value
        return type(default)(value)
    except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{name} is not one of {', '.join(choices)}: {error}") from error


def _declare(node: Node, name: str, default: Any, metadata: Mapping[str, Any]) -> float:
    lower, upper = metadata["range"]
    descriptor = ParameterDescriptor(
        description=metadata["description"],
        read_only=True,
        floating_point_range=[FloatingPointRange(from_value=lower, to_value=upper, step=0.0)],
    )
    return float(node.declare_parameter(name, default, descriptor).value)
