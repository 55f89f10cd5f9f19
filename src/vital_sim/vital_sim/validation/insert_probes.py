"""Experiments on plug and opening: each answers one question with numbers."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.validation.instruments import DeepestPenetration, TouchScore, score_touches
from vital_sim.world.fixtures import Connector, fixture_for
from vital_sim.world.motion import track
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.variation import EXACT
from vital_sim.world.world import World, WorldConfig

DIRECTIONS = {"right": (1.0, 0.0), "left": (-1.0, 0.0), "front": (0.0, 1.0), "back": (0.0, -1.0)}


def connector_of(task: Task) -> Connector:
    """The connector of an insertion task."""
    fixture = fixture_for(task.held_object)
    assert isinstance(fixture, Connector), f"{task.name} inserts nothing"
    return fixture


def hover(world: World, height_m: float, error_m: NDArray[np.float64]) -> Pose:
    """Put the arm where the tip stands straight above the opening, off by ``error_m`` (2,) in its plane.

    Returns the TCP pose, measured.
    """
    goal = tip_goal(world, world.t_tcp_tip_at_rest(), height_m, error_m)
    world.place_tcp(goal)
    return goal


def tip_goal(world: World, t_tcp_tip: Pose, height_m: float, error_m: NDArray[np.float64]) -> Pose:
    """TCP pose that puts a tip held at ``t_tcp_tip`` upright above the mouth, off by ``error_m`` (2,)."""
    tip = world.site_pose("target_opening") @ pose_of.point_down([*error_m, height_m])
    return tip @ pose_of.inverse(t_tcp_tip)


def press(world: World, error_m: NDArray[np.float64], force_n: float, *, stop_depth_m: float = 0.02) -> float:
    """Descend at 15 mm/s from 4 mm above the mouth; returns how deep the tip came, in m.

    Stops at a contact force of ``force_n``, a tip depth of ``stop_depth_m``, or 20 mm below the mouth.
    """
    hover(world, 0.004, error_m)
    t_tcp_tip = world.t_tcp_tip_at_rest()
    height_m, deepest_m = 0.004, -1.0
    while height_m > -0.02:
        height_m -= 0.015 * PERIOD_S
        track(world, tip_goal(world, t_tcp_tip, height_m, error_m), PERIOD_S)
        truth = world.truth()
        deepest_m = max(deepest_m, truth.depth_m)
        if truth.contact_force_n > force_n or truth.depth_m > stop_depth_m:
            break
    return deepest_m


def touch_directions(
    task: Task, *, train: int, test: int, beyond_lead_in: bool = False, first_seed: int = 50_000
) -> TouchScore:
    """Linear discriminant on one tactile reading when the plug touches off centre with 6 N.

    The plug is off by what lets it touch the lead-in (clearance to clearance + chamfer), or, ``beyond_lead_in``,
    by more, up to 2 mm. In-hand offset and target are random; the plug is upright, as after a visual approach.
    """
    world, connector = World(task), connector_of(task)
    edge = connector.clearance_m + connector.chamfer_m
    sizes = (edge, 0.0020) if beyond_lead_in else (connector.clearance_m + 0.0001, edge)
    return score_touches([_touch(world, first_seed + i, sizes) for i in range(train + test)], train)


def _touch(world: World, seed: int, sizes_m: tuple[float, float]) -> tuple[NDArray[np.float64], int]:
    rng = np.random.default_rng([seed, 2])
    label = int(rng.integers(len(DIRECTIONS)))
    along = np.array(list(DIRECTIONS.values())[label])
    error = along * rng.uniform(*sizes_m) + along[::-1] * rng.uniform(-0.0001, 0.0001)
    world.reset(seed)
    hover(world, 0.004, error)
    baseline = np.median([world.tactile_ut() for _ in range(5)], axis=0)
    press(world, error, 6.0, stop_depth_m=0.001)
    return np.mean([world.tactile_ut() for _ in range(10)], axis=0) - baseline, label


def deepest_penetration_m(task: Task) -> float:
    """Deepest penetration while the grip gives all it has: down on the rim, and sideways in the opening."""
    world = World(task)
    with DeepestPenetration() as deepest:
        for seed, along in enumerate(DIRECTIONS.values()):
            world.reset(seed)
            press(world, 0.002 * np.array(along), 1e9)
            world.reset(seed)
            _push_sideways(world, np.array(along))
    return deepest.metres


def _push_sideways(world: World, along: NDArray[np.float64]) -> None:
    """Insert, then push 10 mm sideways, far beyond the grip's lateral limit."""
    depth_m = world.task.success_depth_m
    t_tcp_tip = world.t_tcp_tip_at_rest()
    press(world, np.zeros(2), 30.0, stop_depth_m=depth_m)
    for i in range(30):
        track(world, tip_goal(world, t_tcp_tip, -depth_m, along * 0.010 * (i + 1) / 30), PERIOD_S)


def entries_without_chamfer(task: Task, *, error_m: float = 0.0015) -> tuple[int, int]:
    """How often, of how many pushes with full force, a plug enters that is ``error_m`` off, without chamfer."""
    bare = replace(connector_of(task), chamfer_m=0.0)
    world = World(task, config=WorldConfig(fixture=bare, variation=EXACT))
    entered, angles = 0, np.arange(8) * np.pi / 4
    for seed, angle in enumerate(angles):
        world.reset(seed)
        deepest_m = press(world, error_m * np.array([np.cos(angle), np.sin(angle)]), 1e9)
        entered += deepest_m > 0.0005
    return entered, len(angles)


def force_at_tactile_limit_n(task: Task, *, presses: int = 8) -> float:
    """Median contact force at which a press on the rim reaches the task's tactile limit; infinite if never."""
    world = World(task)
    return float(np.median([_force_at_limit_n(world, 70_000 + i) for i in range(presses)]))


def _force_at_limit_n(world: World, seed: int) -> float:
    world.reset(seed)
    error = 0.002 * np.array(list(DIRECTIONS.values())[seed % len(DIRECTIONS)])
    hover(world, 0.004, error)
    baseline = np.median([world.tactile_ut() for _ in range(5)], axis=0)
    t_tcp_tip = world.t_tcp_tip_at_rest()
    for height_m in np.arange(0.004, -0.02, -0.010 * PERIOD_S):
        track(world, tip_goal(world, t_tcp_tip, height_m, error), PERIOD_S)
        if largest_field_ut(world.tactile_ut() - baseline) > world.task.tactile_limit_ut:
            return world.truth().contact_force_n
    return float("inf")
