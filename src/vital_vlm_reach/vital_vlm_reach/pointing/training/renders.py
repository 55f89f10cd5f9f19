"""Pictures to learn from: the simulator's scene camera over varied scenes. For training and tests only."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.task import load_task
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.variation import AMONG_THINGS, CLUTTER, Variation, variation_of
from vital_sim.world.world import World, WorldConfig
from vital_vlm_reach.pointing.training.picture import HIDDEN_M, Picture

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
        (SceneConfig(), 0.12, True),
        (AMONG_THINGS, 0.14, False),
        (SceneConfig(distractors=3, extra_target=other, light_variation=0.3, colour_variation=0.3), 0.08, False),
        (SceneConfig("plain", distractors=4, extra_target=other, light_variation=0.3), 0.10, False),
        (CLUTTER, 0.22, False),
        (SceneConfig("clutter", distractors=5, extra_target=other, light_variation=0.3), 0.10, False),
        (SceneConfig("generated", distractors=3, clearance_m=0.065), 0.12, False),
        (SceneConfig("generated", distractors=5, extra_target=other, clearance_m=0.065), 0.12, False),
    )
)


class Studio:
    """Renders pictures of one kind of scene."""

    def __init__(self, kind: Kind) -> None:
        wide = replace(WIDE, target_z_m=variation_of(kind.task).target_z_m)
        config = WorldConfig() if kind.default else WorldConfig(variation=wide)
        self.kind = kind
        self.world = World(load_task(kind.task), scene=kind.scene, config=config)
        self.camera = SceneCamera(self.world.model)

    def picture(self, seed: int) -> Picture:
        """The picture of a seed."""
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
                seen[name] = (float(u), float(v))
            else:
                hidden.append(name)
        return Picture(full, seen, tuple(hidden))

    def close(self) -> None:
        """Free the renderer."""
        self.camera.close()

    def _arm(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """At home mostly, as deployed; elsewhere in some scenes."""
        if rng.random() < (0.8 if self.kind.default else 0.5):
            return HOME_RAD
        place = rng.uniform([0.32, -0.2, 0.25], [0.5, 0.2, 0.42])
        joints = kinematics.solve(pose_of.point_down(place), HOME_RAD, posture_rad=HOME_RAD)
        return HOME_RAD if joints is None else joints
