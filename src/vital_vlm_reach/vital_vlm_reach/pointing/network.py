"""A small network that looks for what a sentence names: where in the image, and whether at all."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vital_vlm_reach.pointing.text import BUCKETS

WIDTH_PX, HEIGHT_PX = 320, 240
STRIDE = 4
TEXT_WIDTH = 96
KNOWN_THINGS = 10
CHANNELS = (16, 32, 64, 96)


class TextEncoder(nn.Module):
    """(B, words, pieces) buckets -> (B, 96): mean of each word's pieces, then a GRU over the words."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(BUCKETS, 48, padding_idx=0)
        # Small at first: a bucket that training never meets then says next to nothing.
        nn.init.normal_(self.embed.weight, std=0.05)
        with torch.no_grad():
            self.embed.weight[0].zero_()
        self.read = nn.GRU(48, TEXT_WIDTH, batch_first=True)

    def forward(self, buckets: Tensor) -> Tensor:
        present = (buckets > 0).float()
        count = present.sum(-1, keepdim=True)
        words = self.embed(buckets).sum(2) / count.clamp(min=1.0)  # (B, words, 48)
        return self.read(words)[1][0]


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm; the first may halve the image; a sentence may scale and shift it."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, film: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs) for _ in range(2)])
        self.film = nn.Linear(TEXT_WIDTH, 2 * outputs) if film else None

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        x = functional.relu(self.norms[0](self.first(x)))
        x = self.norms[1](self.second(x))
        if self.film is not None:
            scale, shift = self.film(text)[:, :, None, None].chunk(2, dim=1)
            x = x * (1.0 + scale) + shift
        return functional.relu(x)


class PointingNetwork(nn.Module):
    """Image (B, 3, 240, 320) in 0..1 and sentence -> heatmap logits (B, 60, 80), in-view logit (B,) and logits
    (B, 11) of which known thing the sentence names, the last for none of them."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        self.text = TextEncoder()
        self.down2 = Block(3, a, 2, film=False)
        self.down4 = Block(a, b, 2, film=False)
        self.down8 = Block(b, c, 2, film=True)
        self.down16 = Block(c, d, 2, film=True)
        self.up8 = Block(c + d, c, 1, film=True)
        self.up4 = Block(b + c, b, 1, film=True)
        self.heat = nn.Conv2d(b, 1, 1)
        self.names = nn.Linear(TEXT_WIDTH, KNOWN_THINGS + 1)
        inputs = b + d + TEXT_WIDTH + KNOWN_THINGS + 1
        self.present = nn.Sequential(nn.Linear(inputs, 96), nn.ReLU(), nn.Linear(96, 1))

    def named(self, sentence: Tensor) -> Tensor:
        """(B, 11) logits of the known things from the sentence alone."""
        return self.names(self.text(sentence))

    def forward(self, image: Tensor, sentence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        text = self.text(sentence)
        named = self.names(text)
        quarter = self.down4(self.down2(image - 0.5, text), text)
        eighth = self.down8(quarter, text)
        deepest = self.down16(eighth, text)
        up = self.up8(torch.cat([eighth, _larger(deepest)], 1), text)
        fine = self.up4(torch.cat([quarter, _larger(up)], 1), text)
        heat = self.heat(fine)[:, 0]
        attention = heat.flatten(1).softmax(-1)[:, None]  # (B, 1, cells)
        looked_at = (fine.flatten(2) * attention).sum(-1)
        summary = torch.cat([looked_at, deepest.amax((2, 3)), text, named.softmax(-1)], 1)
        return heat, self.present(summary)[:, 0], named


def _larger(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def peak(heat: Tensor) -> Tensor:
    """(B, 2) u, v in pixels of the 320 x 240 image: the highest cell, refined by its 5 x 5 neighbourhood."""
    batch, rows, columns = heat.shape
    best = heat.flatten(1).argmax(-1)
    row, column = best // columns, best % columns
    offsets = torch.arange(-2, 3)
    r = (row[:, None] + offsets).clamp(0, rows - 1)  # (B, 5)
    c = (column[:, None] + offsets).clamp(0, columns - 1)
    window = heat[torch.arange(batch)[:, None, None], r[:, :, None], c[:, None, :]]
    weight = window.flatten(1).softmax(-1).view_as(window)
    v = (weight.sum(2) * r).sum(1)
    u = (weight.sum(1) * c).sum(1)
    return torch.stack([(u + 0.5) * STRIDE, (v + 0.5) * STRIDE], dim=1)


def target_heat(uv: Tensor, sigma_cells: float = 0.8) -> Tensor:
    """(B, 60, 80): a blob that sums to 1 around pixels (B, 2)."""
    cells = uv / STRIDE - 0.5
    columns = torch.arange(WIDTH_PX // STRIDE)[None, None, :]
    rows = torch.arange(HEIGHT_PX // STRIDE)[None, :, None]
    square = (columns - cells[:, 0, None, None]) ** 2 + (rows - cells[:, 1, None, None]) ** 2
    blob = torch.exp(-square / (2 * sigma_cells**2))
    return blob / blob.sum((1, 2), keepdim=True).clamp(min=1e-9)
