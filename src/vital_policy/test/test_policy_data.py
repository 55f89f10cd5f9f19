"""Demonstrations, normalisation, augmentation and the temporal ensemble."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_policy.augmentation import Augmentation, augment, colour_jitter, random_crop, to_network
from vital_policy.dataset import chunks_of, frame_actions, load_demonstrations, read_episode
from vital_policy.ensemble import TemporalEnsemble
from vital_policy.normalisation import MIN_HALF_RANGE, Normaliser

FINITE = st.floats(-1.0, 1.0, width=32)


def test_action_is_the_target_at_the_periods_end_in_the_frame_of_the_measured_pose(tmp_path, write_demo):
    episode = read_episode(write_demo(tmp_path, frames=30), "usb_insertion")
    actions = frame_actions(episode)
    assert actions.shape == (26, 7)
    for t in (0, 7, 25):
        expected = pose_of.to_vector(pose_of.inverse(episode.t_base_tcp[t]) @ episode.t_base_tcp_target[t + 4])
        np.testing.assert_allclose(actions[t, :6], expected, atol=1e-12)
    # The descent of the file is 5 mm a period along the TCP's z, which points down.
    np.testing.assert_allclose(actions[:, 2], 0.005, atol=1e-9)


def test_intended_pose_is_the_label_where_a_demonstration_has_one(tmp_path, write_demo):
    intended = np.stack([pose_of.point_down((0.45, 0.01, 0.19 - 0.001 * k)) for k in range(30)])
    episode = read_episode(write_demo(tmp_path, frames=30, t_base_tcp_intended=intended), "usb_insertion")
    actions = frame_actions(episode)
    for t in (0, 25):
        expected = pose_of.to_vector(pose_of.inverse(episode.t_base_tcp[t]) @ intended[t])
        np.testing.assert_allclose(actions[t, :6], expected, atol=1e-12)


def test_chunks_take_every_fifth_frame_and_are_masked_past_the_end():
    actions = np.arange(23.0)[:, None].repeat(7, 1)
    chunks, mask = chunks_of(actions, 10)
    assert chunks.shape == (23, 10, 7)
    np.testing.assert_array_equal(chunks[1, :5, 0], [1, 6, 11, 16, 21])
    np.testing.assert_array_equal(mask[1], [True] * 5 + [False] * 5)
    assert mask[:, 0].all() and mask[22].sum() == 1


def test_all_phase_offsets_are_used_and_loading_is_repeatable(tmp_path, write_demo):
    for number in range(3):
        write_demo(tmp_path, number, frames=20)
    first, second = (load_demonstrations(tmp_path, "usb_insertion", 10) for _ in range(2))
    assert len(first) == 3 * 16 and first.episodes == 3
    np.testing.assert_array_equal(first.image, second.image)
    assert first.sha256 == second.sha256
    write_demo(tmp_path, 3)
    assert load_demonstrations(tmp_path, "usb_insertion", 10).sha256 != first.sha256


@pytest.mark.parametrize(
    ("header", "arrays", "said"),
    [
        ({"task": "card_swipe"}, {}, "task is 'card_swipe', expected 'usb_insertion'"),
        ({"frame": "link_base"}, {}, "frame is 'link_base', expected 'link_tcp'"),
        ({"rate_hz": "6"}, {}, "rate_hz is '6', expected 30"),
        ({"rate_hz": "fast"}, {}, "rate_hz is 'fast'"),
        ({"format": "other"}, {}, "format is 'other'"),
        ({}, {"tactile_ut": np.full((30, 15), np.nan, np.float32)}, "tactile_ut has 450 values that are not finite"),
        ({}, {"gripper": np.ones(29, np.float32)}, "gripper is float32 (29,), expected float32 (30,)"),
        ({}, {"image": np.zeros((30, 64, 64, 3), np.uint8)}, "expected uint8 (30, 128, 128, 3)"),
    ],
)
def test_demonstration_that_breaks_the_contract_is_refused_with_got_and_expected(
    tmp_path, write_demo, header, arrays, said
):
    write_demo(tmp_path, header=header, **arrays)
    with pytest.raises(VitalError) as refused:
        load_demonstrations(tmp_path, "usb_insertion", 10)
    assert refused.value.code is ErrorCode.BAD_PARAMETER
    assert said in refused.value.message and "episode_0000" in refused.value.message


def test_truncated_demonstration_is_refused(tmp_path, write_demo):
    path = write_demo(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(VitalError, match="cannot be read"):
        load_demonstrations(tmp_path, "usb_insertion", 10)


def test_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(VitalError, match="record some"):
        load_demonstrations(tmp_path, "usb_insertion", 10)


@given(hnp.arrays(np.float64, (20, 7), elements=FINITE))
def test_normalised_actions_fit_the_range_and_come_back(actions):
    normaliser = Normaliser.fit(actions, np.zeros((2, 15)))
    normalised = normaliser.normalise_actions(actions)
    assert np.abs(normalised).max() <= 1.0
    np.testing.assert_allclose(normaliser.restore_actions(normalised), actions, atol=1e-5)
    same = Normaliser.from_dict(normaliser.to_dict())
    np.testing.assert_array_equal(same.normalise_actions(actions), normalised)


def test_dimension_that_never_moves_keeps_a_scale():
    normaliser = Normaliser.fit(np.ones((5, 7)), np.zeros((2, 15)))
    np.testing.assert_array_equal(normaliser.action_half_range, MIN_HALF_RANGE)
    np.testing.assert_allclose(normaliser.restore_actions(np.zeros(7)), 1.0)


def test_tactile_scale_is_three_sigma_but_at_least_100_ut():
    readings = np.zeros((1000, 15))
    readings[:, 0] = np.where(np.arange(1000) % 2, 200.0, -200.0)
    scale = Normaliser.fit(np.ones((2, 7)), readings).tactile_scale_ut
    assert scale[0] == pytest.approx(600.0) and (scale[1:] == 100.0).all()


@given(hnp.arrays(np.float64, 15, elements=st.floats(-1e6, 1e6)))
def test_normalised_tactile_is_bounded_and_keeps_its_order(field):
    normaliser = Normaliser.fit(np.ones((2, 7)), np.zeros((2, 15)))
    scaled = normaliser.normalise_tactile(field)
    assert np.abs(scaled).max() <= 3.0
    assert (np.sign(scaled[field != 0]) == np.sign(field[field != 0]))[np.abs(field[field != 0]) > 1e-3].all()


def _images(batch: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 128, 128, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def test_random_crop_shifts_each_picture_and_repeats_its_border():
    image = _images(32)
    cropped = random_crop(image, 4, torch.Generator().manual_seed(0))
    padded = np.pad(image.numpy(), ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    shifts = set()
    for before, after in zip(padded, cropped.numpy(), strict=True):
        found = [
            (dy, dx)
            for dy in range(9)
            for dx in range(9)
            if np.array_equal(before[dy : dy + 128, dx : dx + 128], after)
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert len(shifts) > 16


def test_augmentation_of_no_strength_changes_nothing():
    image = _images()
    same = augment(image, Augmentation(0, 0.0, 0.0, 0.0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, to_network(image), rtol=1e-4, atol=1e-4)


def test_colour_jitter_is_brightness_contrast_and_saturation():
    image = _images(1)
    generator = torch.Generator().manual_seed(3)
    jittered = colour_jitter(image, Augmentation(), generator)
    b, c, s = 1 + torch.tensor([0.3, 0.3, 0.2]) * (2 * torch.rand(3, generator=torch.Generator().manual_seed(3)) - 1)
    pixels = image[0].double() / 255
    grey = pixels @ torch.tensor([0.299, 0.587, 0.114], dtype=torch.double)
    pixels = s * pixels + (1 - s) * grey[..., None]
    expected = (b * (c * pixels + (1 - c) * grey.mean())).clamp(0, 1) * 2 - 1
    torch.testing.assert_close(jittered[0].permute(1, 2, 0).double(), expected, rtol=1e-3, atol=1e-3)
    assert jittered.is_contiguous(memory_format=torch.channels_last)


def test_augmentation_follows_its_generator():
    image = _images()
    one, two, other = (augment(image, Augmentation(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)


CHUNKS = hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(4), st.just(2)), elements=FINITE)


@settings(deadline=None)
@given(CHUNKS, st.floats(-2.0, 2.0))
def test_ensemble_is_the_weighted_mean_of_all_predictions_for_the_tick(chunks, decay):
    ensemble = TemporalEnsemble(decay)
    for tick in range(len(chunks)):
        action = ensemble.step(chunks[tick])
        made_at = range(max(0, tick - 3), tick + 1)  # oldest first
        weights = [math.exp(-decay * i) for i in range(len(made_at))]
        expected = sum(w * chunks[k][tick - k] for w, k in zip(weights, made_at, strict=True)) / sum(weights)
        np.testing.assert_allclose(action, expected, atol=1e-9)


@settings(deadline=None)
@given(CHUNKS)
def test_nothing_of_an_episode_is_left_after_reset(chunks):
    ensemble = TemporalEnsemble()
    for chunk in chunks:
        ensemble.step(chunk)
    ensemble.reset()
    np.testing.assert_array_equal(ensemble.step(np.full((4, 2), 0.5)), 0.5)


def test_zero_is_a_prediction():
    ensemble = TemporalEnsemble(decay=0.0)
    ensemble.step(np.zeros((4, 2)))
    np.testing.assert_allclose(ensemble.step(np.ones((4, 2))), 0.5)


def test_skipped_tick_keeps_predictions_aligned_with_time():
    ensemble = TemporalEnsemble(decay=0.0)
    ensemble.step(np.arange(4.0)[:, None])
    ensemble.skip()
    np.testing.assert_allclose(ensemble.step(np.full((4, 1), 4.0)), (2.0 + 4.0) / 2)
    for _ in range(5):
        ensemble.skip()
    np.testing.assert_allclose(ensemble.step(np.full((4, 1), 7.0)), 7.0)
