"""Augmentation and the temporal ensemble."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vital_policy.ensemble import TemporalEnsemble
from vital_policy.network.augmentation import (
    Augmentation,
    augment,
    colour_jitter,
    halved,
    out_of_focus,
    random_crop,
    to_network,
)

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


def test_half_of_the_images_are_out_of_focus_each_as_by_opencv_and_the_others_as_they_were():
    image, most_px = _images(8), 2.0
    seen = out_of_focus(image, most_px, torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    chosen = torch.randperm(8, generator=generator)[:4]
    deviations = (most_px * torch.rand(4, 1, generator=generator)).flatten().tolist()
    blurred = dict(zip(chosen.tolist(), deviations, strict=True))
    assert len(set(deviations)) == 4
    for number, (before, after) in enumerate(zip(image.numpy(), seen.numpy(), strict=True)):
        expected = before
        if number in blurred:
            expected = cv2.GaussianBlur(before, (13, 13), max(blurred[number], 1e-3), borderType=cv2.BORDER_REPLICATE)
        assert np.abs(after.astype(int) - expected.astype(int)).max() <= 1


def test_images_in_focus_draw_nothing_more():
    image, sharp = _images(), torch.Generator().manual_seed(1)
    again = torch.Generator().manual_seed(1)
    assert torch.equal(
        augment(image, Augmentation(), sharp), colour_jitter(random_crop(image, 4, again), Augmentation(), again)
    )
    with pytest.raises(ValueError, match=r"blurred by 9\.0 px, expected 0 to 8"):
        Augmentation(blur_px=9.0)


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


def test_a_decay_that_is_no_number_is_refused():
    for decay in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="expected a finite number"):
            TemporalEnsemble(decay)


@settings(max_examples=40, deadline=None)
@given(CHUNKS, st.floats(-100.0, 100.0), st.lists(st.booleans(), min_size=12, max_size=12))
def test_ensemble_stays_between_its_predictions_whatever_is_skipped(chunks, decay, seen):
    ensemble = TemporalEnsemble(decay)
    for tick, chunk in enumerate(chunks):
        if not seen[tick]:
            ensemble.skip()
            continue
        action = ensemble.step(chunk)
        made = [chunks[k][tick - k] for k in range(max(0, tick - 3), tick + 1) if seen[k]]
        assert (np.min(made, axis=0) - 1e-9 <= action).all() and (action <= np.max(made, axis=0) + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(CHUNKS, st.integers(1, 9))
def test_ensemble_of_one_decay_and_another_agree_where_all_predictions_do(chunks, decay):
    # Each tick's action is told by every chunk alike, so no weighing may change it.
    path = np.concatenate([chunks[:, 0], chunks[-1]])
    oldest_first, newest_first = TemporalEnsemble(decay), TemporalEnsemble(-decay)
    for tick in range(len(chunks)):
        told = path[tick : tick + 4]
        for ensemble in (oldest_first, newest_first):
            np.testing.assert_allclose(ensemble.step(told), path[tick], atol=1e-12)


def test_a_chunk_may_be_changed_after_it_was_given():
    ensemble, chunk = TemporalEnsemble(decay=0.0), np.ones((4, 2))
    ensemble.step(chunk)
    chunk[:] = 99.0
    np.testing.assert_allclose(ensemble.step(np.zeros((4, 2))), 0.5)


PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.just(8), st.just(6), st.just(3)))
JITTERS = st.builds(Augmentation, st.integers(0, 3), *[st.floats(0.0, 0.9)] * 3)
SEEDS = st.integers(0, 2**31).map(lambda seed: torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(PICTURES)
def test_images_come_back_from_the_networks_range_to_the_last_bit(pixels):
    seen = to_network(torch.from_numpy(pixels))
    assert seen.shape == (len(pixels), 3, 8, 6) and seen.min() >= -1.0 and seen.max() <= 1.0
    back = ((seen.permute(0, 2, 3, 1) + 1.0) * 127.5).round().to(torch.uint8)
    np.testing.assert_array_equal(back.numpy(), pixels)


@settings(max_examples=40, deadline=None)
@given(PICTURES, st.integers(0, 3), SEEDS)
def test_crop_takes_each_pixel_from_no_farther_than_it_says(pixels, pad_px, generator):
    place = np.stack(np.broadcast_arrays(*np.ogrid[:8, :6], 0), axis=-1).astype(np.uint8)
    moved = random_crop(torch.from_numpy(np.repeat(place[None], len(pixels), 0)), pad_px, generator).numpy().astype(int)
    shift = moved - place
    assert np.abs(shift[..., :2]).max() <= pad_px
    for one in shift:  # the whole image moves together, but for the border that is repeated
        inner = one[pad_px : 8 - pad_px, pad_px : 6 - pad_px, :2].reshape(-1, 2)
        assert len(np.unique(inner, axis=0)) <= 1
    changed = random_crop(torch.from_numpy(pixels), pad_px, generator).numpy()
    for before, after in zip(pixels, changed, strict=True):
        assert {tuple(p) for p in after.reshape(-1, 3)} <= {tuple(p) for p in before.reshape(-1, 3)}


@settings(max_examples=40, deadline=None)
@given(PICTURES, JITTERS, SEEDS)
def test_jittered_images_are_within_the_networks_range_and_grey_ones_stay_grey(pixels, jitter, generator):
    coloured = colour_jitter(torch.from_numpy(pixels), jitter, generator)
    assert coloured.shape == (len(pixels), 3, 8, 6) and coloured.min() >= -1.0 and coloured.max() <= 1.0
    grey = colour_jitter(torch.from_numpy(pixels[..., :1].repeat(3, axis=-1)), jitter, generator)
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-5


@settings(max_examples=40, deadline=None)
@given(PICTURES, JITTERS, st.integers(0, 2**31))
def test_coarse_images_are_the_mean_of_four_pixels_before_the_colours(pixels, jitter, seed):
    def drawn() -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    image = torch.from_numpy(pixels)
    seen = augment(image, jitter, drawn(), coarse=True)
    assert seen.shape == (len(pixels), 3, 4, 3)
    generator = drawn()
    cropped = random_crop(image, jitter.pad_px, generator).numpy().astype(float)
    mean = cropped.reshape(len(pixels), 4, 2, 3, 2, 3).mean(axis=(2, 4))
    halves = halved(torch.from_numpy(cropped.astype(np.uint8)))
    assert np.abs(halves.numpy() - mean).max() <= 0.5
    torch.testing.assert_close(seen, colour_jitter(halves, jitter, generator))
