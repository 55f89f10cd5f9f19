"""The gate's limits as ROS parameters: type, default, range and description come from `Limits` itself."""

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from vital_control.limits import Limits, gate_parameters
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


def _declare(node: Node, name: str, default: Any, metadata: Mapping[str, Any]) -> float:
    lower, upper = metadata["range"]
    descriptor = ParameterDescriptor(
        description=metadata["description"],
        read_only=True,
        floating_point_range=[FloatingPointRange(from_value=lower, to_value=upper, step=0.0)],
    )
    return float(node.declare_parameter(name, default, descriptor).value)
