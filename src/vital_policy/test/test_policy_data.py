"""Augmentation and the temporal ensemble."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vital_policy.ensemble import TemporalEnsemble
from vital_policy.network.augmentation import Augmentation, augment, colour_jitter, random_crop, to_network

FINITE = st.floats(-1.0, 1.0, width=32)


def _images(batch: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 128, 128, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def test_random_crop_shifts_each_image_and_repeats_its_border():
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
