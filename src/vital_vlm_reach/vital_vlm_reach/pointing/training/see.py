"""Training of the detector: pictures, moved, turned and recoloured, and where each known thing is in them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vital_vlm_reach.pointing.network import HEIGHT_PX, STRIDE, WIDTH_PX, Detector
from vital_vlm_reach.pointing.training.picture import Picture

# What is cut out of a picture to learn from, px: things stand near each other, and most of a picture shows none.
CUT_WIDTH_PX, CUT_HEIGHT_PX = 384, 288
# Of the cuts, around a thing; the others are anywhere.
_AROUND_THINGS = 0.75
# Of the blob around a point within which a cell is told off less for answering.
_SIGMA_CELLS = 0.9
_TURN_DEG, _SCALE, _SHIFT = 12.0, (0.75, 1.3), 0.42
# Nearer to the edge than this, a thing may be cut off: neither there nor not.
_EDGE_PX, _OUTSIDE_PX = 8.0, 40.0
# Noise to take a piece of: drawing it anew for every picture would cost as much as the network.
_NOISE = torch.randn(3 * CUT_WIDTH_PX * CUT_HEIGHT_PX * 3, generator=torch.Generator().manual_seed(9))


@dataclass(frozen=True)
class Batch:
    """image (B, 3, 288, 384) in 0..1; heat (B, 10, 36, 48), 1 in the cell of a point and less around it; place
    (B, 2, 36, 48) of the point in its cell; counts (B, 10): whether the thing is told of at all."""

    image: Tensor
    heat: Tensor
    place: Tensor
    counts: Tensor


def draw(pictures: list[Picture], names: tuple[str, ...], count: int, rng: np.random.Generator) -> Batch:
    """A batch of pictures, each varied."""
    images, heats, places, counts = [], [], [], []
    for i in rng.integers(len(pictures), size=count):
        image, points = cut(pictures[i], rng)
        heat, place, told = labels(points, pictures[i].hidden, names)
        images.append(_recoloured(image, rng))
        heats.append(heat)
        places.append(place)
        counts.append(told)
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().mul_(1.0 / 255.0)
    begin = int(rng.integers(_NOISE.numel() - batch.numel() // count))
    batch += rng.uniform(0.0, 0.02) * _NOISE[begin : begin + batch.numel() // count].view(batch.shape[1:])
    stacked = (torch.from_numpy(np.stack(x)) for x in (heats, places, counts))
    return Batch(batch, *stacked)


def cut(picture: Picture, rng: np.random.Generator) -> tuple[NDArray[np.uint8], dict[str, tuple[float, float]]]:
    """A piece (288, 384, 3) of the picture, turned, scaled and as often as not mirrored; and its points, in its px."""
    turn, scale = rng.uniform(-_TURN_DEG, _TURN_DEG), float(np.exp(rng.uniform(*np.log(_SCALE))))
    size = np.array([CUT_WIDTH_PX, CUT_HEIGHT_PX])
    middle = _middle(picture, rng)
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), turn, scale)
    matrix[:, 2] += size / 2 - middle + rng.uniform(-_SHIFT, _SHIFT, 2) * size
    if rng.random() < 0.5:
        matrix = np.array([[-1.0, 0.0, CUT_WIDTH_PX - 1.0], [0.0, 1.0, 0.0]]) @ np.vstack([matrix, [0, 0, 1]])
    image = cv2.warpAffine(
        picture.image, matrix, size.tolist(), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    # Points count from the image's corner, warping from the middle of its first pixel.
    points = {n: matrix @ [u - 0.5, v - 0.5, 1.0] + 0.5 for n, (u, v) in picture.seen.items()}
    return np.asarray(image, np.uint8), {name: (float(u), float(v)) for name, (u, v) in points.items()}


def _middle(picture: Picture, rng: np.random.Generator) -> NDArray[np.float64]:
    """Of a piece: a thing, or anywhere."""
    if picture.seen and rng.random() < _AROUND_THINGS:
        points = list(picture.seen.values())
        return np.array(points[int(rng.integers(len(points)))])
    return rng.uniform([0.0, 0.0], [WIDTH_PX, HEIGHT_PX])


def labels(
    points: dict[str, tuple[float, float]], hidden: tuple[str, ...], names: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """One picture's heat, place and counts, as in `Batch`, from its points in px."""
    rows_n, columns_n = CUT_HEIGHT_PX // STRIDE, CUT_WIDTH_PX // STRIDE
    heat = np.zeros((len(names), rows_n, columns_n), np.float32)
    place = np.zeros((2, rows_n, columns_n), np.float32)
    told = np.array([name not in hidden for name in names], np.float32)
    rows, columns = np.arange(rows_n)[:, None], np.arange(columns_n)[None]
    for name, (u, v) in points.items():
        k, edge = names.index(name), min(u, v, CUT_WIDTH_PX - u, CUT_HEIGHT_PX - v)
        if edge < _EDGE_PX:
            told[k] = float(edge < -_OUTSIDE_PX)
            continue
        column, row = int(u / STRIDE), int(v / STRIDE)
        around = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * _SIGMA_CELLS**2))
        heat[k] = np.maximum(heat[k], around)
        place[:, row, column] = u / STRIDE - column - 0.5, v / STRIDE - row - 0.5
    return heat, place, told


def _recoloured(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Other light and white balance, another contrast."""
    level = np.arange(256)[:, None] / 255.0
    gains = rng.uniform(0.75, 1.25) * rng.uniform(0.9, 1.1, 3)
    table = level ** rng.uniform(0.75, 1.35) * gains + rng.uniform(-0.06, 0.06)  # (256, 3)
    return np.asarray(cv2.LUT(image, np.clip(255 * table, 0, 255).astype(np.uint8)[None]), np.uint8)


def losses_of(detector: Detector, batch: Batch) -> tuple[Tensor, Tensor]:
    """Focal loss of the heat (Zhou et al. 2019, eq. 1) and the mean distance of the place, in cells."""
    with torch.autocast("cpu", torch.bfloat16):
        heat, place = detector(batch.image.contiguous(memory_format=torch.channels_last))
    heat, at = heat.float(), batch.heat == 1.0
    sure, likely = functional.logsigmoid(heat), heat.sigmoid()
    at_points = (1 - likely) ** 2 * sure * at
    elsewhere = (1 - batch.heat) ** 4 * likely**2 * functional.logsigmoid(-heat) * ~at
    count = at.sum().clamp(min=1)
    seen = -((at_points + elsewhere) * batch.counts[:, :, None, None]).sum() / count
    where = at.any(1, keepdim=True)  # (B, 1, 60, 80)
    off = ((place.float() - batch.place).abs() * where).sum() / where.sum().clamp(min=1)
    return seen, off
