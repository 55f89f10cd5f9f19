"""The evaluation's locator over the simulator's camera: episodes begin above where the target is seen."""

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_sim.evaluation.evaluation import run_trials
from vital_sim.evaluation.policies import load_locator
from vital_sim.evaluation.workers import make_env
from vital_sim.gym.env import VitalEnv


class Idle:
    """A policy that would fail at its first observation."""

    def begin(self) -> None:
        return None

    def act(self, observations, memories):
        raise AssertionError("asked though there is no start")


def test_an_episode_begins_above_the_tilted_target_as_it_is_located():
    env = make_env("usb_insertion", "tilt_20", "reach")
    _, info = env.reset(seed=30_000)
    assert info["outcome"] == "running", info["problem"]
    opening, hand = env.world.site_pose("target_opening"), env.world.t_base_tcp()
    seen = (pose_of.inverse(opening) @ hand)[:3, 3] - env.task.start_centre_m
    assert (np.abs(seen) <= np.array(env.task.start_region_m) / 2 + 0.012).all()
    assert np.rad2deg(np.arccos(-hand[:3, 2] @ opening[:3, 2])) < 2.5
    # The hand's x is the target's: the yaw was found, not told.
    assert np.rad2deg(np.arccos(np.clip(hand[:3, 0] @ opening[:3, 0], -1, 1))) < 3.5
    env.close()


def test_a_trial_without_a_place_is_a_failure_of_its_own_without_a_step():
    def nowhere(look):
        raise VitalError(ErrorCode.NOT_IN_VIEW, "nothing in view")

    def far_away(look):
        return pose_of.from_vector((3.0, 0.0, 0.1), np.zeros(3))

    env = VitalEnv("usb_insertion", locate=nowhere)
    trials = list(run_trials([env], Idle(), [3, 4]))
    assert [(t.seed, t.failure, t.steps, t.success) for t in trials] == [
        (3, "not_located", 0, False),
        (4, "not_located", 0, False),
    ]
    env._locate = far_away
    (trial,) = run_trials([env], Idle(), [3])
    assert (trial.failure, trial.steps) == ("unreachable", 0)
    env.close()


def test_an_unknown_locator_is_refused_by_name():
    with pytest.raises(VitalError, match="there is no loader 'nobody'"):
        load_locator("nobody", "usb_insertion")
