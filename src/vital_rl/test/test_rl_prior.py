"""Demonstrations as prior data: what the residual would have had to add, and what is rewarded."""

import numpy as np
import pytest
from slide import STEP_M, small_config, still

from vital_core.pose import Pose
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.dataset.dataset import load_demonstrations
from vital_policy.inference import LocalPolicy
from vital_rl.learner.learning import ResidualLearner
from vital_rl.residual.batches import FeatureReplay, ReplayConfig
from vital_rl.residual.features import FeatureCache
from vital_rl.residual.networks import ActorConfig, ResidualActor
from vital_rl.residual.prior import add_demonstrations, demonstrated
from vital_rl.residual.residual import Residual, ResidualSettings

FRAMES = (60, 70)
EVERY = 5


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two recorded descents, a base policy that stands still, and its untrained residual."""
    folder = tmp_path_factory.mktemp("prior")
    writer = SessionWriter(folder / "session", "usb_insertion", {})
    for number, frames in enumerate(FRAMES):
        writer.add(synthetic.streams(frames, number), {})
    checkpoint = still(folder)
    actor = ResidualActor(ActorConfig(features=32, hidden=8))
    residual = Residual.untrained(checkpoint, actor, ResidualSettings())
    return load_demonstrations(folder / "session", "usb_insertion", 10), checkpoint, residual


def shown(parts, *, dense):
    demos, checkpoint, residual = parts
    policy, cache = LocalPolicy(checkpoint), FeatureCache(checkpoint, 2)

    def base_along(image, tactile_ut):
        return policy.answers_along(image, tactile_ut)[0]

    return list(demonstrated(base_along, residual.scale, demos, EVERY, cache, 0, dense=dense))


def test_what_was_demonstrated_is_the_residual_of_a_policy_that_stands_still(parts):
    demos, _, residual = parts
    for number, (episode, _) in enumerate(shown(parts, dense=False)):
        rows = np.flatnonzero(demos.episode == number)[::EVERY]
        assert len(episode) == len(rows) - 1 and episode.terminated and episode.intervened.all()
        wanted = (demos.actions[rows[:-1], 0, :6] / residual.scale.largest[:6]).clip(-1.0, 1.0)
        np.testing.assert_allclose(episode.residual[:, :6], wanted, atol=1e-5)
        assert np.abs(episode.residual).max() > 0.1 and not episode.residual[:, 6].any()
        assert episode.reward.tolist() == [0.0] * (len(episode) - 1) + [1.0]
    assert residual.scale.largest[0] == pytest.approx(0.2 * STEP_M)


def test_dense_reward_counts_the_way_that_was_left_to_the_end_of_the_demonstration(parts):
    demos = parts[0]
    for number, (episode, _) in enumerate(shown(parts, dense=True)):
        rows = np.flatnonzero(demos.episode == number)[::EVERY]
        tcp: list[Pose] = [synthetic.pose_at((len(rows) - 2 - i) * EVERY / 30.0, number) for i in range(len(rows) - 1)]
        travelled = [abs(tcp[i][2, 3] - tcp[-1][2, 3]) for i in range(len(tcp))]
        # The recorded pose is up to 20 ms old.
        np.testing.assert_allclose(-episode.reward[:-1], travelled[:-1], atol=2e-3)
        assert episode.reward[-1] == pytest.approx(1.0)


def test_all_of_them_fill_the_replay_and_what_a_residual_cannot_add_is_counted(parts):
    replay = FeatureReplay(ReplayConfig(rows=200, variants=2, features=32))
    episodes = shown(parts, dense=False)
    assert all(0 <= beyond <= len(steps) for steps, beyond in episodes)
    counted = add_demonstrations(replay, episodes)
    assert counted == (len(replay), sum(beyond for _, beyond in episodes)) and len(replay) > 10


def test_how_far_the_demonstrations_are_is_told(parts):
    demos, checkpoint, _ = parts
    told = []
    learner = ResidualLearner(small_config(), checkpoint)
    steps, _ = learner.add_demonstrations(demos, lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)] and steps == len(learner.memory)
