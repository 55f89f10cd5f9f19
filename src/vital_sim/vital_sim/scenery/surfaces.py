"""Textures of tables as there are in laboratories, made of noise, waves and lines; no picture is stored or downloaded.

Each is a grey image that a look tints. They are not those of `vital_augment.backgrounds`, which training puts behind
its images: a policy meets these for the first time when it is measured in `looks`.
"""

import functools
from collections.abc import Callable

import mujoco
import numpy as np
from numpy.typing import NDArray

SIZE_PX = 256
Grey = NDArray[np.float64]  # (SIZE_PX, SIZE_PX), 0 to 1
_Y, _X = np.mgrid[0:SIZE_PX, 0:SIZE_PX] / SIZE_PX


def _noise(rng: np.random.Generator, slope: float, stretch: tuple[float, float] = (1.0, 1.0)) -> Grey:
    """Noise of a power spectrum that falls with frequency by ``slope``, drawn out along x and y; 0 to 1, repeating."""
    fy, fx = np.meshgrid(np.fft.fftfreq(SIZE_PX), np.fft.fftfreq(SIZE_PX), indexing="ij")
    frequency = np.hypot(fx * stretch[0], fy * stretch[1])
    frequency[0, 0] = np.inf
    waves = np.fft.fft2(rng.standard_normal((SIZE_PX, SIZE_PX))) / frequency**slope
    field = np.real(np.fft.ifft2(waves))
    low, high = np.percentile(field, [1, 99])
    return np.clip((field - low) / (high - low), 0.0, 1.0)


def _planks(rng: np.random.Generator) -> Grey:
    """Boards side by side, with grain."""
    boards = np.floor(_Y * 4).astype(int)
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * (20 * _Y + 3 * _noise(rng, 2.0, (8.0, 1.0)) + boards * 0.37))
    joint = (np.abs(_Y * 4 % 1.0 - 0.5) > 0.48) * 0.35
    return 0.62 + 0.22 * grain + 0.14 * rng.uniform(size=4)[boards] - joint


def _veneer(rng: np.random.Generator) -> Grey:
    return 0.6 + 0.4 * _noise(rng, 1.4, (12.0, 1.0))


def _marble(rng: np.random.Generator) -> Grey:
    veins = np.abs(np.sin(2 * np.pi * (1.0 * _X + 1.0 * _Y + 1.5 * _noise(rng, 1.8))))
    return 0.55 + 0.4 * veins**0.4


def _granite(rng: np.random.Generator) -> Grey:
    return np.where(_noise(rng, 0.4) > 0.6, 0.9, 0.5) + 0.1 * _noise(rng, 0.2)


def _weave(rng: np.random.Generator) -> Grey:
    threads = np.sin(2 * np.pi * 40 * _X) * np.sign(np.sin(2 * np.pi * 20 * _Y)) + np.sin(2 * np.pi * 40 * _Y)
    return 0.72 + 0.12 * threads + 0.08 * _noise(rng, 1.0)


def _corrugated(rng: np.random.Generator) -> Grey:
    return 0.78 + 0.08 * np.sin(2 * np.pi * 24 * _X) + 0.12 * _noise(rng, 1.2)


def _brushed(rng: np.random.Generator) -> Grey:
    return 0.72 + 0.26 * _noise(rng, 0.6, (30.0, 1.0))


def _tiles(rng: np.random.Generator) -> Grey:
    cell = np.floor(_X * 5).astype(int) * 5 + np.floor(_Y * 5).astype(int)
    joint = (np.abs(_X * 5 % 1.0 - 0.5) > 0.47) | (np.abs(_Y * 5 % 1.0 - 0.5) > 0.47)
    return np.where(joint, 0.45, 0.75 + 0.2 * rng.uniform(size=25)[cell]) + 0.04 * _noise(rng, 1.0)


def _print(rng: np.random.Generator) -> Grey:
    """Lines of words on paper."""
    line, dot = np.floor(_Y * 32).astype(int), np.floor(_X * 64).astype(int)
    ink = (rng.uniform(size=(32, 64)) < 0.7)[line, dot] & (_Y * 32 % 1.0 < 0.55) & (line % 8 < 6)
    return np.where(ink, 0.35, 0.97) + 0.02 * _noise(rng, 1.0)


def _cutting_mat(rng: np.random.Generator) -> Grey:
    lines = (_X * 16 % 1.0 < 0.08) | (_Y * 16 % 1.0 < 0.08)
    return np.where(lines, 1.0, 0.6) + 0.03 * _noise(rng, 0.5)


def _smears(rng: np.random.Generator) -> Grey:
    return 0.55 + 0.45 * np.round(3 * _noise(rng, 2.2, (2.0, 1.0))) / 3


def _carpet(rng: np.random.Generator) -> Grey:
    return 0.5 + 0.35 * _noise(rng, 0.2) + 0.15 * _noise(rng, 1.5)


_KINDS: tuple[Callable[[np.random.Generator], Grey], ...] = (
    _planks, _veneer, _marble, _granite, _weave, _corrugated, _brushed, _tiles, _print, _cutting_mat, _smears, _carpet,
)  # fmt: skip
COUNT = len(_KINDS)


@functools.cache
def surface(kind: int) -> NDArray[np.uint8]:
    """(SIZE_PX, SIZE_PX, 3) of one of `COUNT` kinds, the same each time."""
    grey = np.clip(_KINDS[kind](np.random.default_rng([kind, 5])), 0.0, 1.0)
    return np.repeat(np.round(255 * grey).astype(np.uint8)[:, :, None], 3, axis=2)


def add_surfaces(spec: mujoco.MjSpec) -> None:
    """The surfaces among which a look chooses, as materials `surface0` and on."""
    for kind in range(COUNT):
        name = f"surface{kind}"
        texture = spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=SIZE_PX, height=SIZE_PX, nchannel=3
        )
        texture.data = surface(kind).tobytes()
        spec.add_material(name=name).textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
