"""The policy node's parameters: type, default, range and description in one place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import Task, load_task
from vital_policy.shipped import checkpoint_folder


@dataclass(frozen=True)
class PolicyParameters:
    """What the node was started with."""

    task: Task
    checkpoint: Path
    max_age_s: float
    give_up_after_s: float
    residual: Path | None
    learn: bool


def declare(node: Node) -> PolicyParameters:
    """Declare and read the parameters. Raises VitalError for one that cannot be."""
    try:
        return _declare(node)
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, str(error)) from error


def _declare(node: Node) -> PolicyParameters:
    def value(name: str, default: Any, text: str, **limits: list) -> Any:
        return node.declare_parameter(name, default, ParameterDescriptor(description=text, **limits)).value

    age = FloatingPointRange(from_value=0.02, to_value=2.0)
    patience = FloatingPointRange(from_value=0.1, to_value=60.0)
    task = load_task(value("task", "usb_insertion", "the skill to load"))
    folder = Path(value("checkpoint_dir", str(checkpoint_folder()), "folder of <task>.safetensors"))
    residual = value(
        "residual", "auto", "weights of a residual; auto: <task>_residual.safetensors if there is one; none"
    )
    return PolicyParameters(
        task=task,
        checkpoint=folder / f"{task.name}.safetensors",
        max_age_s=value("max_age_s", 0.25, "oldest reading to act on, s", floating_point_range=[age]),
        give_up_after_s=value(
            "give_up_after_s", 1.0, "how long no observation may be fit to act on, s", floating_point_range=[patience]
        ),
        residual=_residual(residual, folder / f"{task.name}_residual.safetensors"),
        learn=value("learn", False, "be ready to learn: take a learner's weights, and append to the replay"),
    )


def _residual(given: str, beside: Path) -> Path | None:
    if given == "auto":
        return beside if beside.is_file() else None
    return None if given in ("", "none") else Path(given)
