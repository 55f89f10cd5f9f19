"""A learner's state on disk: it comes back whole, and one that does not belong to the run is refused by name."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from slide import small_config, still

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_rl.learner.learning import STATE, STATES_KEPT, STRETCH, ResidualLearner, configure
from vital_rl.learner.state_file import FORMAT, Counts, read_state, write_state
from vital_rl.residual.networks import ActorConfig
from vital_rl.residual.residual import load_residual

SOURCE = Source("test", ErrorCode.INTERNAL, "")
COUNT = st.integers(0, 2**53)
COUNTS = st.lists(st.tuples(COUNT, st.booleans()), max_size=6).flatmap(
    lambda told: st.builds(
        Counts, COUNT, COUNT, COUNT, st.just(tuple(n for n, _ in told)), st.just(tuple(ok for _, ok in told))
    )
)
TENSORS = st.dictionaries(st.text("abc.", min_size=1, max_size=5), st.integers(0, 2**31), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return still(tmp_path_factory.mktemp("base"))


def told_counts(**counts) -> str:
    return json.dumps({"updates": 1, "steps": 1, "owed": 0, "taken": [], "successes": [], **counts})


def drawn(seed: int) -> torch.Tensor:
    return torch.randn(seed % 3 + 1, 2, generator=torch.Generator().manual_seed(seed))


@given(COUNTS, TENSORS)
@settings(max_examples=40, deadline=None)
def test_counts_and_tensors_come_back_to_the_last_bit(tmp_path_factory, counts, seeds):
    path = tmp_path_factory.mktemp("state") / "state.safetensors"
    tensors = {name: drawn(seed) for name, seed in seeds.items()}
    write_state(path, tensors, {"config": "{}", "checkpoint": "c"}, counts)
    header, found = read_state(path)
    assert (header.config, header.checkpoint, header.counts, header.format) == ("{}", "c", counts, FORMAT)
    assert found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_episodes_and_successes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="2 episodes and 1 successes"):
        Counts(0, 0, 0, (1, 2), (True,))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "vital_learner/9"}, "format is 'vital_learner/9', expected 'vital_learner/1'"),
        ({"counts": None}, "is no state of a learner"),
        ({"counts": "{"}, "cannot be read"),
        (
            {"counts": told_counts(taken=[1])},
            "1 episodes and",
        ),
        ({"counts": told_counts(updates=-1)}, "updates is -1"),
        ({"beyond": "1"}, "'beyond' is unknown"),
        ({"config": None}, "lacks config"),
    ],
)
def test_a_state_with_another_header_is_refused_with_what_to_do(tmp_path, change, said):
    path = tmp_path / "state_000000001.safetensors"
    write_state(path, {"x": torch.zeros(2)}, {"config": "{}", "checkpoint": "c"}, Counts(1, 1, 0, (), ()))
    metadata = {**weight_file.parse_header(path.read_bytes(), SOURCE).metadata, **change}
    kept = {name: value for name, value in metadata.items() if value is not None and name != weight_file.SEAL}
    path.write_bytes(weight_file.sealed(path.read_bytes(), kept, SOURCE))
    with pytest.raises(VitalError) as refused:
        read_state(path)
    assert refused.value.code is ErrorCode.BAD_CHECKPOINT and said in refused.value.message
    assert "delete it, the one before is gone on from" in refused.value.message


def unread(number: int):
    pytest.fail(f"episode {number} was read")


def test_a_state_of_another_base_policy_is_refused(tmp_path, checkpoint):
    ResidualLearner(small_config(), checkpoint, tmp_path).save({})
    other = dataclasses.replace(checkpoint, sha256="f" * 64)
    with pytest.raises(
        VitalError, match="of a run with another checkpoint: give the same, or another folder"
    ) as refused:
        ResidualLearner(small_config(), other, tmp_path).resume(unread)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_a_state_with_other_tensors_is_refused(tmp_path, checkpoint):
    learner = ResidualLearner(small_config(), checkpoint, tmp_path)
    learner.save({})
    (path,) = tmp_path.glob(STATE)
    metadata = weight_file.parse_header(path.read_bytes(), SOURCE).metadata
    del metadata[weight_file.SEAL]
    tensors = load(path.read_bytes())
    for changed in ({**tensors, "actor.out.bias": torch.zeros(3)}, {"actor.out.bias": torch.zeros(7)}):
        path.write_bytes(weight_file.sealed(save(changed), metadata, SOURCE))
        with pytest.raises(VitalError, match="has other tensors than this run") as refused:
            ResidualLearner(small_config(), checkpoint, tmp_path).resume(unread)
        assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_a_run_may_go_on_with_more_room_and_on_another_processor(tmp_path, checkpoint):
    config = small_config()
    ResidualLearner(config, checkpoint, tmp_path).save({})
    roomy = dataclasses.replace(
        config, replay=dataclasses.replace(config.replay, rows=9000),
        ddpg=dataclasses.replace(config.ddpg, precision="bfloat16"),
    )  # fmt: skip
    assert ResidualLearner(roomy, checkpoint, tmp_path).resume(unread)


def test_the_last_states_are_kept_and_the_newest_is_gone_on_from(tmp_path, checkpoint):
    learner = ResidualLearner(small_config(), checkpoint, tmp_path)
    for learner.networks.updates in (1, 20, 300):
        learner.save({})
    assert [path.name for path in sorted(tmp_path.glob(STATE))] == [
        "state_000000020.safetensors", "state_000000300.safetensors",
    ]  # fmt: skip
    assert len(list(tmp_path.glob(STATE))) == STATES_KEPT
    again = ResidualLearner(small_config(), checkpoint, tmp_path)
    assert again.resume(unread) and again.updates == 300


def labelled(learner: ResidualLearner, *outcomes: bool) -> None:
    """As if so many episodes had been taken."""
    learner.taken, learner.successes = list(range(len(outcomes))), list(outcomes)


def test_what_was_best_is_kept_beside_what_came_last(tmp_path, checkpoint, caplog, monkeypatch):
    monkeypatch.setattr(ResidualLearner, "_remember", lambda *_: None)
    learner = ResidualLearner(small_config(), checkpoint, tmp_path)
    labelled(learner, *[True] * (STRETCH - 1))
    learner.save({})
    assert not learner.best_path.exists(), "of fewer episodes than a stretch"
    torch.nn.init.constant_(learner.networks.average.out.bias, 0.25)
    labelled(learner, *[True] * 40, *[False] * 10)
    learner.save({})
    torch.nn.init.constant_(learner.networks.average.out.bias, 0.5)
    labelled(learner, *[True] * 40, *[False] * 15)
    learner.save({})
    best, last = (load_residual(path, checkpoint) for path in (learner.best_path, learner.result_path))
    assert best.about["success_50"] == 0.8 and "success_50" not in last.about
    assert [found.actor.out.bias[0].item() for found in (best, last)] == [0.25, 0.5]

    again = ResidualLearner(small_config(), checkpoint, tmp_path)
    assert again.resume(lambda _: (None, [])) and again.best_share == 0.8
    learner.best_path.write_bytes(b"torn")
    assert again.resume(lambda _: (None, [])) and again.best_share == 0.0 and "written anew" in caplog.text


def test_where_nothing_ever_succeeded_nothing_is_best(tmp_path, checkpoint):
    learner = ResidualLearner(small_config(), checkpoint, tmp_path)
    labelled(learner, *[False] * STRETCH)
    learner.save({})
    assert not learner.best_path.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"updates_per_step": -1}, "updates_per_step is -1"),
        ({"background_share": 1.5}, "background_share is 1.5, expected 0 to 1"),
        ({"variants": 0}, "needs at least 1 of each"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"actor_l2": -1.0}, "actor_l2 -1.0"),
        ({"residual_cost": -0.1}, "residual_cost -0.1"),
    ],
)
def test_a_run_that_cannot_be_is_a_bad_parameter(change, said):
    asked = {"steps": 10, "updates_per_step": 1, "batch": 4, "variants": 1, "seed": 0, **change}
    with pytest.raises(VitalError) as refused:
        configure(32, **asked)
    assert refused.value.code is ErrorCode.BAD_PARAMETER and said in refused.value.message


def test_rewards_bound_the_values_and_room_is_made_for_the_steps():
    sparse, dense = (
        configure(32, steps=1000, updates_per_step=1, batch=4, variants=1, seed=0, dense=d) for d in (False, True)
    )
    assert sparse.ddpg.returns == (0.0, 1.0) and dense.ddpg.returns == (-float("inf"), 1.0)
    assert sparse.replay.rows > 2000 and sparse.ddpg.actor == ActorConfig(features=32)
