"""Experiments on the pinch grasp: each answers one question with numbers."""

from dataclasses import dataclass

import numpy as np

from vital_core import pose as pose_of
from vital_core.task import Task
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.validation.instruments import DeepestPenetration
from vital_sim.world.fixtures import BLOCK
from vital_sim.world.motion import track
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.world import World

HELD_UT = 100.0
CLOSE_S = 1.2


@dataclass(frozen=True)
class GripScore:
    """What a number of grips came to."""

    trials: int
    """Of each kind: around the block, and beside it."""
    held: int
    """How many kept the block in a shake."""
    told: int
    """How many empty grips and full ones touch tells apart."""
    deepest_m: float
    """Deepest penetration at any physics step."""


def grasp(world: World, aside_m: float) -> None:
    """Put the open fingers around the block, or beside it, and close them."""
    target = world.truth().t_base_target
    goal = target @ pose_of.point_down([aside_m, 0.0, -BLOCK.size_m[2] / 2])
    world.place_tcp(goal)
    world.command_gripper(1.0)
    world.advance(CLOSE_S)


def grips(task: Task, trials: int, first_seed: int = 50_000) -> GripScore:
    """Grasp, lift and shake by 3 cm at 2.5 Hz (about 0.75 g); and close beside the block."""
    world, held, told = World(task), 0, 0
    with DeepestPenetration() as deepest:
        for seed in range(first_seed, first_seed + trials):
            full = _field_ut(world, seed, 0.0)
            _shake(world)
            held += world.truth().travel_m > task.success_travel_m / 2
            empty = _field_ut(world, seed, 0.05)
            told += full > HELD_UT > empty
    return GripScore(trials, held, told, deepest.metres)


def _field_ut(world: World, seed: int, aside_m: float) -> float:
    world.reset(seed)
    baseline = np.median([world.tactile_ut() for _ in range(5)], axis=0)
    grasp(world, aside_m)
    return largest_field_ut(world.tactile_ut() - baseline)


def _shake(world: World) -> None:
    start = world.t_base_tcp()
    for i in range(90):
        goal = start.copy()
        goal[2, 3] += 0.06 * min(1.0, i / 30)
        goal[1, 3] += 0.03 * np.sin(2 * np.pi * 2.5 * i * PERIOD_S) * (i > 30)
        track(world, goal, PERIOD_S)
