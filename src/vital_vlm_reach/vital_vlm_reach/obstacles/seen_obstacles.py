"""The obstacles on the table for the planner, from one depth image: boxes that stand on it."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core.task import Task
from vital_vlm_reach.obstacles.arm_shapes import ArmShapes
from vital_vlm_reach.obstacles.height_map import CELL_M, TABLE_M, Area, DepthView, height_map
from vital_vlm_reach.planning.robot_model import Obstacle, RobotModel

Array = NDArray[np.float64]

SEEN = "thing seen"
# Boxes are this much larger than what was seen, to the sides and up: noise of depth and calibration.
PAD_M = 0.006
# The arm's shapes are this much larger where they are left out: closed gripper, camera cable, calibration.
ARM_M = 0.025
# Heights of boxes: rounded up, so that few boxes tell a slope.
STEP_M = 0.03


def seen_obstacles(
    view: DepthView, task: Task, joints_rad: ArrayLike, robot: RobotModel, keep_out: Obstacle
) -> tuple[Obstacle, ...]:
    """Boxes from the table up over everything that is seen, or hidden, under the task's workspace.

    The arm at (7,) joints and what it holds are left out, and within the footprint of the target's ``keep_out`` column
    what is not higher than that.
    """
    area = Area.of_task(task)
    arm = ArmShapes(robot, joints_rad, task.tip_offset_m, task.tip_forward_m)
    heights = height_map(view, area, partial(arm.within, distance_m=ARM_M))
    heights[_in_column(area, keep_out) & (heights <= _top_m(keep_out) + PAD_M)] = 0.0
    return (table_top(area), *boxes(heights, area))


def table_top(area: Area) -> Obstacle:
    """What is too low to be told from the table, over all of the area."""
    centre, size = np.add(area.lower_m, area.upper_m) / 2, np.subtract(area.upper_m, area.lower_m)
    return Obstacle(
        "table top", (float(centre[0]), float(centre[1]), TABLE_M / 2), (float(size[0]), float(size[1]), TABLE_M)
    )


def boxes(heights_m: Array, area: Area) -> Iterator[Obstacle]:
    """Boxes that cover every cell of (nx, ny) heights higher than `TABLE_M`, to its height rounded up to `STEP_M`."""
    steps = np.where(heights_m > TABLE_M, np.ceil(heights_m / STEP_M - 1e-9), 0).astype(int)
    left = steps.copy()
    while left.any():
        step = int(left.max())
        i, k = np.argwhere(left == step)[0]
        i_end, k_end = _grown(steps, left, int(i), int(k), step)
        left[i:i_end, k:k_end] = 0
        yield _box(area, (int(i), int(k)), (i_end, k_end), step * STEP_M)


def _grown(steps: NDArray[np.int_], left: NDArray[np.int_], i: int, k: int, step: int) -> tuple[int, int]:
    """The end (exclusive) of a rectangle from a cell on, through cells at least as high, while it covers new ones."""
    i_end, k_end = i + 1, k + 1
    while k_end < steps.shape[1] and steps[i, k_end] >= step and left[i, k_end] == step:
        k_end += 1
    while i_end < steps.shape[0] and (steps[i_end, k:k_end] >= step).all() and (left[i_end, k:k_end] == step).any():
        i_end += 1
    return i_end, k_end


def _box(area: Area, start: tuple[int, int], end: tuple[int, int], height_m: float) -> Obstacle:
    lower = np.add(area.lower_m, np.multiply(CELL_M, start)) - PAD_M
    upper = np.add(area.lower_m, np.multiply(CELL_M, end)) + PAD_M
    top = height_m + PAD_M
    centre, size = (lower + upper) / 2, upper - lower
    name = f"{SEEN} at ({centre[0]:.3f}, {centre[1]:.3f}) m, {1000 * height_m:.0f} mm high"
    return Obstacle(name, (float(centre[0]), float(centre[1]), top / 2), (float(size[0]), float(size[1]), top))


def _in_column(area: Area, column: Obstacle) -> NDArray[np.bool_]:
    half = np.array(column.size_m[:2]) / 2 + CELL_M / 2
    inside = (np.abs(area.centres_m() - column.centre_m[:2]) <= half).all(axis=1)
    return inside.reshape(area.cells)


def _top_m(column: Obstacle) -> float:
    return column.centre_m[2] + column.size_m[2] / 2
