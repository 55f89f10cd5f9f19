"""Looks that are drawn from a seed: lights, the table's surface, walls; the target's colours are in `look`.

Nothing is recompiled: the model carries every surface, a look chooses one. No shadows are cast, as in the other looks.
"""

import mujoco
import numpy as np

# Black bodies of 2700 to 6500 K, scaled to their largest value.
LAMPS: tuple[tuple[float, float, float], ...] = (
    (1.0, 0.66, 0.36),
    (1.0, 0.78, 0.58),
    (1.0, 0.89, 0.78),
    (1.0, 1.0, 0.98),
)
LAMP_SHARE = 0.6
"""How far a camera's white balance leaves a lamp its colour."""


def light(model: mujoco.MjModel, rng: np.random.Generator) -> None:
    """Two lamps from anywhere above, of any white, and what walls throw back; as bright in all as a camera sets it."""
    lamp = np.array(LAMPS[rng.integers(len(LAMPS))])
    tint = 1.0 - LAMP_SHARE * (1.0 - lamp)
    tint /= tint.mean()
    share, whole = rng.uniform(0.2, 0.8), rng.uniform(0.75, 1.15)
    model.vis.headlight.ambient[:] = rng.uniform(0.25, 0.45)
    for i, part in enumerate((share, 1.0 - share)):
        around, down = rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 0.9)
        model.light_dir[i] = np.array([down * np.cos(around), down * np.sin(around), -1.0]) / np.hypot(1.0, down)
        model.light_diffuse[i] = np.clip(0.9 * whole * part * tint, 0.0, 1.0)


def lay_surface(model: mujoco.MjModel, count: int, rng: np.random.Generator) -> None:
    """A table of one of ``count`` surfaces in some tint, and a wall behind it."""
    sheet, wall = model.geom("sheet").id, model.geom("wall").id
    material = model.material(f"surface{rng.integers(count)}").id
    brightness, colourful = rng.uniform(0.3, 1.0), rng.uniform(0.0, 0.5)
    model.mat_rgba[material] = [*brightness * (1.0 - colourful * rng.uniform(0.0, 1.0, 3)), 1.0]
    model.mat_texrepeat[material] = rng.uniform(1.0, 4.0) * np.array([1.0, 1.5])
    model.mat_specular[material], model.mat_shininess[material] = rng.uniform(0.0, 0.5), rng.uniform(0.1, 0.8)
    model.geom_matid[sheet] = material
    # A material's colour counts only for a geom that has none of its own: MuJoCo's default grey.
    model.geom_rgba[sheet] = [0.5, 0.5, 0.5, 1.0]
    model.geom_rgba[wall, :3] = rng.uniform(0.2, 0.9, 3)
