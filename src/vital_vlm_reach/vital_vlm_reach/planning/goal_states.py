"""Joint positions that put the TCP where it is wanted, and why there are none."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINTS, LOWER_RAD, UPPER_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import Task
from vital_vlm_reach.planning.box import Box

Array = NDArray[np.float64]

SEEDS = 8
_SEED_SPREAD_RAD = 0.6


def check_in_workspace(t_base_tcp: Pose, task: Task) -> None:
    """Raises VitalError(OUTSIDE_WORKSPACE) when the goal is outside the box in which the gate lets the TCP move."""
    point = t_base_tcp[:3, 3]
    if not np.isfinite(t_base_tcp).all():
        raise VitalError(ErrorCode.BAD_PARAMETER, "the goal has a value that is not a finite number")
    outside_m = Box.of_task(task).outside_m(point)
    if outside_m > 0.0:
        raise VitalError(
            ErrorCode.OUTSIDE_WORKSPACE,
            f"the TCP would have to be at {_metres(point)}, {1000 * outside_m:.0f} mm outside the workspace of "
            f"{task.name}, {_metres(task.workspace_lower_m)} to {_metres(task.workspace_upper_m)}: move the "
            "target or the arm's base",
        )


def goal_states(problem_goal: Pose, start_rad: Array, problem_of: Callable[[Array], str], seed: int) -> list[Array]:
    """Allowed joint positions (7,) at the goal, nearest to the start first.

    problem_of: why (7,) joint positions are not allowed; empty: they are.

    Raises VitalError: UNREACHABLE without any joint positions, IN_COLLISION when each of them is refused.
    """
    solutions: list[Array] = []
    refusal = ""
    for first_guess in _guesses(start_rad, seed):
        q = kinematics.solve(problem_goal, first_guess, posture_rad=HOME_RAD)
        if q is None or any(np.abs(q - other).max() < 0.05 for other in solutions):
            continue
        if problem := problem_of(q):
            refusal = refusal or problem
        else:
            solutions.append(q)
    if not solutions:
        code = ErrorCode.IN_COLLISION if refusal else ErrorCode.UNREACHABLE
        raise VitalError(code, _why_not(problem_goal, refusal))
    return sorted(solutions, key=lambda q: float(np.abs(q - start_rad).max()))


def _guesses(start_rad: Array, seed: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    yield start_rad
    yield HOME_RAD
    for _ in range(SEEDS - 2):
        yield np.clip(HOME_RAD + rng.normal(0.0, _SEED_SPREAD_RAD, 7), LOWER_RAD, UPPER_RAD)


def _why_not(goal: Pose, refusal: str) -> str:
    point = goal[:3, 3]
    if refusal:
        return f"at the goal {_metres(point)} the arm would be in the way of itself or the scene: {refusal}"
    shoulder = np.array(JOINTS[0].xyz, dtype=float)
    return (
        f"no joint positions bring the TCP to {_metres(point)} in that orientation: it is "
        f"{np.linalg.norm(point - shoulder):.3f} m from the shoulder at {_metres(shoulder)}"
    )


def _metres(point: object) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in np.asarray(point, dtype=float)) + ") m"
