"""Two small networks: one reads which known thing a sentence asks for, if any; one sees where each known thing is.

Neither knows of the other, so that each learns from what there is plenty of: sentences without pictures, and every
thing in every picture at once.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vital_vlm_reach.pointing.text import BUCKETS

WIDTH_PX, HEIGHT_PX = 640, 480
STRIDE = 8
_FOLD = 4
KNOWN_THINGS = 10
WORD_WIDTH, TEXT_WIDTH = 48, 64
CHANNELS = (16, 32, 64, 128)
# What a cell says before training: most of them show nothing.
_RARE_LOGIT = -4.6


class Reader(nn.Module):
    """Buckets (B, words, pieces) -> logits (B, 11) of the known things, the last for none of them.

    A word is the mean of its pieces; a GRU reads the words both ways, and what it found anywhere counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(BUCKETS, WORD_WIDTH, padding_idx=0)
        # Small at first: a bucket that training never meets then says next to nothing.
        nn.init.normal_(self.embed.weight, std=0.05)
        with torch.no_grad():
            self.embed.weight[0].zero_()
        self.read = nn.GRU(WORD_WIDTH, TEXT_WIDTH, batch_first=True, bidirectional=True)
        self.decide = nn.Sequential(
            nn.Linear(4 * TEXT_WIDTH, TEXT_WIDTH), nn.ReLU(), nn.Linear(TEXT_WIDTH, KNOWN_THINGS + 1)
        )

    def forward(self, buckets: Tensor) -> Tensor:
        there = buckets > 0
        count = there.sum(-1, keepdim=True)  # (B, words, 1)
        # Of the pieces that there are alone: most places of the table are empty.
        word_of = there.flatten(0, 1).nonzero()[:, 0]
        summed = torch.zeros(count.numel(), WORD_WIDTH).index_add(0, word_of, self.embed(buckets[there]))
        words = summed.view(*count.shape[:2], WORD_WIDTH) / count.clamp(min=1)  # (B, words, 48)
        read = self.read(words)[0].masked_fill(count == 0, 0.0)  # (B, words, 128)
        ends = torch.cat([read[:, -1, :TEXT_WIDTH], read[:, 0, TEXT_WIDTH:]], 1)
        return self.decide(torch.cat([read.amax(1), ends], 1))


class Layer(nn.Sequential):
    """A 3x3 convolution with batch norm; it may halve the image."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class Detector(nn.Module):
    """Image (B, 3, 480, 640) in 0..1 -> logits (B, 10, 60, 80) that a cell holds a thing's point, and the point's
    place (B, 2, 60, 80) in its cell, u and v, -0.5 to 0.5. Or of any other size that is a multiple of 32."""

    def __init__(self) -> None:
        super().__init__()
        first, a, b, c = CHANNELS
        self.cells = nn.Sequential(Layer(3 * _FOLD**2, first), Layer(first, a, STRIDE // _FOLD), Layer(a, a))
        self.coarse = nn.Sequential(Layer(a, b, 2), Layer(b, b))
        self.deepest = nn.Sequential(Layer(b, c, 2), Layer(c, c), Layer(c, c))
        self.up_coarse = Layer(b + c, b)
        self.up_cells = Layer(a + b, a)
        self.heads = nn.Conv2d(a, KNOWN_THINGS + 2, 1)
        with torch.no_grad():
            assert self.heads.bias is not None
            self.heads.bias[:KNOWN_THINGS] = _RARE_LOGIT
            self.heads.bias[KNOWN_THINGS:] = 0.0

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        cells = self.cells(functional.pixel_unshuffle(image - 0.5, _FOLD))  # (B, 32, 60, 80)
        coarse = self.coarse(cells)
        up = self.up_coarse(torch.cat([coarse, _larger(self.deepest(coarse))], 1))
        heads = self.heads(self.up_cells(torch.cat([cells, _larger(up)], 1)))
        return heads[:, :KNOWN_THINGS], heads[:, KNOWN_THINGS:]


class PointingNetwork(nn.Module):
    """Both of them."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = Reader()
        self.detector = Detector()


def _larger(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def look_twice(detector: Detector, image: Tensor) -> tuple[Tensor, Tensor]:
    """`Detector.forward` of the images (B, 3, H, W) and of their mirror images, averaged: what both see is there."""
    heats, places = detector(torch.cat([image, image.flip(3)]))
    heat, mirrored = heats.chunk(2)
    place, turned = places.chunk(2)
    turned = turned.flip(3) * turned.new_tensor([-1.0, 1.0])[:, None, None]
    return (heat + mirrored.flip(3)) / 2, (place + turned) / 2


def peak(heat: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, 60, 80) of one thing and places (B, 2, 60, 80) -> (B, 2) u, v in pixels of the 640 x 480 image of the
    likeliest cell's point, and that cell's logit (B,)."""
    columns = heat.shape[-1]
    logit, best = heat.flatten(1).max(-1)
    within = place.flatten(2).gather(2, best[:, None, None].expand(-1, 2, 1))[..., 0]  # (B, 2)
    cell = torch.stack([best % columns, best // columns], 1)
    return (cell + 0.5 + within.clamp(-0.5, 0.5)) * STRIDE, logit
