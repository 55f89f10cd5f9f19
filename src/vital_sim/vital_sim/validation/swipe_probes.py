"""Experiments on the card and its reader: each answers one question with numbers."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.validation.instruments import DeepestPenetration, TouchScore, score_touches
from vital_sim.world.fixtures import CARD_READER
from vital_sim.world.motion import track
from vital_sim.world.variation import EXACT
from vital_sim.world.world import World, WorldConfig

PUSH_M_S = 0.015
START_M = 0.006


def _goal(world: World, t_tcp_tip: Pose, ahead_m: float, aside_m: float) -> Pose:
    """TCP pose that puts the leading corner ``ahead_m`` before the entry, ``aside_m`` off, straight, at depth."""
    low = -world.task.success_depth_m - 0.003
    tip = world.site_pose("target_opening") @ pose_of.point_down([CARD_READER.entry_m - ahead_m, aside_m, low])
    return tip @ pose_of.inverse(t_tcp_tip)


def stand_before(world: World, aside_m: float) -> None:
    """Put the arm where the card stands straight before the entry."""
    world.place_tcp(_goal(world, world.t_tcp_tip_at_rest(), START_M, aside_m))


def push(world: World, aside_m: float, force_n: float, *, stop_m: float = 0.02) -> float:
    """Push the card at the entry; returns how far its leading edge came in, m. Stops at ``force_n`` or ``stop_m``."""
    stand_before(world, aside_m)
    t_tcp_tip = world.t_tcp_tip_at_rest()
    ahead_m, furthest_m = START_M, -1.0
    while ahead_m > -0.02:
        ahead_m -= PUSH_M_S * PERIOD_S
        track(world, _goal(world, t_tcp_tip, ahead_m, aside_m), PERIOD_S)
        truth = world.truth()
        inside_m = float((pose_of.inverse(truth.t_base_target) @ truth.t_base_tip)[0, 3]) - CARD_READER.entry_m
        furthest_m = max(furthest_m, inside_m)
        if truth.contact_force_n > force_n or inside_m > stop_m:
            break
    return furthest_m


def touch_sides(task: Task, *, train: int, test: int, first_seed: int = 50_000) -> TouchScore:
    """Held-out accuracy of telling by one tactile reading on which side the leading edge rests on the lead-in."""
    world = World(task)
    return score_touches([_touch(world, first_seed + i) for i in range(train + test)], train)


def _touch(world: World, seed: int) -> tuple[NDArray[np.float64], int]:
    rng = np.random.default_rng([seed, 2])
    label = int(rng.integers(2))
    least_m = CARD_READER.clearance_m + 0.0001
    aside_m = (1.0, -1.0)[label] * rng.uniform(least_m, CARD_READER.clearance_m + CARD_READER.flare_m)
    world.reset(seed)
    stand_before(world, aside_m)
    baseline = np.median([world.tactile_ut() for _ in range(5)], axis=0)
    push(world, aside_m, 3.0, stop_m=0.004)
    return np.mean([world.tactile_ut() for _ in range(10)], axis=0) - baseline, label


def deepest_penetration_m(task: Task) -> float:
    """Deepest penetration while the grip gives all it has at the entry, and sideways in the slot."""
    world = World(task)
    with DeepestPenetration() as deepest:
        for seed, sign in enumerate((1.0, -1.0)):
            world.reset(seed)
            push(world, 0.003 * sign, 1e9)
            world.reset(seed)
            _push_sideways(world, sign)
    return deepest.metres


def _push_sideways(world: World, sign: float) -> None:
    """In the slot, push 8 mm sideways, far beyond the grip's limit."""
    push(world, 0.0, 30.0, stop_m=0.015)
    t_tcp_tip = world.t_tcp_tip_at_rest()
    for i in range(30):
        track(world, _goal(world, t_tcp_tip, -0.015, sign * 0.008 * (i + 1) / 30), PERIOD_S)


def entries_without_flare(task: Task, *, error_m: float = 0.0015) -> tuple[int, int]:
    """How often, of how many pushes, a card enters that is ``error_m`` off, without a lead-in."""
    bare = replace(CARD_READER, flare_m=0.0)
    world = World(task, config=WorldConfig(fixture=bare, variation=EXACT))
    entered, sides = 0, (1.0, -1.0) * 4
    for seed, sign in enumerate(sides):
        world.reset(seed)
        entered += push(world, error_m * sign, 1e9) > 0.0005
    return entered, len(sides)
