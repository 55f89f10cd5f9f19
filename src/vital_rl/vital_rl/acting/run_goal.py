"""What is asked of a `/vital/run_policy` goal before the arm is touched."""

import math

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import Task, load_task
from vital_interfaces.action import RunPolicy
from vital_ros.conversions import array_of


def episode_length_s(goal: RunPolicy.Goal, loaded: Task, *, busy: bool) -> float:
    """Length of the episode, s, for a node that has ``loaded`` this task's checkpoint.

    Raises VitalError when the goal cannot be taken.
    """
    load_task(goal.task)
    if goal.task != loaded.name:
        raise VitalError(
            ErrorCode.BAD_CHECKPOINT,
            f"the goal asks for '{goal.task}', the checkpoint loaded is for '{loaded.name}': "
            f"start this node with task:={goal.task}",
        )
    if busy:
        raise VitalError(ErrorCode.BUSY, "an episode is running: wait for it or cancel it")
    if not 0.0 <= goal.duration_s < math.inf:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"duration_s is {goal.duration_s}, expected 0 or more")
    return goal.duration_s or loaded.episode_s


def finish_of(goal: RunPolicy.Goal) -> NDArray[np.float64] | None:
    """(3,) where the TCP ends when it succeeds, in `link_base`, m; None where the goal does not tell.

    Raises VitalError(BAD_PARAMETER) where it is not finite.
    """
    if not goal.finish:
        return None
    finish_m = array_of(goal.finish[0])
    if not np.isfinite(finish_m).all():
        raise VitalError(ErrorCode.BAD_PARAMETER, f"finish is {finish_m} m, expected finite values or none at all")
    return finish_m
