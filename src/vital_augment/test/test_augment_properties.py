"""Backgrounds and compositing on any batch: the foreground stays, the seed decides, every surface is an image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_augment.backgrounds import SIZE_PX, SURFACES, background, generate
from vital_augment.compositing import BackgroundBank, composite, unpack

seeds = st.integers(0, 2**31 - 1)


@pytest.fixture(scope="module")
def bank():
    return BackgroundBank(np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8), share=1.0)


def drawn_from(seed):
    return torch.Generator().manual_seed(seed)


def batch_of(seed, count=4, size=32):
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.integers(0, 256, (count, size, size, 3), np.uint8))
    mask = rng.random((count, size, size)) < rng.random()
    return image, mask, torch.from_numpy(np.packbits(mask, axis=-1))


@given(seeds, seeds)
@settings(max_examples=40, deadline=None)
def test_foreground_stays_to_the_pixel_whatever_is_drawn(bank, seed, draw):
    image, mask, packed = batch_of(seed)
    result = bank.apply(image, packed, drawn_from(draw))
    assert result.shape == image.shape and result.dtype == torch.uint8
    np.testing.assert_array_equal(result.numpy()[mask], image.numpy()[mask])


@given(seeds, seeds)
@settings(max_examples=20, deadline=None)
def test_same_generator_gives_the_same_batch(bank, seed, draw):
    image, _, packed = batch_of(seed)
    first, again = (bank.apply(image, packed, drawn_from(draw)) for _ in range(2))
    assert torch.equal(first, again)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_image_that_is_all_foreground_is_left_alone(bank, draw):
    image, mask, _ = batch_of(draw)
    everything = torch.from_numpy(np.packbits(np.ones_like(mask), axis=-1))
    assert torch.equal(bank.apply(image, everything, drawn_from(draw)), image)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_drawn_background_is_one_of_the_bank_mirrored_turned_or_recoloured(bank, seed):
    """Whatever is done to it, its values stay the same ones."""
    known = {tuple(np.sort(p.numpy(), axis=None)) for p in bank._images}
    for one in bank.draw(5, drawn_from(seed)):
        assert tuple(np.sort(one.numpy(), axis=None)) in known


def test_draws_show_the_whole_bank_and_more_than_it_holds(bank):
    drawn = bank.draw(400, drawn_from(0))
    assert len({tuple(np.sort(p.numpy(), axis=None)) for p in drawn}) == 12
    assert len({p.numpy().tobytes() for p in drawn}) > 48


def test_drawing_does_not_change_the_bank(bank):
    before = bank._images.clone()
    bank.draw(50, drawn_from(1)).fill_(0)
    assert torch.equal(bank._images, before)


@given(st.integers(1, 5), st.integers(1, 16), st.integers(1, 6), seeds)
def test_unpack_undoes_packbits_for_any_size(count, height, bytes_wide, seed):
    mask = np.random.default_rng(seed).random((count, height, 8 * bytes_wide)) < 0.5
    np.testing.assert_array_equal(unpack(torch.from_numpy(np.packbits(mask, axis=-1))).numpy(), mask)


def test_composite_of_nothing_and_of_everything():
    image, _, _ = batch_of(0)
    other, _, _ = batch_of(1)
    nothing = torch.zeros(image.shape[:3], dtype=torch.bool)
    assert torch.equal(composite(image, nothing, other), other)
    assert torch.equal(composite(image, ~nothing, other), image)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda s: s.__name__.strip("_"))
def test_every_surface_is_finite_and_not_flat(surface):
    made = [np.asarray(surface(np.random.default_rng(seed))) for seed in range(6)]
    for image in made:
        assert image.shape == (SIZE_PX, SIZE_PX, 3) and np.isfinite(image).all()
    assert max(image.std() for image in made) > 1.0


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_any_seed_makes_a_background(seed):
    image = background(np.random.default_rng(seed))
    assert image.shape == (SIZE_PX, SIZE_PX, 3) and image.dtype == np.uint8
    assert len(np.unique(image)) > 3


def test_more_backgrounds_begin_with_the_same_ones():
    np.testing.assert_array_equal(generate(5, seed=9)[:3], generate(3, seed=9))


@pytest.mark.parametrize("count", [0, -2])
def test_no_background_at_all_is_refused(count):
    with pytest.raises(ValueError, match=f"count is {count}, expected at least 1"):
        generate(count, seed=0)


@pytest.mark.parametrize("share", [-0.1, 0.0, 1.01])
def test_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="expected more than 0 and at most 1"):
        BackgroundBank.generated(1, share, seed=0)


def test_generated_bank_is_that_of_its_seed():
    first, again = (BackgroundBank.generated(3, 1.0, seed=4).draw(4, drawn_from(2)) for _ in range(2))
    assert torch.equal(first, again)
