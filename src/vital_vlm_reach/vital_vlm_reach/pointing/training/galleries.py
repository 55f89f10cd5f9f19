"""Wide scenes to learn from: all targets, things of any shape and of the targets' colours, any table and light."""

from collections.abc import Callable

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.pose import Pose
from vital_core.task import load_task
from vital_sim.scenery.free_place import free_place
from vital_sim.scenery.look import BLOCK_COLOUR, HOUSING_COLOURS, SceneConfig, drawn_colours, nominal_colours
from vital_sim.world import props
from vital_sim.world import scene as scenery
from vital_sim.world.fixtures import BLOCK, HOUSED, TARGET_NAMES, Block, fixture_for
from vital_sim.world.model import ARM_JOINTS, LOOSE_JOINT
from vital_sim.world.mounts import SCENE_FOCAL_PX, SCENE_HEIGHT_PX, SCENE_WIDTH_PX, T_BASE_SCENE_CAMERA
from vital_sim.world.world import WorldConfig, assemble
from vital_vlm_reach.pointing.training.picture import HIDDEN_M, Picture

ODDITIES, PARTS = 7, 3
TEXTURES, TEXTURE_PX = 14, 128
# Twice what a camera that is mounted anew is off by.
MOUNT_M, MOUNT_RAD = 0.03, float(np.deg2rad(3.0))
_AWAY_M = np.array([0.45, 0.0, -6.0])
# Of the targets, in other colours than their own.
REPAINTED = 0.4
_COLOURS = np.array([c for housing in HOUSING_COLOURS.values() for c in housing] + [BLOCK_COLOUR])
_SHAPES = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
)
# Depth is for telling what is hidden alone.
_DEPTH_SHARE = 4


class Gallery:
    """Renders pictures of wide scenes whose hand holds what one task is about."""

    def __init__(self, task: str) -> None:
        chosen = load_task(task)
        self._own, self._fixture = TARGET_NAMES[chosen.held_object], fixture_for(chosen.held_object)
        spec = assemble(chosen, self._fixture, WorldConfig(), SceneConfig())
        spec.visual.quality.shadowsize = 512
        self._bodies, self._held = {self._own: "target"}, {name: held for held, name in TARGET_NAMES.items()}
        for held, name in TARGET_NAMES.items():
            if name != self._own:
                self._bodies[name] = f"also_{held}"
                _add_target(spec, self._bodies[name], held)
        _add_textures(spec, np.random.default_rng(sum(task.encode())))
        for i in range(ODDITIES):
            body = spec.worldbody.add_body(name=f"oddity{i}", pos=_AWAY_M)
            for _ in range(PARTS):
                body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.01, 0.01, 0.01], **scenery.UNSEEN)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self._colour = mujoco.Renderer(self.model, SCENE_HEIGHT_PX, SCENE_WIDTH_PX)
        self._depth = mujoco.Renderer(self.model, SCENE_HEIGHT_PX // _DEPTH_SHARE, SCENE_WIDTH_PX // _DEPTH_SHARE)
        self._depth.enable_depth_rendering()
        self._camera = self.model.camera("scene_camera").id
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0
        self._arm = [self.model.joint(name).qposadr[0] for name in ARM_JOINTS]

    def picture(self, seed: int) -> Picture:
        """The picture of a seed."""
        rng, model = np.random.default_rng([seed, 5]), self.model
        mujoco.mj_resetData(model, self.data)
        t_base_camera = self._mount(rng)
        self._light(rng)
        self._cover_table(rng)
        points = self._stand_targets(rng)
        places = [p[:2] for p in points.values()] or [np.array([9.0, 9.0])]
        rng.shuffle(places)  # low things stand close to the first
        props.place_props(model, int(rng.integers(0, 6)), rng, places, rng.uniform(0.055, 0.08))
        if "block" in points and self._own != "block":
            model.body_pos[model.body("prop_block").id] = _AWAY_M
        points = props.shown_props(model) | points
        self._stand_oddities(rng, [p[:2] for p in points.values()])
        self.data.qpos[self._arm] = _arm(rng)
        mujoco.mj_forward(model, self.data)
        return self._picture(points, t_base_camera, rng)

    def close(self) -> None:
        """Free the renderers."""
        self._colour.close()
        self._depth.close()

    def _mount(self, rng: np.random.Generator) -> Pose:
        moved = pose_of.from_vector(MOUNT_M * rng.uniform(-1, 1, 3), MOUNT_RAD * rng.uniform(-1, 1, 3))
        pose = T_BASE_SCENE_CAMERA @ moved
        x, y, z, w = pose_of.to_quaternion(pose @ pose_of.from_rpy((0, 0, 0), (np.pi, 0, 0)))
        self.model.cam_pos[self._camera], self.model.cam_quat[self._camera] = pose[:3, 3], [w, x, y, z]
        return pose

    def _light(self, rng: np.random.Generator) -> None:
        model, head = self.model, self.model.vis.headlight
        head.ambient[:] = rng.uniform(0.12, 0.6) * (1.0 + 0.12 * rng.uniform(-1, 1, 3))
        head.diffuse[:] = rng.uniform(0.0, 0.4)
        shadow = bool(rng.random() < 0.25)
        self._colour.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(shadow)
        self._colour.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        for i in range(model.nlight):
            model.light_castshadow[i] = int(shadow and i == 0)
            model.light_diffuse[i] = rng.uniform(0.0, 0.8) * (1.0 + 0.2 * rng.uniform(-1, 1, 3))
            direction = np.array([*rng.uniform(-1.2, 1.2, 2), -1.0])
            model.light_dir[i] = direction / np.linalg.norm(direction)
            model.light_pos[i] = np.array([0.45, 0.0, 0.0]) - 2.0 * model.light_dir[i]

    def _cover_table(self, rng: np.random.Generator) -> None:
        model = self.model
        sheet, wall, ground = (model.geom(name).id for name in ("sheet", "wall", "ground"))
        for surface in (sheet, wall, ground):
            model.geom_rgba[surface] = [*rng.uniform(0.03, 1.0, 3), 1.0]
        model.geom_matid[sheet] = -1
        if rng.random() < 0.15:
            grey = rng.uniform(0.05, 1.0)
            model.geom_rgba[sheet, :3] = np.clip(grey + 0.06 * rng.uniform(-1, 1, 3), 0, 1)
        elif rng.random() < 0.6:
            material = model.material(f"cover{rng.integers(TEXTURES)}").id
            model.geom_matid[sheet] = material
            model.mat_rgba[material] = [*rng.uniform(0.25, 1.0, 3), 1.0]
            model.mat_texrepeat[material] = rng.uniform(0.7, 9.0, 2)
            # A material's colour counts only for a geom that has none of its own: MuJoCo's default grey.
            model.geom_rgba[sheet] = [0.5, 0.5, 0.5, 1.0]

    def _stand_targets(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        """Any of the targets, none among them; returns the points of those that stand."""
        points: dict[str, NDArray[np.float64]] = {}
        share = rng.choice([0.0, 0.3, 0.6, 0.9], p=[0.08, 0.27, 0.35, 0.3])
        for name, body in self._bodies.items():
            place = free_place(
                rng, [p[:2] for p in points.values()], rng.uniform(0.075, 0.1), (0.31, -0.24), (0.62, 0.24)
            )
            there = place is not None and rng.random() < share
            height_m = BLOCK.size_m[2] if name == "block" else rng.uniform(0.028, 0.042)
            at = np.array([*place, height_m]) if place is not None and there else _AWAY_M
            self._put(name, body, at, rng.uniform(-np.pi, np.pi))
            if there:
                points[name] = at
            held = self._held[name]
            other = rng.random() < REPAINTED
            scenery.repaint(self.model, held, drawn_colours(held, rng) if other else nominal_colours(held), body)
        return points

    def _put(self, name: str, body: str, at_m: NDArray[np.float64], yaw_rad: float) -> None:
        turned = [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]
        if name == self._own and isinstance(self._fixture, Block):
            first = self.model.joint(LOOSE_JOINT).qposadr[0]
            self.data.qpos[first : first + 7] = [*at_m, *turned]
        else:
            number = self.model.body(body).id
            self.model.body_pos[number], self.model.body_quat[number] = at_m, turned

    def _stand_oddities(self, rng: np.random.Generator, taken: list[NDArray[np.float64]]) -> None:
        shown = rng.integers(0, ODDITIES + 1)
        for i in range(ODDITIES):
            body = self.model.body(f"oddity{i}").id
            place = free_place(rng, taken, 0.06, (0.2, -0.4), (0.7, 0.4)) if i < shown else None
            self.model.body_pos[body] = _AWAY_M if place is None else [*place, 0.0]
            yaw = rng.uniform(-np.pi, np.pi)
            self.model.body_quat[body] = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
            if place is not None:
                taken.append(place)
                self._shape(int(self.model.body_geomadr[body]), rng)

    def _shape(self, first: int, rng: np.random.Generator) -> None:
        """A thing of one to three parts. No box of a block's proportions: that would be one."""
        flat = rng.random() < 0.5
        lower, upper = (
            ([0.012, 0.012, 0.002], [0.07, 0.05, 0.009]) if flat else ([0.004, 0.004, 0.004], [0.028, 0.028, 0.05])
        )
        parts, base = rng.integers(1, PARTS + 1), _tint(rng)
        for k in range(PARTS):
            geom, shape = first + k, _SHAPES[int(rng.integers(1 if not flat and k == 0 else 0, len(_SHAPES)))]
            size = rng.uniform(lower, upper) * (0.6 if k else 1.0)
            self.model.geom_type[geom] = int(shape)
            self.model.geom_size[geom] = size if shape != mujoco.mjtGeom.mjGEOM_CAPSULE else [size[2] / 2, size[0], 0]
            if shape == mujoco.mjtGeom.mjGEOM_CYLINDER:
                self.model.geom_size[geom] = [size[0], size[2], 0]
            lying = shape == mujoco.mjtGeom.mjGEOM_CAPSULE
            height = size[2] / 2 if lying else size[2]
            offset = rng.uniform(-0.025, 0.025, 2) if k else np.zeros(2)
            self.model.geom_pos[geom] = [*offset, height] if k < parts else [0, 0, -6.0]
            self.model.geom_quat[geom] = [0.7071, 0.0, 0.7071, 0.0] if lying else [1.0, 0.0, 0.0, 0.0]
            colour = base if rng.random() < 0.5 else _tint(rng)
            self.model.geom_rgba[geom] = [*colour, 1.0]

    def _picture(
        self, points: dict[str, NDArray[np.float64]], t_base_camera: Pose, rng: np.random.Generator
    ) -> Picture:
        self._colour.update_scene(self.data, self._camera, self._option)
        colour = self._colour.render().astype(np.float32) * rng.uniform(0.75, 1.25)
        self._depth.update_scene(self.data, self._camera, self._option)
        depth = self._depth.render()
        colour += rng.uniform(0.3, 4.0) * rng.standard_normal(colour.shape, np.float32)
        seen: dict[str, tuple[float, float]] = {}
        hidden: list[str] = []
        for name, point in points.items():
            x, y, z = (pose_of.inverse(t_base_camera) @ np.append(point, 1.0))[:3]
            u = SCENE_WIDTH_PX / 2 + SCENE_FOCAL_PX * x / z
            v = SCENE_HEIGHT_PX / 2 + SCENE_FOCAL_PX * y / z
            inside = 2 <= u < SCENE_WIDTH_PX - 2 and 2 <= v < SCENE_HEIGHT_PX - 2
            slack = HIDDEN_M + 0.02 * (name in ("mug", "bottle"))
            if inside and abs(float(depth[int(v) // _DEPTH_SHARE, int(u) // _DEPTH_SHARE]) - z) < slack:
                seen[name] = (u, v)
            else:
                hidden.append(name)
        return Picture(np.clip(colour, 0, 255).astype(np.uint8), seen, tuple(hidden))


def _add_target(spec: mujoco.MjSpec, body_name: str, held: str) -> None:
    if held in HOUSED:
        scenery.add_seen_target(spec, body_name, held, HOUSED[held])
        return
    body, half = spec.worldbody.add_body(name=body_name, pos=_AWAY_M), np.array(BLOCK.size_m) / 2
    box = {"type": mujoco.mjtGeom.mjGEOM_BOX, "pos": [0, 0, -half[2]], "size": half, "rgba": [*BLOCK_COLOUR, 1.0]}
    body.add_geom(name=f"{body_name}_block", **box, **scenery.UNSEEN)


def _clouds(rng: np.random.Generator) -> NDArray[np.float32]:
    shade = np.zeros((TEXTURE_PX, TEXTURE_PX), np.float32)
    for octave in range(1, 6):
        coarse = rng.random((2**octave + 1, 2**octave + 1)).astype(np.float32)
        shade += cv2.resize(coarse, (TEXTURE_PX, TEXTURE_PX), interpolation=cv2.INTER_CUBIC) / octave
    return ((shade - shade.min()) / np.ptp(shade)).astype(np.float32)


def _stripes(rng: np.random.Generator) -> NDArray[np.float32]:
    at, angle = np.arange(TEXTURE_PX) / TEXTURE_PX, rng.uniform(0, np.pi)
    along = np.cos(angle) * at[None, :] + np.sin(angle) * at[:, None]
    edges = np.sort(rng.random(int(rng.integers(4, 24)))) * 2.0 - 0.5
    return rng.random(len(edges) + 1)[np.searchsorted(edges, along)].astype(np.float32)


def _patches(rng: np.random.Generator) -> NDArray[np.float32]:
    shade = np.full((TEXTURE_PX, TEXTURE_PX), rng.random(), np.float32)
    for _ in range(int(rng.integers(5, 60))):
        corner, size = rng.integers(0, TEXTURE_PX, 2), rng.integers(2, 40, 2)
        shade[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]] = rng.random()
    return shade


def _tiles(rng: np.random.Generator) -> NDArray[np.float32]:
    count = int(rng.integers(2, 9))
    tiles = rng.random((count, count)).astype(np.float32)
    return np.asarray(cv2.resize(tiles, (TEXTURE_PX, TEXTURE_PX), interpolation=cv2.INTER_NEAREST), np.float32)


_COVERS: tuple[Callable[[np.random.Generator], NDArray[np.float32]], ...] = (_clouds, _stripes, _patches, _tiles)


def _add_textures(spec: mujoco.MjSpec, rng: np.random.Generator) -> None:
    for i in range(TEXTURES):
        shade = _COVERS[i % len(_COVERS)](rng)[..., None]
        first, second = rng.uniform(0.2, 1.0, 3), rng.uniform(0.2, 1.0, 3)
        texture = spec.add_texture(name=f"cover{i}", type=mujoco.mjtTexture.mjTEXTURE_2D)
        texture.width = texture.height = TEXTURE_PX
        texture.nchannel = 3
        texture.data = (255 * (shade * first + (1 - shade) * second)).astype(np.uint8).tobytes()
        material = spec.add_material(name=f"cover{i}", texrepeat=[3.0, 3.0])
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f"cover{i}"


def _tint(rng: np.random.Generator) -> NDArray[np.float64]:
    """Any colour or, as often, one like a target's."""
    if rng.random() < 0.5:
        return rng.uniform(0.02, 1.0, 3)
    return np.clip(_COLOURS[int(rng.integers(len(_COLOURS)))] + 0.05 * rng.standard_normal(3), 0.0, 1.0)


def _arm(rng: np.random.Generator) -> NDArray[np.float64]:
    """At home, or with the hand somewhere over the table."""
    place = rng.uniform([0.32, -0.2, 0.25], [0.5, 0.2, 0.42])
    joints = None if rng.random() < 0.6 else kinematics.solve(pose_of.point_down(place), HOME_RAD, posture_rad=HOME_RAD)
    return np.array(HOME_RAD if joints is None else joints)
