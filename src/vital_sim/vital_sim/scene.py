"""How the world looks: lights, cameras, textures and clutter. Nothing here touches anything."""

from dataclasses import dataclass

import mujoco
import numpy as np


@dataclass(frozen=True)
class SceneConfig:
    """Appearance of the scene."""


def decorate(spec: mujoco.MjSpec, scene: SceneConfig) -> None:
    """Add visual geoms, lights, cameras and textures to the model under construction."""


def randomise(model: mujoco.MjModel, data: mujoco.MjData, scene: SceneConfig, rng: np.random.Generator) -> None:
    """Vary the appearance for one episode without recompiling."""
