"""Experiments on the contact world: each answers one question about it with numbers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.demonstrator.expert import PERIOD_S, ScriptedExpert, Trial, run, sample_start
from vital_sim.demonstrator.motion import track
from vital_sim.validation.blind import BlindController
from vital_sim.world.connectors import Connector
from vital_sim.world.contact import ContactConfig
from vital_sim.world.fixtures import fixture_for
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.world import EXACT, World, WorldConfig

DIRECTIONS = {"right": (1.0, 0.0), "left": (-1.0, 0.0), "front": (0.0, 1.0), "back": (0.0, -1.0)}


def connector_of(task: Task) -> Connector:
    """The connector of an insertion task."""
    fixture = fixture_for(task.held_object)
    assert isinstance(fixture, Connector), f"{task.name} inserts nothing"
    return fixture


def world_at(task: Task, timestep_s: float) -> World:
    """A world with another physics step."""
    return World(task, config=WorldConfig(contact=ContactConfig(timestep_s=timestep_s)))


def trial(world: World, controller: str, seed: int) -> Trial:
    """One run of `expert`, `human` (the expert with human-like errors) or `blind` from the start region."""
    world.reset(seed)
    start = sample_start(world, world.rng)
    world.reset(seed, start=start)
    if controller == "blind":
        return run(world, BlindController(world))
    rng = np.random.default_rng([seed, 1])
    return run(world, ScriptedExpert(world, rng, human_like=controller == "human"))


def hover(world: World, height_m: float, error_m: NDArray[np.float64]) -> Pose:
    """Put the arm where the tip stands straight above the opening, off by ``error_m`` (2,) in its plane.

    Returns the TCP pose, measured.
    """
    goal = tip_goal(world, world.t_tcp_tip_at_rest(), height_m, error_m)
    solution = kinematics.solve(goal, world.joints_rad, posture_rad=world.joints_rad)
    if solution is None:
        raise ValueError(f"hover pose at {np.round(goal[:3, 3], 3)} m is out of the arm's reach")
    world.place_arm(solution)
    world.advance(0.1)
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


@dataclass(frozen=True)
class TouchScore:
    """Held-out accuracy of telling the direction of a contact error by touch alone, and how often of each."""

    correct: int
    trials: int


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
    readings = [_touch(world, first_seed + i, sizes) for i in range(train + test)]
    features = np.stack([r for r, _ in readings])
    labels = np.array([label for _, label in readings])
    predict = discriminant(features[:train], labels[:train])
    return TouchScore(int((predict(features[train:]) == labels[train:]).sum()), test)


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


def discriminant(
    features: NDArray[np.float64], labels: NDArray[np.int64]
) -> Callable[[NDArray[np.float64]], NDArray[np.int64]]:
    """Linear discriminant analysis with a shared covariance: readings (n, d), labels (n,) from 0 on."""
    classes = range(int(labels.max()) + 1)
    means = np.stack([features[labels == k].mean(axis=0) for k in classes])
    spread = np.cov((features - means[labels]).T) + np.eye(features.shape[1])
    weights = np.linalg.solve(spread, means.T)
    bias = -0.5 * np.einsum("kd,dk->k", means, weights)
    return lambda x: (x @ weights + bias).argmax(axis=1)


class DeepestPenetration:
    """Watches every physics step of every world while the `with` block lasts; `metres` is the deepest seen."""

    def __init__(self) -> None:
        self.metres = 0.0

    def __enter__(self) -> Self:
        # MuJoCo calls this from inside each mj_step; at time 0 a world is still being put in place.
        mujoco.set_mjcb_control(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        mujoco.set_mjcb_control(None)

    def _watch(self, _model: mujoco.MjModel, data: mujoco.MjData) -> None:
        if data.ncon and data.time > 0.0:
            self.metres = max(self.metres, -float(data.contact.dist.min()))


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


def real_time_factor(task: Task, make_contact: Callable[[World], object], seconds: float = 5.0) -> tuple[float, float]:
    """Simulated time over processor time of the physics alone: in the air, and after ``make_contact``."""
    world = World(task)
    world.reset(0)
    in_air = _speed(world, seconds)
    make_contact(world)
    return in_air, _speed(world, seconds)


def _speed(world: World, seconds: float) -> float:
    begin = time.process_time()
    world.advance(seconds)
    return seconds / (time.process_time() - begin)
