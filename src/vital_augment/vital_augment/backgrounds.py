"""Backgrounds that look like nothing in particular: surfaces, shading and clutter, made up from a seed.

They stand where the paper puts generated scenes. A policy that has seen its object before a thousand of them cannot
lean on any.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE_PX = 128
Image = NDArray[np.float32]  # (SIZE_PX, SIZE_PX, 3), 0..255


def _noise(rng: np.random.Generator, channels: int) -> NDArray[np.float32]:
    """Sum of smooth noises from coarse to fine, about -1..1."""
    total = np.zeros((SIZE_PX, SIZE_PX, channels), np.float32)
    roughness = rng.uniform(0.35, 0.8)
    for octave, cells in enumerate((2, 4, 8, 16, 32, 64)):
        coarse = rng.uniform(-1, 1, (cells + 1, cells + 1, channels)).astype(np.float32)
        fine = cv2.resize(coarse, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
        total += roughness**octave * fine.reshape(total.shape)
    return total * (1.0 - roughness)


def _colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """(3,) of any lightness; greys and wood tones are as common as bright colours."""
    grey, tint = rng.uniform(20, 235), rng.uniform(-1, 1, 3) * rng.choice([8.0, 40.0, 110.0])
    return np.clip(grey + tint, 0, 255).astype(np.float32)


def _mixed(weight: NDArray[np.float32], rng: np.random.Generator) -> Image:
    """A surface of two colours by ``weight`` (H, W, 1) in 0..1."""
    return weight * _colour(rng) + (1.0 - weight) * _colour(rng)


def _marbled(rng: np.random.Generator) -> Image:
    return _colour(rng) + rng.uniform(5, 70) * _noise(rng, int(rng.choice([1, 3])))


def _ramp(rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) distance along a random direction, px, bent a little."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX].astype(np.float32)
    bend = rng.choice([0.0, 6.0, 20.0]) * _noise(rng, 1)[..., 0]
    return x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) + bend


def _striped(rng: np.random.Generator) -> Image:
    period_px, sharpness = rng.uniform(4, 60), rng.uniform(1, 12)
    wave = np.sin(_ramp(rng) * 2 * np.pi / period_px + rng.uniform(0, 6.3))
    return _mixed(1.0 / (1.0 + np.exp(-sharpness * wave))[..., None], rng)


def _checked(rng: np.random.Generator) -> Image:
    period_px = rng.uniform(8, 60)
    wave = np.sin(_ramp(rng) * 2 * np.pi / period_px) * np.sin(_ramp(rng) * 2 * np.pi / period_px)
    return _mixed((wave > 0).astype(np.float32)[..., None], rng)


def _graded(rng: np.random.Generator) -> Image:
    ramp = _ramp(rng)
    return _mixed(((ramp - ramp.min()) / np.ptp(ramp))[..., None], rng)


def _polygon(rng: np.random.Generator) -> NDArray[np.int32]:
    centre, corners = rng.uniform(-10, SIZE_PX + 10, 2), int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(4, 45) * rng.uniform(0.5, 1.0, corners)
    return (centre + np.stack([np.cos(angles), np.sin(angles)], 1) * radius[:, None]).astype(np.int32)


def _add_clutter(image: Image, rng: np.random.Generator) -> None:
    """Things: filled outlines, ellipses, lines and holes, each of its own colour."""
    for _ in range(int(rng.integers(0, 14))):
        colour = tuple(map(float, _colour(rng)))
        kind = rng.integers(4)
        x, y = (int(v) for v in rng.uniform(-10, SIZE_PX + 10, 2))
        if kind == 0:
            cv2.fillPoly(image, [_polygon(rng)], colour, cv2.LINE_AA)
        elif kind == 1:
            axes = tuple(int(v) for v in rng.uniform(2, 40, 2))
            thickness = -1 if rng.random() < 0.7 else int(rng.integers(1, 5))
            cv2.ellipse(image, (x, y), axes, rng.uniform(0, 180), 0, 360, colour, thickness, cv2.LINE_AA)
        elif kind == 2:
            end = (int(rng.uniform(0, SIZE_PX)), int(rng.uniform(0, SIZE_PX)))
            cv2.line(image, (x, y), end, colour, int(rng.integers(1, 9)), cv2.LINE_AA)
        else:
            box = cv2.boxPoints(((x, y), tuple(rng.uniform(4, 70, 2)), rng.uniform(0, 180)))
            cv2.fillPoly(image, [box.astype(np.int32)], colour, cv2.LINE_AA)


def _lit(image: Image, rng: np.random.Generator) -> Image:
    """Uneven light, a soft lens now and then, and the sensor's noise."""
    light = 1.0 + rng.uniform(0, 0.35) * _noise(rng, 1)
    shaded = (image * light * rng.uniform(0.6, 1.3)).astype(np.float32)
    blur_px = rng.uniform(0.4, 3.0) if rng.random() < 0.5 else 0.1
    blurred: Image = cv2.GaussianBlur(shaded, (0, 0), blur_px).astype(np.float32)
    return blurred + rng.normal(0, rng.uniform(0.5, 4.0), shaded.shape).astype(np.float32)


SURFACES = (_marbled, _striped, _checked, _graded)


def background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(128, 128, 3) uint8."""
    surface = SURFACES[rng.integers(len(SURFACES))](rng)
    image = np.ascontiguousarray(surface, np.float32)
    _add_clutter(image, rng)
    return np.clip(_lit(image, rng), 0, 255).astype(np.uint8)


def generate(count: int, seed: int) -> NDArray[np.uint8]:
    """(count, 128, 128, 3) uint8; the same seed gives the same images."""
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1")
    return np.stack([background(np.random.default_rng([seed, i])) for i in range(count)])
