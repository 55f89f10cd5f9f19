"""The algorithm, on problems whose answers are known."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import VitalError
from vital_data.dataset.normalisation import Normaliser
from vital_policy.precision import PRECISIONS, fastest_precision
from vital_rl.residual.batches import Batch, EpisodeSteps, n_step, rewards
from vital_rl.residual.ddpg import DDPGConfig, Learner
from vital_rl.residual.networks import (
    GRIPPER,
    ActorConfig,
    CriticConfig,
    Critics,
    Exploration,
    ResidualActor,
    offset_scale,
)

GAMMA = 0.9
SMALL = DDPGConfig(
    critic_only=50,
    actor_every=1,
    learning_rate=1e-3,
    tau=0.05,
    actor_l2=0.0,
    actor=ActorConfig(features=2, hidden=32),
    critic=CriticConfig(features=2, hidden=32),
)


def episode(reward, terminated, features=1):
    steps = len(reward)
    z = np.arange(steps + 1, dtype=np.float32)[:, None, None].repeat(features, 2)
    return EpisodeSteps(
        z, np.zeros((steps + 1, 7), np.float32), np.zeros((steps, 7), np.float32),
        np.array(reward, np.float32), np.zeros(steps, bool), terminated,
    )  # fmt: skip


def test_n_step_returns_are_those_written_down_by_hand():
    end, reward, discount = n_step(episode([1, 2, 4, 8], terminated=True), steps=3, gamma=0.5)
    assert end.tolist() == [3, 4, 4, 4]
    assert reward.tolist() == [1 + 1 + 1, 2 + 2 + 2, 4 + 4, 8]
    assert discount.tolist() == [0.125, 0.0, 0.0, 0.0]


def test_a_truncated_episode_keeps_the_value_of_its_last_state():
    end, _, discount = n_step(episode([0, 0], terminated=False), steps=3, gamma=0.5)
    assert end.tolist() == [2, 2] and discount.tolist() == [0.25, 0.5]


@given(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=12), st.integers(1, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_n_step_is_the_sum_it_says_and_never_leaves_the_episode(reward, steps, terminated):
    ends, returns, discounts = n_step(episode(reward, terminated), steps, gamma=0.9)
    for t in range(len(reward)):
        end = min(t + steps, len(reward))
        assert ends[t] == end
        assert returns[t] == pytest.approx(sum(0.9 ** (k - t) * reward[k] for k in range(t, end)), abs=1e-4)
        assert discounts[t] == pytest.approx(0.0 if terminated and end == len(reward) else 0.9 ** (end - t))


def test_rows_that_are_off_by_one_are_refused():
    good = episode([0, 0, 1], terminated=True)
    with pytest.raises(ValueError, match="base has 3 rows for 3 rewards, expected 4"):
        dataclasses.replace(good, base=good.base[:3])
    with pytest.raises(ValueError, match="residual has 4 rows"):
        dataclasses.replace(good, residual=np.zeros((4, 7), np.float32))


def test_reward_is_success_at_the_end_and_the_distance_only_when_it_is_asked_for():
    assert rewards(True, None, 3, dense=False).tolist() == [0, 0, 1]
    assert rewards(False, np.array([0.5, 0.25]), 2, dense=True).tolist() == [-0.5, -0.25]
    with pytest.raises(ValueError, match="needs 2 distances"):
        rewards(True, None, 2, dense=True)


def test_a_distance_that_is_not_known_for_a_moment_is_taken_from_those_around_it():
    missing = np.array([np.nan, 0.4, np.nan, 0.2])
    assert rewards(False, missing, 4, dense=True).tolist() == pytest.approx([-0.4, -0.4, -0.3, -0.2])
    with pytest.raises(VitalError, match="nobody measured"):
        rewards(False, np.full(4, np.nan), 4, dense=True)


def test_ensemble_answers_as_its_critics_would_alone():
    torch.manual_seed(0)
    critics = Critics(CriticConfig(features=5, hidden=16, critics=3))
    z, base, residual = torch.randn(4, 5), torch.randn(4, 7), torch.randn(4, 7)
    together = critics(z, base, residual)
    first = torch.cat([critics.first.situation, critics.first.residual]).unflatten(1, (3, 16))
    bias = critics.first.bias.unflatten(0, (3, 16))
    for e in range(3):
        y = torch.cat([z, base, residual], -1) @ first[:, e] + bias[e]
        y = torch.relu(torch.nn.functional.layer_norm(y, (16,)) * critics.norm1.gain[e] + critics.norm1.shift[e])
        y = y @ critics.second.weight[e] + critics.second.bias[e]
        y = torch.relu(torch.nn.functional.layer_norm(y, (16,)) * critics.norm2.gain[e] + critics.norm2.shift[e])
        alone = (y @ critics.out.weight[e] + critics.out.bias[e])[:, 0]
        torch.testing.assert_close(together[e], alone)
    torch.testing.assert_close(critics.members(torch.tensor([2, 0]))(z, base, residual), together[[2, 0]])


@pytest.mark.parametrize("layers", [1, 3])
def test_untrained_actor_changes_nothing_and_a_trained_one_stays_within_the_scale(layers):
    actor = ResidualActor(ActorConfig(features=4, hidden=8, layers=layers))
    assert sum(isinstance(module, torch.nn.Linear) for module in actor.modules()) == layers + 1
    assert not actor(torch.randn(3, 4), torch.randn(3, 7)).any()
    torch.nn.init.normal_(actor.out.weight, std=50.0)
    residual = actor(torch.randn(99, 4), torch.randn(99, 7))
    assert residual.abs().max() <= 1.0 and not residual[:, GRIPPER].any()


def test_offset_scale_is_a_share_of_the_largest_action_and_leaves_the_gripper_alone():
    actions = np.zeros((50, 7))
    actions[:, 0] = np.linspace(-0.01, 0.03, 50)
    actions[:, 6] = 1.0
    scale = offset_scale(Normaliser.fit(actions, np.zeros((50, 15), np.float32)))
    assert scale.largest[0] == pytest.approx(0.2 * 0.03, rel=0.25) and scale.largest[6] == 0.0


def test_noise_falls_along_a_line():
    config = Exploration()
    assert [config.noise(step) for step in (0, 2500, 5000, 9000)] == pytest.approx([0.25, 0.175, 0.1, 0.1])


def bandit(rng, count):
    """The base action misses by something that the state tells; the residual 0.6 z undoes it."""
    z = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    residual = rng.uniform(-1, 1, (count, 7)).astype(np.float32)
    residual[:, GRIPPER] = 0.0
    reward = -np.square(residual[:, 0] - 0.6 * z[:, 0])
    nothing = np.zeros((count, 7), np.float32)
    tensors = (z, nothing, residual, reward, np.zeros(count, np.float32), z, nothing)
    return Batch(*map(torch.from_numpy, tensors))


precisions = pytest.mark.parametrize("precision", PRECISIONS)


@precisions
def test_learns_the_correction_that_the_state_asks_for(precision):
    learner, rng = Learner(dataclasses.replace(SMALL, precision=precision)), np.random.default_rng(0)
    for _ in range(3000):
        learner.update(bandit(rng, 256))
    z = torch.linspace(-0.9, 0.9, 7)[:, None].repeat(1, 2)
    with torch.no_grad():
        found = learner.actor(z, torch.zeros(7, 7))[:, 0]
    torch.testing.assert_close(found, 0.6 * z[:, 0], atol=0.2, rtol=0.0)


def test_what_is_wanted_of_the_critics_keeps_within_what_the_rewards_allow():
    learner = Learner(dataclasses.replace(SMALL, returns=(0.0, 1.0)))
    torch.nn.init.constant_(learner.target.out.bias, 40.0)
    batch = bandit(np.random.default_rng(0), 32)
    batch = dataclasses.replace(batch, discount=torch.ones(32))
    wanted = learner._target_values(batch, 0.0, torch.Generator())
    assert wanted.max() == 1.0 and wanted.min() >= 0.0


def walk(policy, rng, steps=12):
    """x' = x + a + 0.15, wanted at 0; the base a = -0.5 x does not know of the 0.15. Rows of (x, u, reward)."""
    x, rows = rng.uniform(-1, 1), []
    for _ in range(steps):
        u = np.clip(policy(x), -1, 1) * np.ones(7)
        after = float(x + (-0.5 * x + 0.3 * u[0]) + 0.15)
        rows.append((x, u, -after * after))
        x = after
    return rows, x


def as_batch(rows, last):
    xs = np.array([*(r[0] for r in rows), last], np.float32)
    u = np.array([r[1] for r in rows], np.float32)
    u[:, GRIPPER] = 0.0
    base = np.zeros((len(xs), 7), np.float32)
    base[:, 0] = -0.5 * xs
    steps = EpisodeSteps(
        np.stack([xs, np.ones_like(xs)], 1)[:, None], base, u,
        np.array([r[2] for r in rows], np.float32), np.zeros(len(rows), bool), terminated=False,
    )  # fmt: skip
    end, reward, discount = n_step(steps, 1, GAMMA)
    z = steps.features[:, 0]
    return [z[:-1], base[:-1], u, reward, discount, z[end], base[end]]


@precisions
def test_a_biased_base_policy_is_put_right_over_many_steps(precision):
    # n-step returns of random actions would count the drift that those let happen: one step has the known answer.
    config = dataclasses.replace(SMALL, precision=precision)
    learner, rng = Learner(config), np.random.default_rng(1)
    episodes = [as_batch(*walk(lambda x: rng.uniform(-1, 1, 7), rng)) for _ in range(150)]
    rows = [np.concatenate(column).astype(np.float32) for column in zip(*episodes, strict=True)]
    for _ in range(2500):
        index = rng.integers(len(rows[0]), size=128)
        learner.update(Batch(*(torch.from_numpy(column[index]) for column in rows)))

    @torch.no_grad()
    def learned(x):
        base = torch.zeros(1, 7)
        base[0, 0] = -0.5 * x
        return learner.actor(torch.tensor([[x, 1.0]]), base)[0, 0].item()

    def cost(policy):
        test = np.random.default_rng(2)
        return -np.mean([r[2] for _ in range(40) for r in walk(policy, test)[0]])

    # The base alone settles at 0.3; an exact correction of the 0.15 is u = -0.5, and more of it brings x home sooner.
    assert cost(learned) < 0.25 * cost(lambda x: 0.0)
    assert learned(0.0) == pytest.approx(-0.5, abs=0.25)


def test_the_average_follows_the_actor_by_its_share_of_every_update_of_it():
    learner, rng = (
        Learner(dataclasses.replace(SMALL, critic_only=2, actor_every=2, average=0.25)),
        np.random.default_rng(4),
    )
    expected = [value.clone() for value in learner.actor.parameters()]
    for update in range(7):
        learner.update(bandit(rng, 32))
        if update >= 2 and update % 2 == 0:
            expected = [0.75 * a + 0.25 * b.detach() for a, b in zip(expected, learner.actor.parameters(), strict=True)]
        for value, wanted in zip(learner.average.parameters(), expected, strict=True):
            torch.testing.assert_close(value, wanted)
    assert not torch.equal(learner.average.hidden.weight, learner.actor.hidden.weight)


@pytest.mark.parametrize("average", [0.0, 1.5])
def test_an_average_that_follows_nothing_or_overtakes_is_refused(average):
    with pytest.raises(ValueError, match="expected above 0 and at most 1"):
        DDPGConfig(average=average)


def test_an_unknown_precision_is_refused_and_the_fastest_is_a_known_one():
    with pytest.raises(ValueError, match="precision is 'float8', expected one of"):
        DDPGConfig(precision="float8")
    assert fastest_precision() in PRECISIONS


def test_values_keep_single_precision_where_the_products_do_not():
    learner = Learner(dataclasses.replace(SMALL, precision="bfloat16"))
    batch = bandit(np.random.default_rng(5), 64)
    with torch.no_grad(), learner._product_precision():
        values = learner.critics(batch.z, batch.base, batch.residual)
    assert values.dtype == torch.float32 and not torch.equal(values, values.bfloat16().float())


@precisions
def test_resumed_learner_repeats_its_updates_exactly(precision):
    rng = np.random.default_rng(3)
    config = dataclasses.replace(SMALL, critic_only=2, target_critics=1, precision=precision)
    batches = [bandit(rng, 32) for _ in range(6)]
    whole, first = Learner(config), Learner(config)
    expected = [whole.update(batch) for batch in batches]
    for batch in batches[:3]:
        first.update(batch)
    second = Learner(dataclasses.replace(config))
    second.restore(first.state(), 3)
    assert [second.update(batch) for batch in batches[3:]] == expected[3:]
    for name, value in whole.state().items():
        assert torch.equal(value, second.state()[name]), name


def test_state_of_another_architecture_is_refused():
    other = Learner(dataclasses.replace(SMALL, actor=ActorConfig(features=2, hidden=8)))
    with pytest.raises(RuntimeError):
        Learner(SMALL).restore(other.state(), 1)
    with pytest.raises(KeyError, match="the state lacks or has too much of"):
        Learner(SMALL).restore({}, 1)
