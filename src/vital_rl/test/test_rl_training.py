"""The loop without ROS: what it stores, what it learns, and that dying costs it nothing."""

import dataclasses
import itertools
import json

import gymnasium
import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from slide import WIDTH, Slide, small_config, still

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_core.observation import Observation
from vital_core.owner import Owner
from vital_core.task import load_task
from vital_policy.checkpoint import save_checkpoint
from vital_policy.inference import LocalPolicy
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.learner import learning, train_residual
from vital_rl.learner.episode_log import read_lines
from vital_rl.learner.learning import STATE, ResidualLearner, configure
from vital_rl.learner.training import ResidualTraining, moment_of, play_episode
from vital_rl.replay.replay_store import ReplayStore
from vital_rl.replay.step import ReplayStep, foreground_of
from vital_rl.residual.features import FeatureCache, variants_of
from vital_rl.residual.networks import Exploration, Noise, OffsetScale
from vital_rl.residual.residual import (
    Residual,
    ResidualSettings,
    from_bytes,
    load_residual,
    save_residual,
    to_bytes,
)
from vital_rl.residual.residual_card import write_residual_card

SOURCE = Source("test", ErrorCode.INTERNAL, "")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return still(tmp_path_factory.mktemp("base"))


def training_in(folder, checkpoint, config=None):
    learner = ResidualLearner(config or small_config(), checkpoint, folder)
    return ResidualTraining(learner, Slide(), ReplayStore(folder / "replay"))


def some_observation(seed=0):
    rng = np.random.default_rng(seed)
    return Observation(rng.integers(0, 255, (128, 128, 3), dtype=np.uint8), rng.normal(0, 50, 15).astype(np.float32))


def drawn(residual, seed=0):
    torch.manual_seed(seed)
    torch.nn.init.normal_(residual.actor.out.weight, std=5.0)
    return residual


def test_a_standing_base_policy_learns_to_reach_what_it_can_only_feel(tmp_path, checkpoint):
    training = training_in(tmp_path, checkpoint, small_config(dense=True))
    reports = list(training.run(900))
    assert sum(r.outcome == "success" for r in reports[-20:]) >= 18
    assert sum(r.outcome == "success" for r in reports[:15]) <= 10
    policy = ResidualPolicy(LocalPolicy(checkpoint), training.learner.residual())
    actions = [policy.tick(Observation(*_seen_at(x))).executed[0] for x in (-0.05, 0.05)]
    assert actions[0] > 0.004 and actions[1] < -0.004


@pytest.mark.parametrize("succeeded", [True, False])
@pytest.mark.parametrize("failures_end", [True, False])
def test_beyond_a_failure_by_time_out_nothing_is_hoped_for_where_that_is_asked(
    tmp_path, checkpoint, failures_end, succeeded
):
    training = training_in(tmp_path, checkpoint, small_config(0, failures_end=failures_end))
    store, learner = training._store, training.learner
    number = store.open_episode({"seed": 1})
    seen, zero = some_observation(), np.zeros(7, np.float32)
    for _ in range(6):
        store.append(number, ReplayStep(seen.image, seen.tactile_ut, zero, zero, zero))
    store.close_episode(number, "time_out", terminated=False)
    store.label(number, succeeded, "test")
    learner.take(*training._read(number))
    drawn = learner.memory.draw(200, torch.Generator().manual_seed(0))
    assert bool((drawn.discount == 0.0).any()) == (failures_end and not succeeded)


def test_runs_from_before_there_was_a_choice_of_how_failures_end_go_on(checkpoint):
    before = ResidualLearner(small_config(), checkpoint)._identity()["config"]
    assert "failures_end" not in before
    assert ResidualLearner(small_config(failures_end=True), checkpoint)._identity()["config"] != before


class Walled(Slide):
    """A slide whose box lets an action go 4 mm."""

    def step(self, action):
        executed = np.array([np.clip(action[0], -0.004, 0.004), *action[1:]], np.float32)
        *seen, info = super().step(executed)
        return *seen, {**info, "projected_m": abs(executed[0] - action[0]), "executed": executed}


def test_an_action_that_the_box_cut_short_is_stored_as_it_was_carried_out(checkpoint):
    policy = ResidualPolicy(LocalPolicy(checkpoint), drawn(ResidualLearner(small_config(), checkpoint).residual()))
    stored: list[ReplayStep] = []
    play_episode(Walled(), policy, 3, Exploration(0.6, 0.3, 400), 0, stored.append)
    asked = np.array([s.base + s.residual for s in stored[:-1]])
    executed = np.array([s.executed for s in stored[:-1]])
    assert (np.abs(asked[:, 0]) > 0.005).any() and (np.abs(asked[:, 0]) < 0.004).any()
    np.testing.assert_array_equal(executed[:, 0], np.clip(asked[:, 0], np.float32(-0.004), np.float32(0.004)))
    np.testing.assert_array_equal(executed[:, 1:], asked[:, 1:])


class Helped(Slide):
    """A slide where somebody pulls the tip 1 cm a step towards the hole."""

    def demonstrate(self):
        executed = np.array([-np.sign(self._x) * min(0.01, abs(self._x)), 0, 0, 0, 0, 0, 1.0], np.float32)
        *seen, info = super().step(executed)
        return *seen, {**info, "executed": executed}


def helped_in(folder, checkpoint, interventions):
    learner = ResidualLearner(small_config(0), checkpoint, folder)
    return ResidualTraining(learner, Helped(), ReplayStore(folder / "replay"), interventions)


def test_a_person_takes_over_every_other_episode_at_a_moment_of_its_seed_and_finishes(tmp_path, checkpoint):
    training = helped_in(tmp_path, checkpoint, interventions=3)
    lines = [line for line, _ in zip(training.run(10_000), range(8), strict=False)]
    moments = []
    for number, line in enumerate(lines):
        rows = training._store.read_steps(line.episode)[:-1]
        helped = [row.owner == Owner.TELEOP for row in rows]
        if not any(helped):
            continue
        moments.append((number, first := helped.index(True)))
        assert all(helped[first:])
        for row, after in itertools.pairwise(rows[first:]):
            moved = (_at(after) - _at(row)) / 2000.0
            assert row.executed[0] == pytest.approx(moved, abs=1e-6) and abs(moved) == pytest.approx(0.01, abs=1e-6)
    assert {number for number, _ in moments} <= {0, 2, 4} and moments
    assert moments == [(number, moment_of(load_task("usb_insertion"), lines[number].seed)) for number, _ in moments]


def _at(row):
    return float(row.tactile_ut[0])


def test_what_a_person_finished_is_no_success_of_the_policys_and_is_drawn_as_prior(tmp_path, checkpoint):
    learner = ResidualLearner(small_config(0), checkpoint)
    seen, zero = some_observation(), np.zeros(7, np.float32)
    for number, owner in enumerate((Owner.POLICY, Owner.TELEOP)):
        store = ReplayStore(tmp_path / str(number))
        opened = store.open_episode({"seed": number})
        for who in (Owner.POLICY, owner, Owner.POLICY):
            store.append(opened, ReplayStep(seen.image, seen.tactile_ut, zero, zero, zero, owner=who))
        store.close_episode(opened, "success", terminated=True)
        store.label(opened, True, "test")
        line = learner.take(store.episode(opened), store.read_steps(opened))
        assert (line.outcome, line.success) == ("success", owner == Owner.POLICY)
    assert learner.successes == [True, False] and [len(rows) for rows in learner.memory._prior] == [0, 1]


@pytest.mark.parametrize(
    ("interventions", "word"), [(2, "nobody in this --env could take over"), (-1, "--interventions is -1, expected")]
)
def test_nobody_takes_over_where_nobody_can_or_less_than_never(
    tmp_path, checkpoint, monkeypatch, caplog, interventions, word
):
    gymnasium.register("Slide-v0", Slide, disable_env_checker=True)
    monkeypatch.setattr(Slide, "action_space", gymnasium.spaces.Box(-1.0, 1.0, (7,)), raising=False)
    save_checkpoint(tmp_path / "base.safetensors", checkpoint)
    given = {
        "task": "usb_insertion",
        "env": "Slide-v0",
        "interventions": interventions,
        "steps": 5,
        "updates-per-step": 0,
    }
    given |= {"updates-per-step": 0, "checkpoint": tmp_path / "base.safetensors", "out": tmp_path / "out"}
    with pytest.raises(SystemExit) as left:
        train_residual.main([word for name, value in given.items() for word in (f"--{name}", str(value))])
    assert left.value.code == 2 and word in caplog.text


def _seen_at(x):
    env = Slide()
    env.reset(seed=0)
    env._x = x
    seen = env._seen()
    return seen["image"], seen["tactile"]


def test_untrained_residual_leaves_the_base_policy_as_it_is(checkpoint):
    learner = ResidualLearner(small_config(), checkpoint)
    alone, with_it = (ResidualPolicy(LocalPolicy(checkpoint), added) for added in (None, learner.residual()))
    for seed in range(3):
        assert np.array_equal(
            alone.tick(some_observation(seed)).executed, with_it.tick(some_observation(seed)).executed
        )


def test_a_young_residual_stays_within_its_reach_and_a_grown_one_is_its_actor(checkpoint):
    learned = drawn(ResidualLearner(small_config(), checkpoint).residual())
    z, base = torch.randn(50, 2 * WIDTH), torch.zeros(50, 7)
    held = dataclasses.replace(learned, exploration=Exploration(first_reach=0.1, reach_steps=100))
    young, grown = (dataclasses.replace(held, steps=steps).offset(z, base) for steps in (0, 100))
    assert 0.09 < np.abs(young).max() <= 0.1 + 1e-6 and np.abs(grown).max() > 0.9
    np.testing.assert_array_equal(grown, learned.offset(z, base))
    came = from_bytes(to_bytes(dataclasses.replace(held, steps=50)), checkpoint)
    assert came.exploration.reach(came.steps) == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"first_noise": -0.1}, "exploration's first is -0.1"),
        ({"last_noise": float("nan")}, "exploration's last is nan"),
        ({"first_reach": 11.0}, "exploration's first_reach is 11"),
        ({"reach_steps": 0}, "exploration's reach_steps is 0, expected at least 1"),
        ({"noise_correlation": 1.0}, "exploration's correlation is 1.0, expected at least 0 and below 1"),
        ({"noise_correlation": float("nan")}, "exploration's correlation is nan"),
        ({"axes": ["z", "x"]}, "axes are z x, expected some of x y z rx ry rz, in this order"),
        ({"axes": []}, "axes are none, expected"),
    ],
)
def test_exploration_that_is_none_is_refused(given, word):
    with pytest.raises(VitalError, match=word) as refused:
        configure(32, steps=100, updates_per_step=1, batch=4, variants=1, seed=0, **given)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_what_is_tried_follows_the_given_line():
    made = configure(
        32, steps=100, updates_per_step=1, batch=4, variants=1, seed=0, first_noise=0.1, last_noise=0.05
    ).ddpg.exploration
    assert (made.noise(0), made.noise(made.steps), made.seed) == (0.1, 0.05, 0)


def test_residual_stays_within_its_scale_however_loud_the_exploration(checkpoint):
    residual = drawn(ResidualLearner(small_config(), checkpoint).residual())
    policy, noise = ResidualPolicy(LocalPolicy(checkpoint), residual), Noise(Exploration(first=3.0), 0, after=0)
    ticks = [policy.tick(some_observation(s), noise.next()) for s in range(20)]
    found = np.stack([t.residual for t in ticks])
    assert (np.abs(found) <= residual.scale.largest + 1e-9).all()
    assert np.abs(found[:, 0]).max() > 0.5 * residual.scale.largest[0]
    assert not found[:, 6].any()


def test_a_residual_moves_and_tries_along_its_axes_alone_also_from_its_file(tmp_path, checkpoint):
    config = configure(
        checkpoint.feature_size, steps=9, updates_per_step=1, batch=4, variants=1, seed=0, axes=["x", "z"]
    )
    residual = drawn(ResidualLearner(config, checkpoint).residual())
    save_residual(tmp_path / "r.safetensors", residual)
    policy = ResidualPolicy(LocalPolicy(checkpoint), load_residual(tmp_path / "r.safetensors", checkpoint))
    noise = Noise(Exploration(), 0, after=0)
    for tried in (None, noise.next()):
        offset = policy.tick(some_observation(), tried).offset
        assert offset[[0, 2]].all() and not offset[[1, 3, 4, 5, 6]].any()


def test_exploration_follows_from_its_seed(checkpoint):
    policy = ResidualPolicy(LocalPolicy(checkpoint), ResidualLearner(small_config(), checkpoint).residual())
    twice = [policy.tick(some_observation(), Noise(Exploration(), 5, after=0).next()).offset for _ in range(2)]
    assert np.array_equal(*twice) and twice[0].any()


def test_what_is_tried_stays_on_one_side_as_long_as_it_is_told_to_and_is_no_louder():
    def drawn_with(correlation):
        noise = Noise(Exploration(first=0.2, last=0.2, correlation=correlation), 3, after=0)
        return torch.stack([noise.next() for _ in range(4000)])

    for correlation in (0.0, 0.85):
        tried = drawn_with(correlation)
        assert tried.std().item() == pytest.approx(0.2, rel=0.05)
        after = (tried[:-1] * tried[1:]).mean() / tried.square().mean()
        assert after.item() == pytest.approx(correlation, abs=0.03)


def test_without_a_base_all_motion_is_the_actors(checkpoint):
    config = small_config(settings=ResidualSettings(share=1.0, base=False))
    residual = drawn(ResidualLearner(config, checkpoint).residual())
    tick = ResidualPolicy(LocalPolicy(checkpoint), residual).tick(some_observation())
    assert not tick.base[:6].any() and tick.base[6] == pytest.approx(1.0) and tick.residual[:6].any()
    assert residual.scale.largest[0] == pytest.approx(0.05)


def test_without_touch_the_actor_answers_the_same_whatever_is_felt(checkpoint):
    config = small_config(settings=ResidualSettings(touch=False))
    policy = ResidualPolicy(LocalPolicy(checkpoint), drawn(ResidualLearner(config, checkpoint).residual()))
    seen = some_observation()
    felt = [policy.tick(Observation(seen.image, np.full(15, v, np.float32))).offset for v in (-200.0, 200.0)]
    assert np.array_equal(*felt)


def test_on_a_base_that_does_not_feel_no_residual_does_and_to_ask_for_it_is_refused(tmp_path):
    blind = still(tmp_path, touch=False)
    asked = ["--task", "usb_insertion", "--demos", "d", "--out", "o", "--checkpoint", "c"]
    config = train_residual.config_of(train_residual._parse(asked), blind)
    assert config.ddpg.actor.features == config.replay.features == blind.feature_size
    policy = ResidualPolicy(LocalPolicy(blind), drawn(ResidualLearner(config, blind).residual()))
    seen = some_observation()
    ticks = [policy.tick(Observation(seen.image, np.full(15, v, np.float32))) for v in (-200.0, 200.0)]
    assert np.array_equal(ticks[0].offset, ticks[1].offset) and ticks[0].offset.any()
    path = tmp_path / "usb_insertion_residual.safetensors"
    save_residual(path, policy.residual)
    assert "base policy, image only |" in write_residual_card(path, blind).read_text()
    with pytest.raises(VitalError, match="--without-touch with a base policy that does not feel") as refused:
        train_residual.config_of(train_residual._parse([*asked, "--without-touch"]), blind)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_variants_follow_from_the_seed_and_begin_with_the_image_itself(checkpoint):
    image = np.stack([some_observation(s).image for s in range(5)])
    tactile = np.zeros((5, 15), np.float32)
    a, b, c = (variants_of(checkpoint, image, tactile, 3, seed) for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert np.array_equal(a[:, 0], c[:, 0]) and not np.array_equal(a[:, 1], a[:, 0])


def test_backgrounds_are_put_behind_what_is_known_to_be_in_front(checkpoint):
    image = np.stack([some_observation(s).image for s in range(6)])
    tactile = np.zeros((6, 15), np.float32)
    plain, cached = (FeatureCache(checkpoint, 3, background_share=share) for share in (0.0, 1.0))
    nothing, everything = np.zeros((6, 128, 16), np.uint8), np.full((6, 128, 16), 255, np.uint8)
    as_seen = plain.get("a", image, tactile, 5)
    assert np.array_equal(plain.get("a", image, tactile, 5, nothing), as_seen)
    assert np.array_equal(cached.get("a", image, tactile, 5), as_seen)
    moved = cached.get("a", image, tactile, 5, nothing)
    assert np.array_equal(moved[:, 0], as_seen[:, 0])
    alone = cached.get("a", image[:1], tactile[:1], 5, nothing[:1])
    other = cached.get("a", image[1:2], tactile[1:2], 5, nothing[1:2])
    assert np.array_equal(alone[:, 1:], other[:, 1:]), "nothing of the image is left"
    assert not np.array_equal(moved[:, 1:], cached.get("a", image, tactile, 5, everything)[:, 1:])


def test_an_image_of_which_nobody_tells_is_all_foreground():
    step = ReplayStep(np.zeros((128, 128, 3), np.uint8), *(np.zeros(n, np.float32) for n in (15, 7, 7, 7)))
    told = dataclasses.replace(step, foreground=np.zeros((128, 16), np.uint8))
    assert foreground_of([step, step]) is None
    assert [part.mean() for part in foreground_of([step, told])] == [255.0, 0.0]


def test_features_on_disk_are_used_again_and_torn_ones_made_again(tmp_path, checkpoint):
    image, tactile = some_observation().image[None].repeat(3, 0), np.zeros((3, 15), np.float32)
    cache = FeatureCache(checkpoint, 2, tmp_path)
    first = cache.get("episode_0", image, tactile, 7)
    assert np.array_equal(cache.get("episode_0", np.zeros_like(image), tactile, 7), first)
    (kept,) = tmp_path.rglob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:50])
    assert np.array_equal(cache.get("episode_0", image, tactile, 7), first)


def test_long_work_can_be_ended_in_between_and_leaves_nothing_half_done(tmp_path, checkpoint):
    def ended():
        raise VitalError(ErrorCode.CANCELLED, "stopped")

    training = training_in(tmp_path, checkpoint)
    number = training.play(0)
    learner = ResidualLearner(small_config(), checkpoint, tmp_path, ended)
    with pytest.raises(VitalError, match="CANCELLED"):
        learner.take(*training._read(number))
    assert (len(learner.memory), learner.taken, learner.steps, learner.owed) == (0, [], 0, 0)
    assert not list(tmp_path.rglob("episode_*.safetensors"))


def test_runs_of_different_seeds_differ_in_everything_that_is_drawn():
    a, b = (configure(32, steps=100, updates_per_step=1, batch=4, variants=1, seed=seed) for seed in (0, 1))
    assert (a.seed, a.ddpg.seed, a.ddpg.exploration.seed) == (0, 0, 0)
    assert (b.seed, b.ddpg.seed, b.ddpg.exploration.seed) == (1, 1, 1)
    draws = [c.ddpg.exploration.generator(7).initial_seed() for c in (a, b)]
    assert draws[0] != draws[1]


def test_offsets_are_what_was_added_and_say_when_that_was_too_much():
    scale = OffsetScale(np.array([0.01] * 6 + [0.0], np.float32), np.zeros(3))
    base, executed = np.zeros((2, 7)), np.zeros((2, 7))
    executed[0, 0], executed[1, 1], executed[:, 6] = 0.005, -0.05, 1.0
    offset, beyond = scale.offsets_of(executed, base)
    assert offset[0, 0] == pytest.approx(0.5) and offset[1, 1] == -1.0 and beyond == 1 and not offset[:, 6].any()


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, checkpoint):
    whole = training_in(tmp_path / "whole", checkpoint)
    expected = list(whole.run(120))
    first = training_in(tmp_path / "cut", checkpoint)
    reports = []
    for report in first.run(120):
        reports.append(report)
        if len(reports) == 4:
            first.learner.save({})
        if len(reports) == 7:
            break
    # Killed in the middle of the next episode: what it has stored of that one is closed as interrupted, and unread.
    number = first._store.open_episode({"seed": 0})
    first._store.close()
    again = training_in(tmp_path / "cut", checkpoint)
    again.resume()
    assert again._store.episode(number).reason == "interrupted"
    lines = list(again.run(120))
    assert [dataclasses.astuple(r)[1:] for r in lines] == [dataclasses.astuple(r)[1:] for r in expected[7:]]
    logged = read_lines(tmp_path / "cut")
    assert [r.seed for r in logged] == [r.seed for r in expected] and logged[-1] == lines[-1]
    for name, value in whole.learner.networks.state().items():
        assert torch.equal(value, again.learner.networks.state()[name]), name


def test_what_acts_is_the_actor_and_what_is_kept_is_the_average(tmp_path, checkpoint):
    training = training_in(tmp_path, checkpoint)
    for _ in training.run(60):
        pass
    learner = training.learner
    acts, kept = learner.residual(), load_residual(learner.save({"seed": 0}), checkpoint)
    assert training.policy.residual.actor is acts.actor is learner.networks.actor
    assert (kept.version, kept.steps, kept.about) == (learner.updates, learner.steps, {"seed": 0})
    for name, value in kept.actor.state_dict().items():
        assert torch.equal(value, learner.networks.average.state_dict()[name]), name
    assert acts.actor.out.weight.any() and kept.actor.out.weight.any()
    assert not torch.equal(acts.actor.out.weight, kept.actor.out.weight)


def damaged(data: bytes, fault: str) -> bytes:
    if fault == "torn":
        return data[:-9]
    if fault == "a flipped bit":
        return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    metadata = weight_file.parse_header(data, SOURCE).metadata
    if fault == "no hash":
        return save(load(data), {name: value for name, value in metadata.items() if name != "sha256"})
    return weight_file.sealed(data, {**metadata, "counts": '{"updates": "3"}'}, SOURCE)


def test_state_of_the_version_without_a_hash_is_gone_on_from(tmp_path, checkpoint, caplog):
    training = training_in(tmp_path, checkpoint)
    next(training.run(1))
    training.learner.save({})
    (path,) = tmp_path.glob(STATE)
    metadata = weight_file.parse_header(path.read_bytes(), SOURCE).metadata
    kept = {name: metadata[name] for name in ("config", "checkpoint", "counts")}
    path.write_bytes(save(load(path.read_bytes()), kept))
    again = ResidualLearner(small_config(), checkpoint, tmp_path)
    assert again.resume(training._read) and again.taken == training.learner.taken
    assert "unverified" in caplog.text


def test_a_damaged_state_is_said_counted_and_passed_over_for_the_one_before(tmp_path, checkpoint, caplog):
    training = training_in(tmp_path, checkpoint)
    for _ in training.run(60):
        training.learner.save({})
    older, newest = sorted(tmp_path.glob(STATE))
    whole = newest.read_bytes()
    for fault in ("torn", "a flipped bit", "no hash", "other counts"):
        newest.write_bytes(damaged(whole, fault))
        again = ResidualLearner(small_config(), checkpoint, tmp_path)
        caplog.clear()
        assert again.resume(training._read), fault
        assert f"{again.updates:09d}" in older.name and 0 < again.steps < training.learner.steps, fault
        assert again.states_refused == 1 and f"{newest.name} is refused, the state before it is tried" in caplog.text


def test_learning_begins_anew_and_says_so_where_no_state_is_whole(tmp_path, checkpoint, caplog):
    for number in (1, 2):
        (tmp_path / f"state_{number:09d}.safetensors").write_bytes(b"torn")
    learner = ResidualLearner(small_config(), checkpoint, tmp_path)
    assert not learner.resume(lambda number: pytest.fail(f"episode {number} was read")) and learner.states_refused == 2
    assert "learning begins anew" in caplog.text


def test_a_fault_of_the_code_is_no_damaged_state(tmp_path, checkpoint, monkeypatch):
    training = training_in(tmp_path, checkpoint)
    next(training.run(1))
    training.learner.save({})
    monkeypatch.setattr(learning, "read_state", lambda path: {}["a fault"])
    with pytest.raises(KeyError, match="a fault"):
        ResidualLearner(small_config(), checkpoint, tmp_path).resume(training._read)


def test_state_of_the_version_with_two_settings_that_nothing_read_is_gone_on_from(tmp_path, checkpoint):
    training = training_in(tmp_path, checkpoint)
    next(training.run(1))
    training.learner.save({})
    (path,) = tmp_path.glob(STATE)
    metadata = weight_file.parse_header(path.read_bytes(), SOURCE).metadata
    config = json.loads(metadata["config"])
    assert "gamma" not in config["ddpg"] and config["replay"]["gamma"] == 0.95
    config["ddpg"] |= {"n_step": 3, "gamma": 0.99}
    kept = {name: metadata[name] for name in ("checkpoint", "counts", "format")}
    written = {**kept, "config": json.dumps(config, sort_keys=True)}
    path.write_bytes(weight_file.sealed(path.read_bytes(), written, SOURCE))
    again = ResidualLearner(small_config(), checkpoint, tmp_path)
    assert again.resume(training._read) and again.updates == training.learner.updates


def test_state_of_another_configuration_is_refused(tmp_path, checkpoint):
    training = training_in(tmp_path, checkpoint)
    next(training.run(1))
    training.learner.save({})
    with pytest.raises(VitalError, match="of a run with another config") as refused:
        ResidualLearner(small_config(updates=5), checkpoint, tmp_path).resume(training._read)
    assert refused.value.code == ErrorCode.BAD_PARAMETER


def test_a_run_whose_episodes_were_played_otherwise_is_not_gone_on_from(tmp_path, checkpoint):
    next(helped_in(tmp_path, checkpoint, interventions=3).run(1))
    helped_in(tmp_path, checkpoint, interventions=3).resume()
    with pytest.raises(VitalError, match=r"episode 0 .* played by \{'interventions': 3\}, expected .*: 0") as refused:
        helped_in(tmp_path, checkpoint, interventions=0).resume()
    assert refused.value.code == ErrorCode.BAD_PARAMETER


def test_another_patience_is_another_run(tmp_path, checkpoint_path, caplog):
    given = ["--task", "usb_insertion", "--checkpoint", str(checkpoint_path), "--steps", "1"]
    given += ["--out", str(tmp_path / "run"), "--batch", "4", "--updates-per-step", "1", "--variants", "1"]
    train_residual.main([*given, "--patience-s", "2"])
    with pytest.raises(SystemExit) as stopped:
        train_residual.main(given)
    assert stopped.value.code == 2 and "'patience_s': 2.0" in caplog.text and "another --out" in caplog.text


def test_residual_comes_back_from_its_file_to_the_last_bit(tmp_path, checkpoint):
    residual = drawn(ResidualLearner(small_config(), checkpoint).averaged({"command": "train"}))
    save_residual(tmp_path / "r.safetensors", residual)
    again = load_residual(tmp_path / "r.safetensors", checkpoint)
    assert (again.task, again.version, again.settings, dict(again.about)) == (
        residual.task, residual.version, residual.settings, {"command": "train"},
    )  # fmt: skip
    for name, value in residual.actor.state_dict().items():
        assert torch.equal(value, again.actor.state_dict()[name])


@pytest.mark.parametrize("fault", ["torn", "empty", "other base", "other size", "not finite"])
def test_residual_that_does_not_fit_is_refused_with_what_was_got(checkpoint, fault):
    residual: Residual = ResidualLearner(small_config(), checkpoint).residual()
    if fault == "not finite":
        torch.nn.init.constant_(residual.actor.out.bias, float("nan"))
    data = to_bytes(residual)
    base = checkpoint
    if fault == "torn":
        data = data[:-20]
    elif fault == "empty":
        data = b""
    elif fault == "other base":
        base = dataclasses.replace(checkpoint, sha256="f" * 64)
    elif fault == "other size":
        config = dataclasses.replace(residual.actor.config, features=5)
        data = to_bytes(dataclasses.replace(residual, actor=type(residual.actor)(config)))
    with pytest.raises(VitalError) as refused:
        from_bytes(data, base)
    assert refused.value.code == ErrorCode.BAD_CHECKPOINT


def test_missing_residual_names_the_command_that_learns_it(tmp_path, checkpoint):
    with pytest.raises(VitalError, match="vital train task:=usb_insertion") as refused:
        load_residual(tmp_path / "none.safetensors", checkpoint)
    assert refused.value.code == ErrorCode.NO_CHECKPOINT


def test_rlpd_is_from_scratch_and_its_actor_comes_back_as_it_was(checkpoint):
    config = configure(32, steps=100, updates_per_step=1, batch=4, variants=1, seed=0, rlpd=True)
    assert config.ddpg.critic.critics == 10 and config.ddpg.target_critics == 2 and config.background_share == 0.0
    residual = ResidualLearner(config, checkpoint).residual()
    assert not residual.settings.base and residual.settings.share == 1.0
    torch.nn.init.normal_(residual.actor.out.weight)
    again = from_bytes(to_bytes(residual), checkpoint)
    z, base = torch.randn(5, 32), torch.randn(5, 7)
    assert again.actor.config.layers == 3 and np.array_equal(again.offset(z, base), residual.offset(z, base))
