"""A policy as it is kept and run: what a checkpoint carries, what its actions keep within, and what its card says."""

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.torch import load, save

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Observation
from vital_data.dataset.dataset import load_demonstrations
from vital_data.dataset.normalisation import Normaliser
from vital_policy.checkpoint import Checkpoint, Provenance, load_checkpoint, save_checkpoint
from vital_policy.cloning.train_bc import Run
from vital_policy.cloning.trainer import TrainConfig, Trainer
from vital_policy.inference import AT_ONCE, LocalPolicy
from vital_policy.model_card import main, measured, write_model_card
from vital_policy.network.policy import Policy, PolicyConfig
from vital_policy.network.transformer import TransformerConfig
from vital_policy.shipped import checkpoint_folder

SMALL = PolicyConfig(keypoints=2, chunk=2, transformer=TransformerConfig(layers=1, heads=1, width=4, positions=3))
HASH = st.text("0123456789abcdef", min_size=64, max_size=64)
PROVENANCES = st.builds(
    Provenance, command=st.text(max_size=20), commit=st.text(max_size=20), seed=st.integers(-(2**31), 2**31),
    steps=st.integers(0, 2**53), demonstrations=st.integers(0, 10_000), data_sha256=st.just("") | HASH,
    method=st.sampled_from(["", "baku", "visk", "vital_bc"]),
)  # fmt: skip
NORMALISERS = st.builds(
    Normaliser,
    hnp.arrays(np.float64, 7, elements=st.floats(-1.0, 1.0)),
    hnp.arrays(np.float64, 7, elements=st.floats(1e-4, 1.0)),
    hnp.arrays(np.float64, 15, elements=st.floats(1.0, 1e4)),
)
READINGS = st.tuples(hnp.arrays(np.float32, 15, elements=st.floats(-1e6, 1e6, width=32)), st.integers(0, 255))


@pytest.fixture(scope="module")
def policy() -> Policy:
    torch.manual_seed(0)
    return Policy(SMALL)


@pytest.fixture
def local(checkpoint_path: Path) -> LocalPolicy:
    return LocalPolicy.load(checkpoint_path)


def observed(tactile_ut: np.ndarray, grey: int) -> Observation:
    return Observation(np.full((128, 128, 3), grey, np.uint8), tactile_ut)


@given(NORMALISERS, PROVENANCES, st.floats(0.1, 1000.0), st.floats(-100.0, 100.0))
@settings(max_examples=10, deadline=None)
def test_everything_that_a_checkpoint_carries_comes_back(tmp_path_factory, policy, normaliser, provenance, rate, decay):
    path = tmp_path_factory.mktemp("kept") / "usb_insertion.safetensors"
    save_checkpoint(path, Checkpoint("usb_insertion", policy, normaliser, rate, provenance, ensemble_decay=decay))
    again = load_checkpoint(path, task="usb_insertion", rate_hz=rate)
    assert (again.control_rate_hz, again.ensemble_decay, again.provenance) == (rate, decay, provenance)
    assert again.normaliser.to_dict() == normaliser.to_dict() and again.policy.config == SMALL
    assert again.feature_size == again.policy.config.feature_size and not again.policy.training
    for name, value in policy.state_dict().items():
        assert torch.equal(again.policy.state_dict()[name], value.half().float()), name


def test_the_same_checkpoint_gives_the_same_bytes_and_other_weights_give_others(tmp_path, policy):
    normaliser = Normaliser(np.zeros(7), np.ones(7), np.ones(15))
    one, two, other = (tmp_path / f"{name}.safetensors" for name in ("one", "two", "other"))
    for path in (one, two):
        save_checkpoint(path, Checkpoint("usb_insertion", policy, normaliser, 6.0))
    average = {name: value + 1.0 for name, value in policy.state_dict().items()}
    save_checkpoint(other, Checkpoint("usb_insertion", policy, normaliser, 6.0), average)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    assert load_checkpoint(one).sha256 == load_checkpoint(two).sha256 != load_checkpoint(other).sha256
    kept = load_checkpoint(other).policy.state_dict()
    assert all(torch.equal(kept[name], value.half().float()) for name, value in average.items())


@given(st.lists(READINGS, min_size=1, max_size=3))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_reading_carries_an_action_beyond_what_was_demonstrated(local, readings):
    normaliser = local.checkpoint.normaliser
    local.reset()
    for reading in readings:
        action = local.act(observed(*reading)).to_array()
        beyond = np.abs(action - normaliser.action_centre) - normaliser.action_half_range
        assert np.isfinite(action).all() and beyond.max() < 1e-6


def test_a_skipped_tick_ages_the_predictions(local):
    rng = np.random.default_rng(0)
    seen = [observed(rng.normal(0, 80, 15).astype(np.float32), 40 * k) for k in range(2)]
    predictions = [local.predict(o.image[None], o.tactile_ut[None])[0][0] for o in seen]
    local.act(seen[0])
    local.skip()
    action = local.act(seen[1]).to_array()
    weights = np.exp(-local.ensemble_decay * np.arange(2))
    expected = (weights[0] * predictions[0][2] + weights[1] * predictions[1][0]) / weights.sum()
    np.testing.assert_allclose(action, expected, atol=1e-6)


def test_warming_up_leaves_no_prediction_behind_and_a_given_decay_replaces_the_files(checkpoint_path, local):
    seen = observed(np.full(15, 50.0, np.float32), 100)
    chunk = local.predict(seen.image[None], seen.tactile_ut[None])[0][0]
    np.testing.assert_allclose(local.act(seen).to_array(), chunk[0], atol=1e-6)
    other = LocalPolicy.load(checkpoint_path, ensemble_decay=-2.0)
    assert (local.ensemble_decay, other.ensemble_decay) == (local.checkpoint.ensemble_decay, -2.0)


def test_an_episode_known_already_leaves_the_running_one_alone(local):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (AT_ONCE + 1, 128, 128, 3), dtype=np.uint8)
    tactile_ut = rng.normal(0, 30, (AT_ONCE + 1, 15)).astype(np.float32)
    first = local.act(Observation(image[0], tactile_ut[0])).to_array()
    actions, z = local.answers_along(image, tactile_ut)
    assert actions.shape == (AT_ONCE + 1, 7) and z.shape == (AT_ONCE + 1, local.checkpoint.feature_size)
    second = local.act(Observation(image[1], tactile_ut[1])).to_array()
    np.testing.assert_allclose([first, second], actions[:2], atol=1e-6)


def report(setting: str, sha256: str, **fields) -> dict:
    found = {"setting": setting, "task": "usb_insertion", "successes": 5, "finished": 5, "wilson_95": (0.566, 1.0)}
    found |= {"seed": 7, "failures": {}, "command": f"evaluate --setting {setting}", "policy": {"sha256": sha256}}
    return found | fields


def test_card_tells_where_the_weights_come_from(checkpoint_path):
    checkpoint = load_checkpoint(checkpoint_path)
    card = write_model_card(checkpoint_path).read_text()
    origin = checkpoint.provenance
    told = (
        "# Local policy for `usb_insertion`", "image and touch, chunk of 10", "| 6 Hz, deltas in the TCP frame |",
        "m = 0.01", f"{origin.demonstrations} episodes", origin.data_sha256, f"commit `{origin.commit}`",
        f"| {origin.steps}, {origin.seed} |", checkpoint.sha256, origin.command, "| not told |", "Not measured yet",
        f"{checkpoint.policy.parameter_count():,} parameters", "[0.005, 0.005, 0.005, 0.02, 0.02, 0.02, 0.05]",
    )  # fmt: skip
    assert [words for words in told if words not in card] == []


def test_card_that_is_made_anew_keeps_the_licence_that_somebody_wrote_in(checkpoint_path):
    card = write_model_card(checkpoint_path)
    line = next(line for line in card.read_text().splitlines() if line.startswith("| licence |"))
    assert "whoever made these weights" in line
    card.write_text(card.read_text().replace(line, "| licence | CC-BY-4.0 |"))
    assert "| licence | CC-BY-4.0 |\n" in write_model_card(checkpoint_path).read_text()


def test_every_weight_that_is_shipped_has_a_card_with_its_licence():
    sources = Path(__file__).parents[2]
    weights = [*sources.glob("*/checkpoints/*.safetensors"), *sources.glob("*/weights/*.safetensors")]
    assert len(weights) >= 8
    cards = {path.name: path.with_suffix(".md").read_text() for path in weights}
    assert [name for name, card in cards.items() if "Apache-2.0" not in card] == []


def test_card_of_a_policy_without_touch_says_so(tmp_path, new_checkpoint):
    path = new_checkpoint(tmp_path / "x.safetensors", dataclasses.replace(SMALL, touch=False))
    assert "image only, chunk of 2" in write_model_card(path).read_text()


def test_measured_successes_are_a_row_a_setting_with_seeds_and_commands():
    failures = {"time_out": 2, "jammed": 1}
    table = measured((report("scene", "a"), report("clutter", "a", seed=11, successes=2, failures=failures)))
    assert "Seeds from 11, 7." in table
    assert "| scene | 5 of 5 | 57 to 100 % | none |" in table
    assert "| clutter | 2 of 5 | 57 to 100 % | jammed 1, time_out 2 |" in table
    assert table.index("evaluate --setting scene") < table.index("evaluate --setting clutter")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expecting value"),
        ("[1]", "expected `object`, got `array`"),
        (json.dumps({"setting": "scene"}), "lacks task"),
        (json.dumps(report("scene", "a", wilson_95=0.5)), "wilson_95 is 0.5"),
        (json.dumps(report("scene", "a", failures=["jammed"])), "failures is ['jammed']"),
    ],
)
def test_card_of_what_is_no_report_is_refused_in_a_line(checkpoint_path, tmp_path, caplog, content, said):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        main([str(checkpoint_path), str(path)])
    (line,) = caplog.records
    assert ended.value.code == 2 and said in line.getMessage()
    assert not checkpoint_path.with_suffix(".md").exists()


@pytest.fixture
def run(tmp_path: Path, write_demo, tiny_config) -> Run:
    """A run in a folder, stopped and saved after one of its iterations."""
    write_demo(tmp_path / "demos", frames=12)
    demos = load_demonstrations([tmp_path / "demos"], "usb_insertion", 10)
    config = TrainConfig(iterations=2, batch=2, holdout_episodes=0, policy=tiny_config)
    (tmp_path / "out").mkdir()
    run = Run(Trainer(config, demos), "usb_insertion", "visk", tmp_path / "out", "train_bc")
    run.trainer.step()
    run.save()
    return run


def test_a_state_that_does_not_fit_its_run_is_refused_with_what_to_do(run):
    whole, header = run.state_path.read_bytes(), {"identity": run._identity, "iteration": "1"}
    tensors = load(whole)
    kept = {name: value for name, value in tensors.items() if not name.startswith("adam.step")}
    for data, said in (
        (whole[:200], "no safetensors file"),
        (save(tensors, {**header, "identity": "{}"}), "is of a run with other data or settings"),
        (save(tensors, {"identity": run._identity}), "cannot be read"),
        (save(tensors, {**header, "iteration": "-1"}), "is -1"),
        (save(kept, header), "has other tensors than this run"),
    ):
        run.state_path.write_bytes(data)
        with pytest.raises(VitalError, match=said) as refused:
            run.resume()
        assert refused.value.code is ErrorCode.BAD_PARAMETER and "or another --out" in refused.value.message
    run.state_path.write_bytes(save(tensors, header))
    run.resume()
    assert run.trainer.iteration == 1


def test_training_begins_at_the_start_where_there_is_no_state(run, caplog):
    run.state_path.unlink()
    with caplog.at_level(logging.INFO):
        run.resume()
    assert "starting at iteration 0" in caplog.text


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_last_checkpoint(run):
    before = run.checkpoint_path.read_bytes()
    torch.nn.init.constant_(run.trainer.policy.action_token, float("nan"))
    with pytest.raises(VitalError, match="loss is nan at iteration 2") as ended:
        run.train(save_every_s=0.0)
    assert ended.value.code is ErrorCode.INTERNAL and run.checkpoint_path.read_bytes() == before


def test_a_run_writes_what_was_learned_and_a_line_of_it(run):
    run.train(save_every_s=1e9)
    (line,) = (run.folder / "usb_insertion.log.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert told["iteration"] == 2 and told["validation_loss"] is None and len(told["losses"]) == 1
    made = load_checkpoint(run.checkpoint_path, task="usb_insertion")
    assert (made.provenance.steps, made.provenance.method, made.provenance.demonstrations) == (2, "visk", 1)
    assert made.provenance.data_sha256 == run.trainer.demos.sha256
    for name, value in run.trainer.shipped_weights.items():
        assert torch.equal(made.policy.state_dict()[name], value.half().float()), name


def test_a_policy_of_another_view_is_refused_and_shipped_ones_know_the_window(checkpoint_path, tmp_path):
    seen = dataclasses.replace(load_checkpoint(checkpoint_path), wrist_view="fisheye")
    path = tmp_path / "fisheye" / "usb_insertion.safetensors"
    save_checkpoint(path, seen)
    assert load_checkpoint(path, wrist_view="fisheye").wrist_view == "fisheye"
    with pytest.raises(VitalError, match="wrist_view is 'fisheye', expected 'window'") as refused:
        LocalPolicy.load(path, wrist_view="window")
    assert refused.value.code is ErrorCode.BAD_CHECKPOINT
    for shipped in checkpoint_folder().glob("*.safetensors"):
        if not shipped.stem.endswith("_residual"):
            assert load_checkpoint(shipped, wrist_view="window").wrist_view == "window"


def test_what_was_learned_from_a_view_is_a_policy_of_that_view(tmp_path, write_demo, tiny_config):
    for number, view in enumerate(("fisheye", "fisheye")):
        write_demo(tmp_path / "demos", number, frames=12, header={"wrist_view": view})
    demos = load_demonstrations([tmp_path / "demos"], "usb_insertion", 10)
    config = TrainConfig(iterations=1, batch=2, holdout_episodes=0, policy=tiny_config)
    (tmp_path / "out").mkdir()
    run = Run(Trainer(config, demos), "usb_insertion", "visk", tmp_path / "out", "train_bc")
    run.trainer.step()
    run.save()
    assert load_checkpoint(run.checkpoint_path).wrist_view == "fisheye"
    write_demo(tmp_path / "demos", 2, frames=12)
    with pytest.raises(
        VitalError, match=r"show 'fisheye' in .*, 'window' in .*: give demonstrations of one"
    ) as refused:
        load_demonstrations([tmp_path / "demos"], "usb_insertion", 10)
    assert refused.value.code is ErrorCode.BAD_DATASET
