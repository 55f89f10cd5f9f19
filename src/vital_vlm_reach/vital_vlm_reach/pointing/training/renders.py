"""Pictures to learn from: the simulator's scene camera over varied scenes. For training and tests only."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.task import load_task
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.variation import Variation, variation_of
from vital_sim.world.world import World, WorldConfig
from vital_vlm_reach.pointing.network import HEIGHT_PX, WIDTH_PX

# Farther than this between the picture's depth and the point, and something stands before it.
HIDDEN_M = 0.03
WIDE = Variation(target_x_m=(0.46, 0.11), target_y_m=(0.0, 0.2), target_yaw_rad=(0.0, 3.1))


@dataclass(frozen=True)
class Kind:
    """A kind of scene and its share of the pictures; default: as deployed."""

    task: str
    scene: SceneConfig
    share: float
    default: bool = False


# Each task's scenes, with the target of another one beside its own.
OTHERS = {
    "usb_insertion": "plug",
    "plug_in_socket": "usb_stick",
    "key_in_lock": "card",
    "card_swipe": "key",
    "pick_block": "usb_stick",
}
KINDS = tuple(
    Kind(task, scene, share / len(OTHERS), default)
    for task, other in OTHERS.items()
    for scene, share, default in (
        (SceneConfig(), 0.32, True),
        (SceneConfig(distractors=3, extra_target=other, light_variation=0.3, colour_variation=0.3), 0.20, False),
        (SceneConfig("plain", distractors=2, light_variation=0.3), 0.16, False),
        (SceneConfig("plain", distractors=4, extra_target=other, light_variation=0.3), 0.16, False),
        (SceneConfig("clutter", distractors=5, extra_target=other, light_variation=0.3), 0.16, False),
    )
)


@dataclass(frozen=True)
class Picture:
    """A view and what can be seen in it: image (240, 320, 3) uint8, name -> (u, v) in its pixels; hidden: unseen."""

    image: NDArray[np.uint8]
    seen: dict[str, tuple[float, float]]
    hidden: tuple[str, ...]


class Studio:
    """Renders pictures of one kind of scene."""

    def __init__(self, kind: Kind) -> None:
        wide = replace(WIDE, target_z_m=variation_of(kind.task).target_z_m)
        config = WorldConfig() if kind.default else WorldConfig(variation=wide)
        self.kind = kind
        self.world = World(load_task(kind.task), scene=kind.scene, config=config)
        self.camera = SceneCamera(self.world.model)

    def shoot(self, seed: int) -> tuple[NDArray[np.uint8], Picture]:
        """The full picture (480, 640, 3) and the one to learn from."""
        world, rng = self.world, np.random.default_rng([seed, 3])
        world.reset(seed, joints_rad=self._arm(rng))
        self.camera.reset(seed)
        full, depth = self.camera.render_colour(world.data), self.camera.render_depth_m(world.data)
        seen: dict[str, tuple[float, float]] = {}
        hidden = []
        for name, point in world.clickable_points().items():
            u, v, distance = self.camera.project(point)
            inside = 2 <= u < full.shape[1] - 2 and 2 <= v < full.shape[0] - 2
            if inside and abs(float(depth[int(v), int(u)]) - distance) < HIDDEN_M + 0.02 * (name in ("mug", "bottle")):
                seen[name] = (u / 2, v / 2)
            else:
                hidden.append(name)
        small = np.asarray(cv2.resize(full, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)
        return full, Picture(small, seen, tuple(hidden))

    def _arm(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """At home as deployed; elsewhere in some scenes."""
        if self.kind.default and rng.random() < 0.8:
            return HOME_RAD
        place = rng.uniform([0.32, -0.2, 0.25], [0.5, 0.2, 0.42])
        joints = kinematics.solve(pose_of.point_down(place), HOME_RAD, posture_rad=HOME_RAD)
        return HOME_RAD if joints is None else joints


def render_set(count: int, seed: int, say=lambda done, total: None) -> list[Picture]:
    """``count`` pictures over all kinds, by their shares."""
    pictures: list[Picture] = []
    for i, kind in enumerate(KINDS):
        studio = Studio(kind)
        for k in range(max(1, round(count * kind.share))):
            pictures.append(studio.shoot(seed + 100_000 * i + k)[1])
            say(len(pictures), count)
        studio.camera.close()
    return pictures


def save_set(path: Path, pictures: list[Picture]) -> None:
    """Store a set as one npz without pickled objects."""
    names = sorted({name for p in pictures for name in (*p.seen, *p.hidden)})
    places = np.full((len(pictures), len(names), 2), np.nan, np.float32)
    there = np.zeros((len(pictures), len(names)), bool)
    for i, picture in enumerate(pictures):
        for k, name in enumerate(names):
            there[i, k] = name in picture.seen or name in picture.hidden
            if name in picture.seen:
                places[i, k] = picture.seen[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, image=np.stack([p.image for p in pictures]), places=places, there=there, names=np.array(names))


def load_set(path: Path) -> list[Picture]:
    """Inverse of `save_set`."""
    with np.load(path, allow_pickle=False) as data:
        images, places, there, names = data["image"], data["places"], data["there"], data["names"].tolist()
    pictures = [Picture(image, {}, ()) for image in images]
    for i, picture in enumerate(pictures):
        for k, name in enumerate(names):
            if there[i, k] and np.isfinite(places[i, k]).all():
                picture.seen[name] = (float(places[i, k, 0]), float(places[i, k, 1]))
            elif there[i, k]:
                pictures[i] = picture = replace(picture, hidden=(*picture.hidden, name))
    return pictures
