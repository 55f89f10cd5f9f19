"""The Gymnasium environment keeps Gymnasium's contract and the gate's."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from vital_core import pose as pose_of
from vital_sim import TASKS, environment_id
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.gym.env import VitalEnv
from vital_sim.gym.outcome import SUCCESS_HELD_S
from vital_sim.world.variation import SETTINGS


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
    since_s, terminated, truncated = None, False, False
    while not (terminated or truncated):
        intended = ScriptedExpert(env.world).command().intended
        delta = pose_of.to_vector(pose_of.inverse(env.world.t_base_tcp()) @ intended)
        _, reward, terminated, truncated, info = env.step(np.array([*delta, 1.0]))
        assert info["refused"] == "" and reward == float(terminated)
        since_s = (since_s or env.world.time_s) if info["success"] else None
        assert terminated == (since_s is not None and env.world.time_s - since_s > SUCCESS_HELD_S - 1e-3)
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


def act(env, *delta, gripper=1.0):
    return env.step(np.array([*delta, *[0.0] * (6 - len(delta)), gripper], np.float32))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_registered_with_spaces_that_hold_what_it_gives(task):
    made = gymnasium.make(f"vital_sim:{environment_id(task)}")
    observation, info = made.reset(seed=11)
    assert observation in made.observation_space and info["outcome"] == "running"
    observation, reward, terminated, truncated, info = act(made.unwrapped, 0.0, 0.0, 0.001)
    assert observation in made.observation_space
    assert reward == 0.0 and not terminated and not truncated
    made.close()


def test_observation_begins_at_the_baseline(env):
    for seed in range(4):
        assert np.abs(env.reset(seed=seed)[0]["tactile"]).max() < 30.0


def test_accepted_action_moves_the_arm_by_its_delta(env):
    env.reset(seed=8)
    before = env.world.t_base_tcp()
    *_, info = act(env, 0.0, 0.0, -0.012)
    env.world.advance(0.3)
    assert info["refused"] == ""
    moved = pose_of.inverse(before) @ env.world.t_base_tcp()
    np.testing.assert_allclose(moved[:3, 3], [0.0, 0.0, -0.012], atol=3e-4)


def test_one_step_takes_one_control_period(env):
    env.reset(seed=0)
    begin = env.world.time_s
    for i in range(3):
        info = act(env, 0.0, 0.0, 0.0)[-1]
        assert info["time_s"] - begin == pytest.approx((i + 1) * env.task.period_s, abs=0.001)


def test_episode_is_as_long_as_the_task_says_and_ends_once(env):
    env.reset(seed=1)
    ends = []
    while not ends or not any(ends[-1]):
        _, _, terminated, truncated, _ = act(env, 0.0, 0.0, 0.0)
        ends.append((terminated, truncated))
    assert ends[-1] == (False, True)
    assert len(ends) == pytest.approx(env.task.episode_s / env.task.period_s, abs=2)


def test_reset_without_a_seed_goes_on_from_the_last_one(env):
    drawn = []
    for _ in range(2):
        env.reset(seed=21)
        drawn.append(env.reset()[0]["image"])
    np.testing.assert_array_equal(*drawn)
    assert not np.array_equal(drawn[0], env.reset()[0]["image"])


@pytest.mark.parametrize("setting", SETTINGS)
def test_seed_decides_the_variant_of_a_setting(setting):
    made = VitalEnv("usb_insertion", setting=setting)
    seen = [made.reset(seed=seed)[1]["variant"] for seed in range(6)]
    assert seen == ([0] * 6 if setting == "in_domain" else [0, 1, 2, 0, 1, 2])
    made.close()


def test_render_is_the_image_of_the_last_observation(env):
    env.reset(seed=2)
    observation = act(env, 0.0, 0.0, 0.001)[0]
    np.testing.assert_array_equal(env.render(), observation["image"])


@pytest.mark.parametrize("task", ["usb_insertion", "pick_block"])
def test_who_takes_over_in_the_middle_finishes_and_is_told_as_it_moved(task):
    env = VitalEnv(task)
    try:
        env.reset(seed=3)
        still = np.array([0, 0, 0, 0, 0, 0, float(env.task.starts_closed)])
        for _ in range(5):
            env.step(still)
        over = False
        while not over:
            before, start_s = env.world.t_base_tcp(), env.world.time_s
            *_, terminated, truncated, info = env.demonstrate()
            over = terminated or truncated
            assert env.world.time_s - start_s == pytest.approx(env.task.period_s, abs=0.002)
            moved = pose_of.to_vector(pose_of.inverse(before) @ env.world.t_base_tcp())
            np.testing.assert_allclose(info["executed"][:6], moved, atol=1e-6)
            assert 0.0 <= info["executed"][6] <= 1.0
        assert info["outcome"] == "success"
    finally:
        env.close()


def test_a_persons_errors_follow_from_the_seed_of_the_episode():
    env, ends = VitalEnv("usb_insertion"), []
    try:
        for seed in (3, 4, 3):
            env.reset(seed=seed)
            for _ in range(6):
                *_, info = env.demonstrate()
            ends.append(info["executed"])
        np.testing.assert_array_equal(ends[0], ends[2])
        assert (ends[0] != ends[1]).any()
    finally:
        env.close()
