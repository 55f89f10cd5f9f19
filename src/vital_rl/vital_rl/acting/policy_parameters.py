"""What the policy node is started with: its ROS parameters, and the files that they stand for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from rclpy.node import Node

from vital_core.task import Task, load_task
from vital_policy.shipped import checkpoint_folder
from vital_ros import parameters


@dataclass(frozen=True)
class RosParameters:
    """As they are given."""

    task: Annotated[str, Meta(description="the skill to load")] = "usb_insertion"
    checkpoint_dir: Annotated[str, Meta(description="folder of <task>.safetensors")] = str(checkpoint_folder())
    residual: Annotated[
        str, Meta(description="weights of a residual; auto: <task>_residual.safetensors if there is one; none")
    ] = "auto"
    max_age_s: Annotated[float, Meta(ge=0.02, le=2.0, description="oldest reading to act on, s")] = 0.25
    give_up_after_s: Annotated[
        float, Meta(ge=0.1, le=60.0, description="how long no observation may be fit to act on, s")
    ] = 1.0
    learn: Annotated[
        bool, Meta(description="be ready to learn: take a learner's weights, and append to the replay")
    ] = False


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
    given = parameters.declare(node, RosParameters)
    task, folder = load_task(given.task), Path(given.checkpoint_dir)
    return PolicyParameters(
        task=task,
        checkpoint=folder / f"{task.name}.safetensors",
        max_age_s=given.max_age_s,
        give_up_after_s=given.give_up_after_s,
        residual=_residual(given.residual, folder / f"{task.name}_residual.safetensors"),
        learn=given.learn,
    )


def _residual(given: str, beside: Path) -> Path | None:
    if given == "auto":
        return beside if beside.is_file() else None
    return None if given in ("", "none") else Path(given)
