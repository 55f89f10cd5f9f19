"""The scripted controllers: the expert that knows everything succeeds, the blind one mostly does not."""

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.task import load_task
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import PERIOD_S, run
from vital_sim.demonstrator.style import Phase
from vital_sim.validation.trials import trial, world_at
from vital_sim.world.motion import track
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.world import World

TASKS = ("usb_insertion", "plug_in_socket")


@pytest.fixture(scope="module", params=TASKS)
def world(request) -> World:
    return World(load_task(request.param))


def _begin(world: World, seed: int, *, human_like: bool = True) -> ScriptedExpert:
    world.begin(seed)
    return ScriptedExpert(world, np.random.default_rng(seed), human_like=human_like)


@pytest.mark.parametrize("controller", ["expert", "human"])
def test_expert_succeeds(world, controller):
    assert all(trial(world, controller, seed).success for seed in range(6))


def test_blind_pushing_mostly_fails(world):
    assert sum(trial(world, "blind", seed).success for seed in range(10)) <= 6


def test_human_like_demonstrations_touch_the_rim_off_centre_and_recover(world):
    touched_off_centre = 0
    for seed in range(8):
        expert = _begin(world, seed)
        while not expert.done and world.time_s < 20.0:
            track(world, expert.command().target, PERIOD_S)
            truth = world.truth()
            if expert.phase is Phase.TOUCH and truth.lateral_m > 0.001:
                touched_off_centre += 1
                break
        assert run(world, expert).success
    assert touched_off_centre >= 2


def test_expert_stays_below_the_tactile_limit(world):
    expert = _begin(world, 4)
    baseline = np.median([world.tactile_ut() for _ in range(5)], axis=0)
    while not expert.done and world.time_s < 20.0:
        track(world, expert.command().target, PERIOD_S)
        assert largest_field_ut(world.tactile_ut() - baseline) < world.task.tactile_limit_ut


def test_intended_target_leads_towards_the_opening(world):
    expert = _begin(world, 3)
    command = expert.command()
    tip = world.t_tcp_tip_at_rest()
    goal = world.site_pose("target_opening")
    before = np.linalg.norm((world.t_base_tcp() @ tip)[:3, 3] - goal[:3, 3])
    after = np.linalg.norm((command.intended @ tip)[:3, 3] - goal[:3, 3])
    assert after < before - 0.002
    assert pose_of.distance(world.t_base_tcp(), command.intended)[0] <= world.task.max_step_m


def test_same_seed_gives_the_same_demonstration(world):
    ends = [run(world, _begin(world, 6)).duration_s for _ in range(2)]
    assert ends[0] == ends[1]


def test_halving_the_time_step_changes_no_outcome_of_a_few_trials():
    task = load_task("usb_insertion")
    coarse, fine = world_at(task, 0.0005), world_at(task, 0.00025)
    seeds = range(6)
    for controller in ("expert", "blind"):
        flips = sum(trial(coarse, controller, s).success != trial(fine, controller, s).success for s in seeds)
        assert flips <= 1
