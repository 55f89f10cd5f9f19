"""What an iteration of behaviour cloning computes: its losses, weights, schedules and draws, against their formulae."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_data.dataset.dataset import Demonstrations, load_demonstrations
from vital_policy.cloning import train_bc
from vital_policy.cloning.engine import engine
from vital_policy.cloning.loss import action_groups, chunk_loss, relative_weights
from vital_policy.cloning.trainer import METHODS, PRESETS, TrainConfig, Trainer, learning_rate, split_holdout
from vital_policy.network.transformer import TransformerConfig
from vital_policy.precision import fastest_precision

GROUPS = ((0, 1), (2,), (3, 4, 5), (6,))
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**31))


@pytest.fixture
def demos(tmp_path: Path, write_demo) -> Demonstrations:
    """Five recordings of 10 to 14 frames."""
    for number in range(5):
        write_demo(tmp_path / "demos", number, frames=10 + number)
    return load_demonstrations([tmp_path / "demos"], "usb_insertion", 10)


@pytest.fixture
def tiny(tiny_config) -> TrainConfig:
    return TrainConfig(iterations=6, batch=2, ema_decay=0.9, holdout_episodes=1, policy=tiny_config)


def chunks(shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random predictions and targets (B, K, 7), and which of them exist (B, K): from the first on, as at an end."""
    batch, length, seed = shape
    generator = torch.Generator().manual_seed(seed)
    predicted, target = torch.randn(2, batch, length, 7, generator=generator)
    there = torch.randint(0, length + 1, (batch, 1), generator=generator)
    return predicted, target, torch.arange(length) < there


@given(SHAPES)
@settings(max_examples=60, deadline=None)
def test_loss_is_the_mean_over_the_actions_that_exist(shape):
    predicted, target, mask = chunks(shape)
    weights = torch.rand(len(mask), 1, 7)
    plain, weighed = [], []
    for sample, action in mask.nonzero().tolist():
        error = (predicted[sample, action] - target[sample, action]).square()
        plain.append(error.mean().item())
        weighed.append((error * weights[sample, 0]).mean().item())
    wanted = (np.mean(plain), np.mean(weighed)) if plain else (0.0, 0.0)
    found = chunk_loss(predicted, target, mask), chunk_loss(predicted, target, mask, weights)
    assert [value.item() for value in found] == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@given(SHAPES, st.floats(0.01, 1.0))
@settings(max_examples=60, deadline=None)
def test_weights_are_one_over_the_mean_square_of_each_group(shape, floor):
    _, target, mask = chunks(shape)
    still = torch.linspace(-0.5, 0.5, 7)
    weights = relative_weights(target, mask, still, floor, GROUPS)
    assert weights.shape == (len(mask), 1, 7) and weights.max() <= 1.0 / floor**2 * 1.001
    for sample, there in enumerate(mask):
        for group in GROUPS:
            squares = (target[sample, there] - still)[:, list(group)].square()
            mean = squares.mean().item() if squares.numel() else 0.0
            for column in group:
                assert weights[sample, 0, column].item() == pytest.approx(1.0 / (mean + floor**2), rel=1e-3)


@given(st.permutations([0.01, 0.02, 0.05]), st.integers(1, 5))
def test_every_action_value_is_in_one_group_whatever_the_direction(sizes, frames):
    actions = torch.zeros(frames, 2, 7)
    actions[..., :3] = torch.tensor(sizes)
    groups = action_groups(actions, torch.ones(frames, 2, dtype=torch.bool))
    assert sorted(column for group in groups for column in group) == list(range(7))
    assert groups[1] == (sizes.index(0.05),) and groups[2:] == ((3, 4, 5), (6,))


@given(st.integers(1, 400), st.integers(0, 500), st.booleans(), st.floats(1e-6, 1.0))
@settings(deadline=None)
def test_learning_rate_rises_while_it_warms_up_and_never_after(iterations, warmup, cosine, rate):
    config = dataclasses.replace(
        PRESETS["paper"], iterations=iterations, warmup=warmup, cosine=cosine, learning_rate=rate
    )
    rates = [learning_rate(config, i) for i in range(warmup + iterations + 1)]
    rising, falling = np.diff(rates[:warmup]), np.diff(rates[warmup:])
    assert (rising > 0.0).all() and (falling <= 1e-15).all()
    assert min(rates) > 0.0 and max(rates) == pytest.approx(rate)
    assert rates[-1] == pytest.approx(rate / 20 if cosine and iterations > warmup else rates[-1])
    assert cosine or rates[-1] == rate


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"iterations": 0}, "iterations is 0, expected at least 1"),
        ({"batch": 0}, "batch is 0, expected at least 1"),
        ({"background_share": 1.01}, "background_share is 1.01, expected 0 to 1"),
        ({"background_share": math.nan}, "background_share is nan"),
        ({"coarse_iterations": -1}, "coarse_iterations is -1, expected 0 to 20000"),
        ({"still": ("yaw",)}, "still is yaw, expected of x, y, z, rx, ry, rz"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected more than 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
    ],
)
def test_settings_that_cannot_train_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig(**change)


@given(st.integers(1, 64), st.integers(1, 64))
def test_heads_share_the_width_evenly_or_are_refused(heads, width):
    if width % heads == 0:
        assert TransformerConfig(heads=heads, width=width).width == width
    else:
        with pytest.raises(ValueError, match=f"width {width} must be a multiple of heads {heads}"):
            TransformerConfig(heads=heads, width=width)


@pytest.mark.parametrize("held, which", [(0, set()), (1, {2}), (2, {1, 3}), (4, {0, 1, 3, 4})])
def test_what_is_held_out_are_whole_recordings_evenly_over_all(demos, held, which):
    training, validation = split_holdout(demos, held)
    assert set(training.episode.tolist()) == set(range(5)) - which
    assert validation is None if held == 0 else set(validation.episode.tolist()) == which
    out = np.isin(demos.episode, list(which))
    for part, chosen in ((training, ~out), (validation, out)):
        if part is not None:
            np.testing.assert_array_equal(part.image, demos.image[chosen])
            np.testing.assert_array_equal(part.actions, demos.actions[chosen])


def test_all_recordings_cannot_be_held_out(demos):
    with pytest.raises(ValueError, match="cannot hold out 5 of 5 episodes"):
        split_holdout(demos, 5)


def test_draws_cover_every_frame_evenly_and_follow_from_seed_and_iteration(demos, tiny):
    trainer = Trainer(dataclasses.replace(tiny, batch=64), demos)
    counts, draws = torch.zeros(len(trainer.demos)), []
    for trainer.iteration in range(200):
        index, generator = trainer._draw()
        draws.append((index, generator.get_state()))
        counts += torch.bincount(index, minlength=len(counts))
    expected = counts.sum() / len(counts)
    assert counts.sum() == 12_800 and ((counts - expected).abs() < 5 * expected.sqrt()).all()
    trainer.iteration = 7
    again = trainer._draw()
    assert torch.equal(again[0], draws[7][0]) and torch.equal(again[1].get_state(), draws[7][1])
    assert not torch.equal(draws[7][0], draws[8][0])
    other = Trainer(dataclasses.replace(tiny, batch=64, seed=1), demos)
    other.iteration = 7
    assert not torch.equal(other._draw()[0], draws[7][0])


def test_average_of_the_weights_forgets_the_start_and_then_follows_by_its_decay(demos, tiny):
    trainer = Trainer(dataclasses.replace(tiny, ema_decay=0.2, learning_rate=1e-2), demos)
    expected = {name: value.clone() for name, value in trainer.policy.state_dict().items()}
    for iteration in range(1, 5):
        trainer.step()
        decay = min(0.2, (1 + iteration) / (10 + iteration))
        for name, value in trainer.policy.state_dict().items():
            expected[name] = decay * expected[name] + (1.0 - decay) * value
            torch.testing.assert_close(trainer.shipped_weights[name], expected[name])


def test_without_an_average_the_last_weights_are_shipped(demos, tiny):
    trainer = Trainer(dataclasses.replace(tiny, ema_decay=0.0), demos)
    for _ in range(2):
        trainer.step()
    for name, value in trainer.policy.state_dict().items():
        assert torch.equal(trainer.shipped_weights[name], value), name


def test_looking_at_the_held_out_episodes_changes_nothing_of_the_training(demos, tiny):
    looked, blind = Trainer(tiny, demos), Trainer(tiny, demos)
    told, losses = [], []
    for _ in range(2):
        losses.append((looked.step(), blind.step()))
        told.append(looked.validate(frames=3)[0])
    assert all(one == other for one, other in losses)
    assert np.isfinite(told).all() and told[-1] == looked.validate(frames=3)[0]
    for name, value in blind.state().items():
        assert torch.equal(value, looked.state()[name]), name


def test_without_held_out_episodes_there_is_no_validation_loss(demos, tiny):
    assert math.isnan(Trainer(dataclasses.replace(tiny, holdout_episodes=0), demos).validate()[0])


def test_state_holds_copies_of_all_that_moves_and_none_may_be_missing(demos, tiny):
    trainer = Trainer(tiny, demos)
    names = [name for name, _ in trainer.policy.named_parameters()]
    kinds = ("weights", "average", "adam.step", "adam.exp_avg", "adam.exp_avg_sq")
    trainer.step()
    state = trainer.state()
    assert {f"{kind}.{name}" for kind in kinds for name in names} == state.keys()
    assert all(state[f"adam.step.{name}"].item() == 1.0 for name in names)
    for missing in (f"{kind}.{names[0]}" for kind in kinds):
        with pytest.raises(KeyError, match=names[0]):
            Trainer(tiny, demos).restore({name: v for name, v in state.items() if name != missing}, 1)
    with pytest.raises(RuntimeError):
        Trainer(tiny, demos).restore({**state, f"weights.{names[0]}": torch.zeros(3)}, 1)


def options(*given: str):
    return train_bc._parse(["--task", "usb_insertion", "--demos", "d", "--out", "o", *given])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_options_take_the_place_of_the_presets_settings(method):
    given = ["--method", method, "--preset", "paper", "--iterations", "30", "--batch", "8", "--learning-rate", "0.5"]
    config = train_bc.configure(options(*given, "--seed", "4", "--holdout", "0", "--coarse-iterations", "7"))
    assert (config.iterations, config.batch, config.learning_rate) == (30, 8, 0.5)
    assert (config.seed, config.holdout_episodes, config.coarse_iterations) == (4, 0, 7)
    assert (config.policy.touch, config.background_share) == METHODS[method]
    untold = train_bc.configure(options("--method", method))
    preset = PRESETS["cpu"].with_method(method).with_task(load_task("usb_insertion"))
    assert untold == dataclasses.replace(preset, precision=fastest_precision())
    assert untold.tip_m == (0.0, 0.0, 0.035) and untold.augmentation == PRESETS["cpu"].augmentation


def test_an_option_that_cannot_be_is_a_bad_parameter():
    with pytest.raises(VitalError, match=r"learning_rate is -1\.0, expected more than 0") as refused:
        train_bc.configure(options("--learning-rate", "-1"))
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_shift_of_images_is_an_option_and_the_preset_s_where_it_is_not_told():
    augmentation = train_bc.configure(options()).augmentation
    assert train_bc.configure(options("--shift-px", "2")).augmentation == dataclasses.replace(augmentation, pad_px=2)
    with pytest.raises(VitalError, match="shifted by -1 px, expected 0 to 32"):
        train_bc.configure(options("--shift-px", "-1"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused_and_auto_takes_what_there_is():
    with pytest.raises(VitalError, match="there is no CUDA device here: leave --device out") as refused:
        engine("cuda")
    assert refused.value.code is ErrorCode.BAD_PARAMETER
    assert engine("auto").device.type == "cpu"
