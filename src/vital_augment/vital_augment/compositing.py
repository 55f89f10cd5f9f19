"""Puts backgrounds behind what the masks keep, a whole batch at once."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vital_augment.backgrounds import generate


def unpack(foreground: Tensor) -> Tensor:
    """(B, H, W / 8) uint8, a bit a pixel with the first pixel highest (`numpy.packbits`) -> (B, H, W) bool."""
    bits = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8, device=foreground.device)
    return (foreground[..., None] & bits).ne(0).flatten(-2)


def composite(image: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 images with ``background`` (same shape) wherever ``foreground`` (B, H, W) is False."""
    return torch.where(foreground[..., None], image, background)


class BackgroundBank:
    """Backgrounds made once and drawn from as often as wanted, mirrored and turned, with their colours swapped.

    share: of the images that get another background; the rest stay as they were seen.
    """

    def __init__(self, images: NDArray[np.uint8], share: float, device: torch.device | str = "cpu") -> None:
        if images.ndim != 4 or images.shape[1] != images.shape[2] or images.dtype != np.uint8:
            raise ValueError(f"backgrounds are {images.dtype} {images.shape}, expected uint8 (N, size, size, 3)")
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share is {share}, expected more than 0 and at most 1")
        self._images, self.share = torch.from_numpy(images).to(device), share

    @classmethod
    def generated(cls, count: int, share: float, seed: int, device: torch.device | str = "cpu") -> "BackgroundBank":
        """``count`` made-up backgrounds; the same seed gives the same ones."""
        return cls(generate(count, seed), share, device)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, size, size, 3) uint8."""
        there = self._images.device
        index = torch.randint(len(self._images), (count,), generator=generator)
        drawn = self._images[index.to(there)]
        flips = (torch.rand(3, count, 1, 1, 1, generator=generator) < 0.5).to(there)
        drawn = torch.where(flips[0], drawn.flip(1), drawn)
        drawn = torch.where(flips[1], drawn.flip(2), drawn)
        drawn = torch.where(flips[2], drawn.transpose(1, 2), drawn)
        # Other colours by wrapping the channels round: cheap, and no two draws are alike.
        order = torch.randint(3, (1,), generator=generator).item()
        return drawn.roll(int(order), dims=-1)

    def apply(self, image: Tensor, foreground: Tensor, generator: torch.Generator) -> Tensor:
        """(B, H, W, 3) uint8, packed foreground (B, H, W / 8) -> images, `share` of them before new backgrounds."""
        kept = (torch.rand(len(image), 1, 1, generator=generator) >= self.share).to(image.device)
        return composite(image, unpack(foreground) | kept, self.draw(len(image), generator))
