"""Random crop and colour jitter on a whole batch (paper, A1; values from its release), and a lens out of focus.

Composited backgrounds, when there are any, go under the image before the crop.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
MOST_SHIFT_PX = 32  # a quarter of the image
MOST_BLUR_PX = 8.0
WIDTHS = 3.0  # standard deviations at which a Gaussian is cut off


@dataclass(frozen=True)
class Augmentation:
    """Shift by up to pad_px each way; brightness, contrast and saturation factors of 1 +- the given value; half of the
    images out of focus by a Gaussian of up to blur_px."""

    pad_px: int = 4
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.2
    blur_px: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.pad_px <= MOST_SHIFT_PX:
            raise ValueError(f"images are shifted by {self.pad_px} px, expected 0 to {MOST_SHIFT_PX}")
        if not 0.0 <= self.blur_px <= MOST_BLUR_PX:
            raise ValueError(f"images are blurred by {self.blur_px} px, expected 0 to {MOST_BLUR_PX}")


def to_network(image: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float in -1..1, channels last in memory."""
    return (image.float() / 127.5 - 1.0).permute(0, 3, 1, 2)


def random_crop(image: Tensor, pad_px: int, generator: torch.Generator) -> Tensor:
    """(B, H, W, 3) uint8 -> same, shifted by up to ``pad_px`` each way with the border repeated."""
    batch, height, width, _ = image.shape
    there = image.device
    dy, dx = torch.randint(-pad_px, pad_px + 1, (2, batch, 1), generator=generator).to(there)
    rows = (torch.arange(height, device=there) + dy).clamp_(0, height - 1)  # (B, H)
    columns = (torch.arange(width, device=there) + dx).clamp_(0, width - 1)  # (B, W)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)  # (B, H W)
    pixels += torch.arange(batch, device=there)[:, None] * (height * width)
    return image.reshape(-1, 3).index_select(0, pixels.flatten()).view_as(image)


def colour_jitter(image: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float in -1..1, jittered and clipped to the valid range.

    Brightness, contrast (about the mean grey) and saturation (about each pixel's grey) are all affine in
    colour, so the three are one 3x3 matrix and an offset per image.
    """
    strength = torch.tensor([augmentation.brightness, augmentation.contrast, augmentation.saturation])
    factors = (1.0 + strength * (2.0 * torch.rand(len(image), 3, generator=generator) - 1.0)).to(image.device)
    brightness, contrast, saturation = factors.T[:, :, None]  # (B, 1) each
    pixels = image.flatten(1, 2).float()  # (B, H W, 3), 0..255
    luma = torch.tensor(LUMA, device=image.device)
    mean_grey = pixels.mean(1) @ luma[:, None]  # (B, 1)
    # Rows of the matrix: output channel; it keeps a share of the channel and adds a share of the grey.
    mix = saturation[:, :, None] * torch.eye(3, device=image.device) + (1.0 - saturation[:, :, None]) * luma.expand(
        3, 3
    )
    matrix = (brightness * contrast)[:, :, None] * mix / 127.5
    offset = brightness * (1.0 - contrast) * mean_grey / 127.5 - 1.0
    jittered = torch.baddbmm(offset[:, :, None], pixels, matrix.transpose(1, 2)).clamp_(-1.0, 1.0)
    return jittered.view(image.shape).permute(0, 3, 1, 2)


def out_of_focus(image: Tensor, blur_px: float, generator: torch.Generator) -> Tensor:
    """(B, H, W, 3) uint8 -> same; each of every other image, at random, by its own Gaussian of up to ``blur_px``."""
    chosen = torch.randperm(len(image), generator=generator)[: len(image) // 2]
    deviation = blur_px * torch.rand(len(chosen), 1, generator=generator).clamp_(min=1e-3)
    reach = math.ceil(WIDTHS * blur_px)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation).square())
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None, None].to(image.device)
    chosen = chosen.to(image.device)
    # An image and a colour a channel, so that each has its own kernel, along the rows and then along the columns.
    pixels = image[chosen].permute(0, 3, 1, 2).float().flatten(0, 1)[None]
    for side, weight in (((reach, reach, 0, 0), kernel), ((0, 0, reach, reach), kernel.transpose(2, 3))):
        pixels = F.conv2d(F.pad(pixels, side, mode="replicate"), weight, groups=len(weight))
    blurred = pixels[0].unflatten(0, (-1, 3)).permute(0, 2, 3, 1).round_().to(torch.uint8)
    return image.index_copy(0, chosen, blurred)


def halved(image: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, H / 2, W / 2, 3) uint8, the mean of each four pixels."""
    pixels = image.permute(0, 3, 1, 2).float()
    return F.avg_pool2d(pixels, 2).round_().to(torch.uint8).permute(0, 2, 3, 1)


def augment(image: Tensor, augmentation: Augmentation, generator: torch.Generator, *, coarse: bool = False) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float in -1..1, channels last, cropped and jittered; coarse: half the size."""
    if augmentation.blur_px > 0.0:
        image = out_of_focus(image, augmentation.blur_px, generator)
    cropped = random_crop(image, augmentation.pad_px, generator)
    return colour_jitter(halved(cropped) if coarse else cropped, augmentation, generator)
