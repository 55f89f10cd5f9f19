"""What an update is made of: transitions, minibatches, targets and schedules, against their formulae."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import ACTION_VALUES
from vital_data.dataset.normalisation import Normaliser, moved_to
from vital_rl.residual.batches import (
    Batch,
    EpisodeSteps,
    FeatureReplay,
    ReplayConfig,
    n_step,
    rewards,
)
from vital_rl.residual.ddpg import DDPGConfig, Learner
from vital_rl.residual.networks import (
    GRIPPER,
    ActorConfig,
    CriticConfig,
    Critics,
    Exploration,
    OffsetScale,
    ResidualActor,
    offset_scale,
)

FEATURES, VARIANTS = 3, 2
SMALL = DDPGConfig(
    critic_only=0,
    actor_every=1,
    actor=ActorConfig(features=FEATURES, hidden=8),
    critic=CriticConfig(features=FEATURES, hidden=8, critics=3),
)
EPISODES = st.lists(st.tuples(st.integers(1, 8), st.booleans(), st.booleans()), min_size=1, max_size=5)


def marked_episode(number: int, steps: int, *, terminated: bool, intervened: bool) -> EpisodeSteps:
    """Every row tells which it is: feature 0 is the episode, feature 1 the row, feature 2 the variant."""
    rng = np.random.default_rng(number)
    z = np.zeros((steps + 1, VARIANTS, FEATURES), np.float32)
    z[..., 0], z[..., 1], z[..., 2] = number, np.arange(steps + 1)[:, None], np.arange(VARIANTS)
    base = rng.uniform(-1, 1, (steps + 1, 7)).astype(np.float32)
    residual, reward = rng.uniform(-1, 1, (steps, 7)).astype(np.float32), rng.normal(size=steps).astype(np.float32)
    by_a_person = intervened & (np.arange(steps) % 2 == 0)
    return EpisodeSteps(z, base, residual, reward, by_a_person, terminated)


def memory_of(told, *, rows=100, prior=(), **config) -> tuple[FeatureReplay, list[EpisodeSteps]]:
    replay = FeatureReplay(ReplayConfig(rows, VARIANTS, FEATURES, **config))
    episodes = [marked_episode(i, n, terminated=t, intervened=p) for i, (n, t, p) in enumerate(told)]
    for number, episode in enumerate(episodes):
        replay.add(episode, prior=number in prior)
    return replay, episodes


@given(EPISODES, st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_every_row_of_a_minibatch_is_one_transition_of_one_episode(told, steps, seed):
    replay, episodes = memory_of(told, n_step=steps, gamma=0.9)
    assert len(replay) == sum(map(len, episodes))
    batch = replay.draw(32, torch.Generator().manual_seed(seed))
    for row in range(32):
        number, t, variant = batch.z[row].int().tolist()
        episode = episodes[number]
        end, reward, discount = n_step(episode, steps, 0.9)
        assert variant in range(VARIANTS) and batch.next_z[row, 2] in range(VARIANTS)
        assert batch.next_z[row, :2].tolist() == [number, end[t]]
        assert (batch.reward[row].item(), batch.discount[row].item()) == (reward[t], discount[t])
        np.testing.assert_array_equal(batch.base[row], episode.base[t])
        np.testing.assert_array_equal(batch.residual[row], episode.residual[t])
        np.testing.assert_array_equal(batch.next_base[row], episode.base[end[t]])


@given(EPISODES, st.integers(1, 64), st.floats(0.0, 1.0), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_share_of_prior_data_is_from_demonstrations_and_corrections_alone(told, size, share, demonstrated):
    replay, episodes = memory_of(told, prior=[0] if demonstrated else [], prior_share=share)
    batch = replay.draw(size, torch.Generator().manual_seed(1))
    places = batch.z[:, :2].int().tolist()
    known = [(demonstrated and number == 0) or bool(episodes[number].intervened[t]) for number, t in places]
    any_prior = demonstrated or any(episode.intervened.any() for episode in episodes)
    assert all(known[: round(size * share) if any_prior else 0]) and len(places) == size


def test_draws_cover_every_transition_and_every_variant_evenly():
    replay, episodes = memory_of([(4, True, False), (1, False, False), (7, False, True)], prior_share=0.0)
    batch = replay.draw(12_000, torch.Generator().manual_seed(0))
    _, counts = torch.unique(batch.z, dim=0, return_counts=True)
    assert len(counts) == VARIANTS * sum(map(len, episodes))
    assert counts.min() > 400 and counts.max() < 600  # 500 each, give or take 22


def test_minibatches_follow_from_the_generator_alone():
    replay, _ = memory_of([(5, True, True), (6, False, False)])
    one, two, other = (replay.draw(16, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    for field in dataclasses.fields(Batch):
        assert torch.equal(getattr(one, field.name), getattr(two, field.name)), field.name
    assert not torch.equal(one.z, other.z)


def test_a_full_memory_refuses_an_episode_whole_and_counts_what_it_holds():
    replay, _ = memory_of([(4, True, False), (3, True, False)], rows=12)
    held = len(replay), replay.size_bytes
    with pytest.raises(VitalError, match="holds 9 of 12 rows, 4 more do not fit: give it more rows") as refused:
        replay.add(marked_episode(2, 3, terminated=True, intervened=False))
    assert refused.value.code is ErrorCode.BAD_PARAMETER and (len(replay), replay.size_bytes) == held
    replay.add(marked_episode(2, 2, terminated=True, intervened=False))
    assert len(replay) == 9 and replay.size_bytes == held[1] * 12 // 9
    with pytest.raises(ValueError, match=r"features are \(2, 1, 3\), expected \(2, 2, 3\)"):
        short = marked_episode(3, 1, terminated=True, intervened=False)
        replay.add(dataclasses.replace(short, features=short.features[:, :1]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": 0}, "needs at least 1 of each"), ({"n_step": 0}, "needs at least 1 of each"),
        ({"prior_share": 1.1}, r"prior_share is 1\.1"), ({"gamma": -0.1}, r"gamma is -0\.1"),
        ({"gamma": math.nan}, "gamma is nan"), ({"prior_share": math.nan}, "prior_share is nan"),
    ],
)  # fmt: skip
def test_a_memory_that_cannot_be_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        ReplayConfig(**change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tau": 0.0}, r"tau is 0\.0"), ({"tau": math.nan}, "tau is nan"), ({"actor_every": 0}, "actor_every is 0"),
        ({"returns": (1.0, 1.0)}, "the least before the largest"), ({"target_critics": 3}, "expected 0 to 2"),
        ({"average": math.nan}, "average is nan"), ({"target_critics": -1}, "target_critics is -1"),
    ],
)  # fmt: skip
def test_settings_of_an_update_that_cannot_be_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        DDPGConfig(**change)


ACTIONS = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(7)), elements=st.floats(-0.05, 0.05))
SCALES = hnp.arrays(np.float32, 7, elements=st.sampled_from([0.0, 0.001, 0.01, 0.02]))


POINTS = st.sampled_from([(0.0, 0.0, 0.0), (0.08, 0.0, 0.04)])


@given(ACTIONS, SCALES, POINTS, st.integers(0, 2**31))
@settings(deadline=None)
def test_offsets_put_on_the_base_again_are_what_was_executed_as_far_as_the_scale_reaches(base, largest, point, seed):
    scale = OffsetScale(largest, np.array(point))
    wanted = np.random.default_rng(seed).uniform(-2.0, 2.0, base.shape)
    offset, beyond = scale.offsets_of(base + scale.added(wanted), base)
    assert np.abs(offset).max() <= 1.0 and not offset[:, largest == 0.0].any()
    np.testing.assert_allclose(offset, np.where(largest > 0.0, wanted.clip(-1.0, 1.0), 0.0), atol=1e-4)
    assert beyond == (np.abs(wanted[:, largest > 0.0]) > 1.0).any(axis=1).sum()


def test_a_turn_alone_leaves_the_point_of_the_base_policy_s_answers_in_place():
    point_m = np.array([0.08, 0.0, 0.04])
    added = OffsetScale(np.full(7, 0.01, np.float32), point_m).added(np.array([0.0, 0.0, 0.0, 1.0, -1.0, 1.0, 0.0]))
    np.testing.assert_allclose(moved_to(point_m, added), [0.0, 0.0, 0.0, 0.01, -0.01, 0.01, 0.0], atol=1e-9)
    assert np.abs(added[:3]).max() > 5e-4, "the TCP goes round it"


@given(st.lists(st.just(math.nan) | st.floats(0.0, 1.0), min_size=1, max_size=8), st.booleans())
def test_dense_reward_is_never_better_than_the_nearest_distance_and_knows_success(distances, success):
    distance_m = np.array(distances)
    if np.isnan(distance_m).all():
        with pytest.raises(VitalError):
            rewards(success, distance_m, len(distances), dense=True)
        return
    found = rewards(success, distance_m, len(distances), dense=True) - rewards(
        success, None, len(distances), dense=False
    )
    known = np.isfinite(distance_m)
    np.testing.assert_allclose(found[known], -distance_m[known], atol=1e-6)
    assert (found >= -distance_m[known].max() - 1e-6).all() and (found <= -distance_m[known].min() + 1e-6).all()


@given(st.floats(0.0, 10.0), st.floats(0.0, 10.0), st.integers(1, 10_000), st.integers(-5, 20_000))
def test_noise_goes_from_its_first_to_its_last_value_and_stays(first, last, steps, step):
    noise = Exploration(first, last, steps).noise
    assert min(first, last) - 1e-9 <= noise(step) <= max(first, last) + 1e-9
    assert (noise(0), noise(-1)) == (first, first) and noise(steps) == noise(steps + 7) == pytest.approx(last)
    assert noise(steps // 2) == pytest.approx(first + steps // 2 / steps * (last - first))


@given(st.floats(0.01, 1.0), st.integers(1, 10_000), st.integers(-5, 20_000))
def test_reach_grows_to_the_whole_scale_and_stays(first, steps, step):
    reach = Exploration(first_reach=first, reach_steps=steps).reach
    assert first - 1e-9 <= reach(step) <= 1.0 + 1e-9 and reach(step) <= reach(step + 1) + 1e-9
    assert reach(0) == reach(-1) == first and reach(steps) == reach(steps + 7) == pytest.approx(1.0)
    assert Exploration().reach(0) == 1.0, "unless it is asked for nothing is held back"


def test_targets_and_actor_are_of_what_may_be_reached():
    learner, batch = Learner(dataclasses.replace(SMALL, actor_l2=0.0)), a_batch(4)
    torch.nn.init.normal_(learner.actor.out.weight)
    with torch.no_grad():
        action = 0.25 * learner.actor(batch.next_z, batch.next_base)
        expected = batch.reward + batch.discount * learner.target(batch.next_z, batch.next_base, action).amin(0)
    torch.testing.assert_close(learner._target_values(batch, 0.0, torch.Generator(), 0.25), expected)
    with torch.no_grad():
        values = learner.critics(batch.z, batch.base, 0.25 * learner.actor(batch.z, batch.base)).amin(0).mean()
    assert learner._improve_actor(batch, 0.25) == pytest.approx(-values.item(), abs=1e-5)


class Hoping(torch.nn.Module):
    """Critics that promise so much a unit of what is added along x."""

    def __init__(self, hope: float) -> None:
        super().__init__()
        self.hope = hope

    def forward(self, z, base, residual):
        return (0.5 + self.hope * residual[:, 0]).expand(2, -1)


@pytest.mark.parametrize(("cost", "hope", "added"), [(0.2, 0.02, 0.05), (0.2, 0.2, 0.5), (0.0, 0.02, 1.0)])
def test_what_is_added_is_as_large_as_the_gain_that_it_is_hoped_for(cost, hope, added):
    """Where it costs nothing the hundredth part of a success takes the actor as far as the whole of one."""
    config = dataclasses.replace(SMALL, actor_l2=0.0, residual_cost=cost, learning_rate=1e-2)
    learner, batch = Learner(config), a_batch(16)
    learner.critics = Hoping(hope)
    for _ in range(400):
        learner._improve_actor(batch, 1.0)
    with torch.no_grad():
        residual = learner.actor(batch.z, batch.base)
    assert residual[:, 0].mean().item() == pytest.approx(added, abs=0.04)
    assert residual[:, 1:].abs().max() < 0.04


def test_episodes_explore_differently_and_the_same_when_they_come_again():
    seeds = [
        Exploration(seed=run).generator(episode).initial_seed()
        for run in (0, 1, 2) for episode in (0, 1, 999_999)
    ]  # fmt: skip
    assert len(set(seeds)) == 9
    assert Exploration(seed=2).generator(5).initial_seed() == Exploration(seed=2).generator(5).initial_seed()
    assert Exploration(seed=2).generator(-1).initial_seed() == Exploration(seed=2).generator(0).initial_seed()


@given(
    hnp.arrays(np.float64, 7, elements=st.floats(-1.0, 1.0)),
    hnp.arrays(np.float64, 7, elements=st.floats(1e-3, 1.0)),
    st.floats(0.01, 1.0), st.booleans(),
)  # fmt: skip
def test_a_residual_reaches_a_share_of_the_farthest_demonstrated_action(centre, half, share, gripper):
    scale = offset_scale(Normaliser(centre, half, np.ones(15)), share, gripper=gripper)
    farthest = np.abs(np.stack([centre - half, centre + half])).max(0)
    expected = share * farthest * (np.arange(ACTION_VALUES) != GRIPPER if not gripper else 1.0)
    np.testing.assert_allclose(scale.largest, expected, rtol=1e-6)


def a_batch(seed: int, size: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).clamp(-1, 1)

    return Batch(
        drawn(size, FEATURES), drawn(size, 7), drawn(size, 7), drawn(size), drawn(size).abs(), drawn(size, FEATURES),
        drawn(size, 7),
    )  # fmt: skip


@pytest.mark.parametrize("asked", [0, 1, 2])
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_targets_are_the_reward_and_the_discounted_least_of_the_critics_that_are_asked(asked, noise):
    learner, batch = Learner(dataclasses.replace(SMALL, target_critics=asked, smoothing_clip=0.1)), a_batch(1)
    torch.nn.init.normal_(learner.actor.out.weight)
    found = learner._target_values(batch, noise, torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        action = learner.actor(batch.next_z, batch.next_base)
        jitter = (noise * torch.randn(action.shape, generator=generator)).clamp(-0.1, 0.1)
        jitter[:, GRIPPER] = 0.0
        values = learner.target(batch.next_z, batch.next_base, (action + jitter).clamp(-1, 1))
    if asked:
        values = values[torch.randperm(3, generator=generator)[:asked]]
    torch.testing.assert_close(found, batch.reward + batch.discount * values.min(0).values)


def test_where_an_episode_terminated_the_target_is_its_reward_alone():
    learner, batch = Learner(SMALL), a_batch(2)
    ended = dataclasses.replace(batch, discount=torch.zeros(16))
    torch.nn.init.constant_(learner.target.out.bias, 1e3)
    assert torch.equal(learner._target_values(ended, 0.2, torch.Generator()), batch.reward)


def test_targets_follow_the_critics_by_their_share_of_every_update():
    learner = Learner(dataclasses.replace(SMALL, tau=0.3, learning_rate=1e-2))
    expected = [value.clone() for value in learner.critics.parameters()]
    for update in range(4):
        learner.update(a_batch(update))
        expected = [0.7 * a + 0.3 * b.detach() for a, b in zip(expected, learner.critics.parameters(), strict=True)]
        for value, wanted in zip(learner.target.parameters(), expected, strict=True):
            torch.testing.assert_close(value, wanted)


@pytest.mark.parametrize(("critic_only", "every"), [(0, 1), (3, 1), (2, 3), (4, 2)])
def test_the_actor_moves_in_the_updates_that_are_its_own_alone(critic_only, every):
    learner = Learner(dataclasses.replace(SMALL, critic_only=critic_only, actor_every=every))
    for update in range(9):
        before = {name: value.clone() for name, value in learner.actor.state_dict().items()}
        critics = learner.critics.out.bias.clone()
        figures = learner.update(a_batch(update))
        moved = any(not torch.equal(value, before[name]) for name, value in learner.actor.state_dict().items())
        assert moved == (update >= critic_only and update % every == 0) == (not math.isnan(figures.actor_loss))
        assert not torch.equal(critics, learner.critics.out.bias)
    assert learner.updates == 9


def test_figures_are_the_loss_and_the_mean_value_before_the_update():
    learner, batch = Learner(dataclasses.replace(SMALL, exploration=Exploration(0.0, 0.0))), a_batch(3)
    with torch.no_grad():
        values = learner.critics(batch.z, batch.base, batch.residual)
        wanted = learner._target_values(batch, 0.0, torch.Generator())
    figures = learner.update(batch)
    assert figures.value == pytest.approx(values.mean().item(), abs=1e-6)
    assert figures.critic_loss == pytest.approx((values - wanted).square().mean(1).sum().item(), rel=1e-4)


def test_what_a_state_holds_is_not_what_goes_on_learning():
    learner = Learner(SMALL)
    kept = learner.state()
    copied = {name: value.clone() for name, value in kept.items()}
    learner.update(a_batch(0))
    assert all(torch.equal(kept[name], copied[name]) for name in kept)


def test_a_critic_of_the_ensemble_learns_from_nobody_else():
    torch.manual_seed(0)
    critics = Critics(CriticConfig(features=FEATURES, hidden=8, critics=3))
    critics(torch.randn(4, FEATURES), torch.randn(4, 7), torch.randn(4, 7))[1].sum().backward()
    for name, value in critics.named_parameters():
        first = name.startswith("first.")
        parts = value.grad.unflatten(-1, (3, -1)).movedim(-2, 0) if first else value.grad
        assert parts[1].any() and not parts[0].any() and not parts[2].any(), name


@pytest.mark.parametrize("gripper", [True, False])
def test_the_gripper_is_corrected_only_where_it_is_asked_for(gripper):
    actor = ResidualActor(ActorConfig(features=FEATURES, hidden=8, gripper=gripper))
    torch.nn.init.constant_(actor.out.bias, 0.7)
    offset = actor(torch.zeros(2, FEATURES), torch.zeros(2, 7))
    assert bool(offset[:, GRIPPER].any()) == gripper and offset[:, :GRIPPER].abs().min() > 0.5
