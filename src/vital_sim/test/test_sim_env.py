"""The Gymnasium environment keeps Gymnasium's contract and the gate's."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from vital_core import pose as pose_of
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.gym.env import SUCCESS_HELD_S, VitalEnv


@pytest.fixture(scope="module")
def env():
    made = gymnasium.make("vital_sim:Vital/UsbInsertion-v0").unwrapped
    yield made
    made.close()


def test_environment_passes_gymnasiums_checker(env):
    check_env(env, skip_render_check=True)


def test_same_seed_gives_the_same_episode(env):
    first = env.reset(seed=5)[0]
    moved = env.step(np.array([0.005, 0, 0.01, 0, 0, 0, 1], np.float32))[0]
    again = env.reset(seed=5)[0]
    moved_again = env.step(np.array([0.005, 0, 0.01, 0, 0, 0, 1], np.float32))[0]
    assert np.array_equal(first["image"], again["image"])
    assert np.array_equal(moved["tactile"], moved_again["tactile"])


def test_seeds_differ_in_what_they_show(env):
    assert not np.array_equal(env.reset(seed=5)[0]["image"], env.reset(seed=6)[0]["image"])


@pytest.mark.parametrize(
    ("action", "word"),
    [([0.05, 0, 0, 0, 0, 0, 1], "at most 30.0 mm"), ([0, 0, 0, 0.3, 0, 0, 1], "at most"), ([np.nan] * 7, "finite")],
)
def test_refused_action_moves_nothing_and_says_why(env, action, word):
    env.reset(seed=1)
    before = env.world.t_base_tcp()
    *_, info = env.step(np.array(action))
    assert word in info["refused"]
    assert np.abs(env.world.t_base_tcp() - before).max() < 5e-5


def test_time_limit_truncates_and_does_not_terminate(env):
    env.reset(seed=2)
    env.world.data.time = env.task.episode_s - 0.1
    _, reward, terminated, truncated, info = env.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))
    assert (reward, terminated, truncated, info["outcome"]) == (0.0, False, True, "time_out")


def test_pressing_beyond_the_limit_terminates_without_reward(env):
    env.reset(seed=3)
    truth = env.world.truth()
    beside_the_opening = truth.t_base_tip[:3, 3] + [0.006, 0.0, 0.0]
    env.world.place_target([*beside_the_opening[:2], truth.t_base_target[2, 3]], 0.0)
    for _ in range(30):
        _, reward, terminated, truncated, info = env.step(np.array([0.0, 0.0, 0.02, 0, 0, 0, 1.0]))
        if terminated or truncated:
            break
    assert info["outcome"] == "force_limit" and terminated and reward == 0.0


def test_experts_intended_deltas_succeed_and_success_must_last(env):
    env.reset(seed=4)
    inside_s, terminated, truncated = 0.0, False, False
    while not (terminated or truncated):
        intended = ScriptedExpert(env.world).command().intended
        delta = pose_of.to_vector(pose_of.inverse(env.world.t_base_tcp()) @ intended)
        _, reward, terminated, truncated, info = env.step(np.array([*delta, 1.0]))
        assert info["refused"] == "" and reward == float(terminated)
        inside_s = inside_s + env.task.period_s if info["success"] else 0.0
        assert terminated == (inside_s >= SUCCESS_HELD_S)
    assert info["outcome"] == "success" and not truncated
    assert info["depth_m"] >= env.task.success_depth_m


def test_foreground_is_told_where_it_is_asked_for_and_changes_nothing_else():
    plain, telling = VitalEnv("usb_insertion"), VitalEnv("usb_insertion", foreground=True)
    action = np.array([0, 0, 0.002, 0, 0, 0, 1.0])
    for env in (plain, telling):
        env.reset(seed=3)
    (seen, *_, info), (seen_too, *_, told) = plain.step(action), telling.step(action)
    assert "foreground" not in info and told["foreground"].shape == (128, 16)
    assert 0.02 < np.unpackbits(told["foreground"]).mean() < 0.9
    assert np.array_equal(seen["image"], seen_too["image"])
    plain.close()
    telling.close()


def test_dense_reward_is_minus_the_distance():
    dense = VitalEnv("plug_in_socket", dense=True)
    dense.reset(seed=0)
    reward = dense.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))[1]
    assert -0.2 < reward < -0.08
    dense.close()
