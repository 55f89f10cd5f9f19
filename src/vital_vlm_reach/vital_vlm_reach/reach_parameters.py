"""The node's parameters: type, default, range and description in one place."""

from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import Task, load_task
from vital_vlm_reach.localisation.lifting import WINDOW_PX


@dataclass(frozen=True)
class ReachParameters:
    """What the node was started with."""

    task: Task
    pointing_model: str
    planner: str
    speed_scale: float
    camera_timeout_s: float
    depth_window_px: int


def declare(node: Node) -> ReachParameters:
    """Declare and read the parameters. Raises VitalError for one that cannot be."""
    try:
        return _declare(node)
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, str(error)) from error


def _declare(node: Node) -> ReachParameters:
    def value(name: str, default: Any, text: str, **limits: list) -> Any:
        descriptor = ParameterDescriptor(description=text, read_only=True, **limits)
        return node.declare_parameter(name, default, descriptor).value

    scale = FloatingPointRange(from_value=0.05, to_value=1.0)
    timeout = FloatingPointRange(from_value=0.1, to_value=15.0)
    window = IntegerRange(from_value=3, to_value=51)
    return ReachParameters(
        task=load_task(value("task", "usb_insertion", "the task of goals that name none")),
        pointing_model=value("pointing_model", "embedded", "what finds the named thing in the picture"),
        planner=value("planner", "embedded", "embedded, or moveit (needs a running move_group)"),
        speed_scale=value("speed_scale", 0.25, "share of the planning limits used", floating_point_range=[scale]),
        camera_timeout_s=value("camera_timeout_s", 10.0, "wait for a fresh picture, s", floating_point_range=[timeout]),
        depth_window_px=value("depth_window_px", WINDOW_PX, "width of the depth window, px", integer_range=[window]),
    )
