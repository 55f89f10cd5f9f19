"""Whole runs of the scripted controllers, and how fast the physics is."""

import time
from collections.abc import Callable

import numpy as np

from vital_core.task import Task
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import Trial, run
from vital_sim.validation.blind import BlindController
from vital_sim.world.contact import ContactConfig
from vital_sim.world.world import World, WorldConfig


def world_at(task: Task, timestep_s: float) -> World:
    """A world with another physics step."""
    return World(task, config=WorldConfig(contact=ContactConfig(timestep_s=timestep_s)))


def trial(world: World, controller: str, seed: int) -> Trial:
    """One run of `expert`, `human` (the expert with human-like errors) or `blind` from the start region."""
    world.begin(seed)
    if controller == "blind":
        return run(world, BlindController(world))
    rng = np.random.default_rng([seed, 1])
    return run(world, ScriptedExpert(world, rng, human_like=controller == "human"))


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
