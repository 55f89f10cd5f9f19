"""What the examination lays and stands around the targets: table tops drawn here, and things of a few primitives."""

from collections.abc import Callable

import mujoco
import numpy as np
from numpy.typing import NDArray

from vital_sim.scenery.look import HOUSING_COLOURS
from vital_sim.world.scene import UNSEEN

TEXTURE_PX = 256
_BOX, _CYLINDER, _CAPSULE, _ELLIPSOID = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
)
_ALONG_X = (0.7071, 0.0, 0.7071, 0.0)
_UPRIGHT = (1.0, 0.0, 0.0, 0.0)
# name -> parts: (type, position m, size m, quaternion, shade of the thing's colour).
THINGS: dict[str, tuple[tuple, ...]] = {
    "pen": ((_CAPSULE, (0, 0, 0.005), (0.005, 0.06, 0), _ALONG_X, 1.0),),
    "book": (
        (_BOX, (0, 0, 0.010), (0.075, 0.055, 0.010), _UPRIGHT, 1.0),
        (_BOX, (0, 0.002, 0.010), (0.073, 0.0555, 0.008), _UPRIGHT, 1.6),
    ),
    "can": (
        (_CYLINDER, (0, 0, 0.05), (0.031, 0.05, 0), _UPRIGHT, 1.0),
        (_CYLINDER, (0, 0, 0.1005), (0.026, 0.0006, 0), _UPRIGHT, 0.6),
    ),
    "phone": (
        (_BOX, (0, 0, 0.004), (0.07, 0.034, 0.004), _UPRIGHT, 1.0),
        (_BOX, (0, 0, 0.0082), (0.064, 0.030, 0.0003), _UPRIGHT, 0.2),
    ),
    "pebble": ((_ELLIPSOID, (0, 0, 0.012), (0.028, 0.02, 0.012), _UPRIGHT, 1.0),),
    "matchbox": (
        (_BOX, (0, 0, 0.008), (0.026, 0.018, 0.008), _UPRIGHT, 1.0),
        (_BOX, (0, 0.0182, 0.008), (0.026, 0.0004, 0.006), _UPRIGHT, 0.4),
    ),
    "candle": (
        (_CYLINDER, (0, 0, 0.045), (0.011, 0.045, 0), _UPRIGHT, 1.0),
        (_CAPSULE, (0, 0, 0.093), (0.001, 0.003, 0), _UPRIGHT, 0.2),
    ),
    "lid": (
        (_CYLINDER, (0, 0, 0.006), (0.04, 0.006, 0), _UPRIGHT, 1.0),
        (_CYLINDER, (0, 0, 0.013), (0.008, 0.008, 0), _UPRIGHT, 0.7),
    ),
    "eraser": (
        (_BOX, (-0.008, 0, 0.006), (0.014, 0.010, 0.006), _UPRIGHT, 1.0),
        (_BOX, (0.016, 0, 0.006), (0.010, 0.010, 0.006), _UPRIGHT, 1.7),
    ),
    "adapter": (
        (_BOX, (0, 0, 0.014), (0.030, 0.022, 0.014), _UPRIGHT, 1.0),
        (_CAPSULE, (0.055, 0, 0.004), (0.003, 0.025, 0), _ALONG_X, 0.5),
    ),
}  # fmt: skip
_TARGET_COLOURS = np.array(
    [colour for housing in HOUSING_COLOURS.values() for colour in housing] + [(0.75, 0.25, 0.15)]
)


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    axis = np.arange(TEXTURE_PX) / TEXTURE_PX
    v, u = np.meshgrid(axis, axis, indexing="ij")
    return u, v


def _wood(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _grid()
    bend = 0.05 * np.sin(2 * np.pi * (u * rng.integers(1, 4) + rng.random()))
    grain = np.sin(2 * np.pi * (rng.integers(6, 18) * (v + bend)))
    return 0.75 + 0.2 * grain + 0.05 * rng.standard_normal(u.shape)


def _cloth(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _grid()
    threads = rng.integers(20, 50)
    return 0.7 + 0.15 * np.sin(2 * np.pi * threads * u) + 0.15 * np.sin(2 * np.pi * threads * v)


def _terrazzo(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _grid()
    shade = np.full(u.shape, 0.85)
    for _ in range(int(rng.integers(40, 160))):
        x, y, r = rng.random(), rng.random(), rng.uniform(0.004, 0.03)
        shade[(u - x) ** 2 + (v - y) ** 2 < r**2] = rng.uniform(0.3, 1.0)
    return shade


def _shaded(rng: np.random.Generator) -> NDArray[np.float64]:
    u, v = _grid()
    angle = rng.uniform(0, 2 * np.pi)
    return 0.65 + 0.35 * np.sin(np.pi * (np.cos(angle) * u + np.sin(angle) * v))


def _print(rng: np.random.Generator) -> NDArray[np.float64]:
    """Columns of short dark lines, as of a newspaper."""
    u, v = _grid()
    lines = int(rng.integers(14, 30))
    inked = (
        (v * lines % 1.0 < 0.4)
        & (u * 3 % 1.0 < 0.88)
        & (rng.random((lines + 1, 40))[(v * lines).astype(int), (u * 40).astype(int)] < 0.8)
    )
    return np.where(inked, 0.35, 0.95)


TOPS: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "wood": _wood, "cloth": _cloth, "terrazzo": _terrazzo, "shaded": _shaded, "print": _print,
}  # fmt: skip


def add_tops(spec: mujoco.MjSpec, rng: np.random.Generator) -> list[str]:
    """Two table tops of each kind as materials; returns their names."""
    names = []
    for kind, draw in TOPS.items():
        for i in range(2):
            names.append(f"top_{kind}_{i}")
            shade = np.clip(draw(rng), 0.0, 1.0)[..., None] * (1.0 + 0.1 * rng.uniform(-1, 1, 3))
            texture = spec.add_texture(name=names[-1], type=mujoco.mjtTexture.mjTEXTURE_2D)
            texture.width = texture.height = TEXTURE_PX
            texture.nchannel = 3
            texture.data = (255 * np.clip(shade, 0, 1)).astype(np.uint8).tobytes()
            material = spec.add_material(name=names[-1], texrepeat=list(rng.uniform(1.0, 4.0, 2)))
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = names[-1]
    return names


def add_things(spec: mujoco.MjSpec) -> None:
    """Every thing as a body `thing_NAME`, its parts in order."""
    for name, parts in THINGS.items():
        body = spec.worldbody.add_body(name=f"thing_{name}", pos=[0, 0, -5])
        for kind, position, size, quaternion, _ in parts:
            body.add_geom(type=kind, pos=position, size=size, quat=quaternion, **UNSEEN)


def paint_thing(model: mujoco.MjModel, name: str, rng: np.random.Generator) -> None:
    """A colour of its own or, as often, one that a target has."""
    own = rng.uniform(0.03, 0.97, 3)
    colour = _TARGET_COLOURS[rng.integers(len(_TARGET_COLOURS))] if rng.random() < 0.5 else own
    first = model.body_geomadr[model.body(f"thing_{name}").id]
    for i, part in enumerate(THINGS[name]):
        model.geom_rgba[first + i] = [*np.clip(colour * part[4], 0, 1), 1.0]
