"""What a task is about stays to the pixel; what is behind it changes, the same way from the same seed."""

import numpy as np
import pytest
import torch

from vital_augment.backgrounds import generate
from vital_augment.compositing import BackgroundBank, composite, unpack


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images():
    return generate(24, seed=3)


def test_unpack_is_the_inverse_of_packbits():
    mask = np.random.default_rng(0).random((3, 128, 128)) < 0.3
    np.testing.assert_array_equal(unpack(torch.from_numpy(np.packbits(mask, axis=-1))).numpy(), mask)


def test_composite_keeps_the_foreground_and_replaces_the_rest():
    image = torch.full((1, 4, 8, 3), 10, dtype=torch.uint8)
    background = torch.full((1, 4, 8, 3), 200, dtype=torch.uint8)
    foreground = torch.zeros(1, 4, 8, dtype=torch.bool)
    foreground[0, 1, 2] = True
    result = composite(image, foreground, background)
    assert result[0, 1, 2].tolist() == [10, 10, 10]
    assert (result == 200).sum() == 3 * 31


def test_backgrounds_come_again_from_their_seed_and_are_all_different(images):
    np.testing.assert_array_equal(images[:2], generate(2, seed=3))
    assert len({p.tobytes() for p in images}) == len(images)
    assert not np.array_equal(images[0], generate(1, seed=4)[0])


def test_backgrounds_differ_in_lightness_colour_and_structure(images):
    values = images.astype(float)
    lightness = values.mean((1, 2, 3))
    assert lightness.min() < 90 and lightness.max() > 140
    tint = np.ptp(values.mean((1, 2)), axis=1)
    assert tint.max() > 30
    contrast = values.mean(-1).std((1, 2))
    assert contrast.max() > 3 * contrast.min()


def test_share_of_images_get_another_background_and_the_others_stay(images):
    bank = BackgroundBank(images, share=0.5)
    image = torch.full((400, 128, 128, 3), 7, dtype=torch.uint8)
    foreground = torch.zeros(400, 128, 16, dtype=torch.uint8)
    changed = (bank.apply(image, foreground, generator()) != image).flatten(1).any(1)
    assert 160 < int(changed.sum()) < 240


def test_draws_follow_from_the_generator_alone(images):
    bank = BackgroundBank(images, share=1.0)
    assert torch.equal(bank.draw(8, generator(5)), bank.draw(8, generator(5)))
    assert not torch.equal(bank.draw(8, generator(5)), bank.draw(8, generator(6)))


@pytest.mark.parametrize(
    ("shape", "dtype", "share"),
    [((2, 128, 128, 3), np.float32, 0.5), ((2, 128, 64, 3), np.uint8, 0.5), ((2, 128, 128, 3), np.uint8, 0.0)],
)
def test_bad_bank_is_refused(shape, dtype, share):
    with pytest.raises(ValueError, match="expected"):
        BackgroundBank(np.zeros(shape, dtype), share)
