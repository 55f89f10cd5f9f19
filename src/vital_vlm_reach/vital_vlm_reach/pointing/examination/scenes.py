"""The examination's scenes: targets, things and light as `pointing.training` never renders them."""

from dataclasses import dataclass

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.pose import Pose
from vital_core.task import load_task, task_names
from vital_sim.scenery.free_place import free_place
from vital_sim.scenery.look import SceneConfig
from vital_sim.world import scene as scenery
from vital_sim.world.fixtures import BLOCK, HOUSED, TARGET_NAMES, Block, fixture_for
from vital_sim.world.model import ARM_JOINTS, LOOSE_JOINT
from vital_sim.world.mounts import SCENE_FOCAL_PX, SCENE_HEIGHT_PX, SCENE_WIDTH_PX, T_BASE_SCENE_CAMERA
from vital_sim.world.world import WorldConfig, assemble
from vital_vlm_reach.localisation.camera import Camera, View
from vital_vlm_reach.pointing.examination.surroundings import THINGS, add_things, add_tops, paint_thing

# A camera that was mounted anew, and what its calibration is off by (the standard deviation, each way).
MOUNT_M, MOUNT_RAD = 0.015, float(np.deg2rad(1.5))
CALIBRATION_STD_M, CALIBRATION_STD_RAD = 0.001, 0.001
DEPTH_STD_M = 0.0012
TARGETS_APART_M, THINGS_APART_M = 0.11, 0.075
MARGIN_PX = 10
HIDDEN_M = 0.03
_AWAY_M = (0.45, 0.0, -5.0)
_TASKS = {TARGET_NAMES[load_task(name).held_object]: name for name in task_names()}


@dataclass(frozen=True)
class Scene:
    """What the camera saw, and the truth. t_base_camera: as calibrated. points_m: (3,) in `link_base` of each target
    that stands on the table; yaws_rad: its turn; pixels_uv: of those in view and not hidden."""

    view: View
    t_base_camera: Pose
    points_m: dict[str, NDArray[np.float64]]
    yaws_rad: dict[str, float]
    pixels_uv: dict[str, tuple[float, float]]


class Stage:
    """Renders scenes whose hand holds what belongs to ``target``; every other target may stand about as well."""

    def __init__(self, target: str) -> None:
        task = load_task(_TASKS[target])
        self._target, self._fixture = target, fixture_for(task.held_object)
        spec = assemble(task, self._fixture, WorldConfig(), SceneConfig())
        spec.visual.quality.shadowsize = 1024
        self._others = {name: held for held, name in TARGET_NAMES.items() if name != target}
        for name, held in self._others.items():
            _add_other(spec, name, held)
        self._tops = add_tops(spec, np.random.default_rng([41, *target.encode()]))
        add_things(spec)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._renderer = mujoco.Renderer(self._model, SCENE_HEIGHT_PX, SCENE_WIDTH_PX)
        self._camera = self._model.camera("scene_camera").id
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0
        self._arm = [self._model.joint(name).qposadr[0] for name in ARM_JOINTS]
        matrix = np.array(
            [[SCENE_FOCAL_PX, 0, SCENE_WIDTH_PX / 2], [0, SCENE_FOCAL_PX, SCENE_HEIGHT_PX / 2], [0, 0, 1.0]]
        )
        self._lens = Camera(SCENE_WIDTH_PX, SCENE_HEIGHT_PX, matrix)

    def shoot(self, seed: int, *, with_target: bool) -> Scene:
        """The scene of a seed. With the target it is in view; without, it is nowhere."""
        for attempt in range(100):
            scene = self._shoot(np.random.default_rng([seed, attempt, int(with_target)]), with_target)
            if not with_target or self._target in scene.pixels_uv:
                return scene
        raise RuntimeError(f"no scene of seed {seed} shows the {self._target}")

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def _shoot(self, rng: np.random.Generator, with_target: bool) -> Scene:
        mujoco.mj_resetData(self._model, self._data)
        t_base_camera = self._mount(rng)
        self._light(rng)
        self._lay_table(rng)
        points, yaws = self._place(rng, with_target)
        self._data.qpos[self._arm] = _joints(rng)
        mujoco.mj_forward(self._model, self._data)
        rgb, depth_m = self._render(rng)
        pixels = {name: uv for name, p in points.items() if (uv := _seen_at(p, t_base_camera, self._lens, depth_m))}
        view = View(rgb, _measured(depth_m, rng), self._lens, "camera_color_optical_frame")
        error = pose_of.from_vector(
            CALIBRATION_STD_M * rng.standard_normal(3), CALIBRATION_STD_RAD * rng.standard_normal(3)
        )
        return Scene(view, t_base_camera @ error, points, yaws, pixels)

    def _mount(self, rng: np.random.Generator) -> Pose:
        """Move the camera; returns where it is."""
        moved = pose_of.from_vector(MOUNT_M * rng.uniform(-1, 1, 3), MOUNT_RAD * rng.uniform(-1, 1, 3))
        pose = T_BASE_SCENE_CAMERA @ moved
        # MuJoCo's cameras look along their own -z with y up.
        x, y, z, w = pose_of.to_quaternion(pose @ pose_of.from_rpy((0, 0, 0), (np.pi, 0, 0)))
        self._model.cam_pos[self._camera] = pose[:3, 3]
        self._model.cam_quat[self._camera] = [w, x, y, z]
        return pose

    def _light(self, rng: np.random.Generator) -> None:
        model = self._model
        model.vis.headlight.ambient[:] = rng.uniform(0.18, 0.5) * (1.0 + 0.08 * rng.uniform(-1, 1, 3))
        model.vis.headlight.diffuse[:] = rng.uniform(0.0, 0.3)
        shadows = bool(rng.random() < 0.35)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(shadows)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        for i in range(model.nlight):
            model.light_castshadow[i] = int(shadows and i == 0)
            warmth = rng.uniform(-0.15, 0.15)
            model.light_diffuse[i] = rng.uniform(0.1, 0.7) * np.array([1.0 + warmth, 1.0, 1.0 - warmth])
            around, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.4)
            towards = -np.array([np.cos(around) * np.cos(height), np.sin(around) * np.cos(height), np.sin(height)])
            model.light_dir[i] = towards
            model.light_pos[i] = np.array([0.45, 0.0, 0.0]) - 1.8 * towards

    def _lay_table(self, rng: np.random.Generator) -> None:
        model, kind = self._model, rng.random()
        sheet, wall = model.geom("sheet").id, model.geom("wall").id
        model.geom_rgba[wall, :3] = rng.uniform(0.1, 0.95, 3)
        model.geom_matid[sheet] = -1
        model.geom_rgba[sheet] = [*rng.uniform(0.08, 0.95, 3), 1.0]
        if kind < 0.15:
            model.geom_rgba[sheet, :3] = np.array([0.13, 0.55, 0.22]) * rng.uniform(0.7, 1.3, 3)
        elif kind > 0.4:
            material = model.material(str(rng.choice(self._tops))).id
            model.geom_matid[sheet] = material
            model.mat_rgba[material] = [*rng.uniform(0.35, 1.0, 3), 1.0]
            # A material's colour counts only for a geom that has none of its own: MuJoCo's default grey.
            model.geom_rgba[sheet] = [0.5, 0.5, 0.5, 1.0]

    def _place(
        self, rng: np.random.Generator, with_target: bool
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
        """Stand targets and things on the table; returns the targets' points and yaws."""
        taken: list[NDArray[np.float64]] = []
        points: dict[str, NDArray[np.float64]] = {}
        yaws: dict[str, float] = {}
        shown = rng.permutation(list(self._others))[: rng.integers(0, len(self._others) + 1)]
        for name in (self._target, *sorted(self._others)):
            place = free_place(rng, taken, TARGETS_APART_M, (0.34, -0.2), (0.58, 0.2))
            wanted = with_target if name == self._target else name in shown
            yaw = rng.uniform(-np.pi, np.pi)
            if not wanted or place is None:
                self._put(name, np.array(_AWAY_M), yaw)
                continue
            height_m = BLOCK.size_m[2] if name == "block" else rng.uniform(0.030, 0.040)
            points[name] = np.array([*place, height_m])
            yaws[name] = float(yaw)
            self._put(name, points[name], yaw)
            taken.append(place)
        self._stand_things(rng, taken)
        return points, yaws

    def _put(self, name: str, position_m: NDArray[np.float64], yaw_rad: float) -> None:
        turned = [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]
        if name == self._target and isinstance(self._fixture, Block):
            start = self._model.joint(LOOSE_JOINT).qposadr[0]
            self._data.qpos[start : start + 7] = [*position_m, *turned]
            return
        body = self._model.body("target" if name == self._target else _body_of(name)).id
        self._model.body_pos[body], self._model.body_quat[body] = position_m, turned

    def _stand_things(self, rng: np.random.Generator, taken: list[NDArray[np.float64]]) -> None:
        shown = set(rng.permutation(list(THINGS))[: rng.integers(0, 7)])
        for name in THINGS:
            body = self._model.body(f"thing_{name}").id
            place = free_place(rng, taken, THINGS_APART_M, (0.24, -0.36), (0.66, 0.36)) if name in shown else None
            self._model.body_pos[body] = _AWAY_M if place is None else [*place, 0.0005]
            yaw = rng.uniform(-np.pi, np.pi)
            self._model.body_quat[body] = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
            paint_thing(self._model, name, rng)
            if place is not None:
                taken.append(place)

    def _render(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colour with exposure, blur and noise; true depth, m."""
        self._renderer.update_scene(self._data, self._camera, self._option)
        colour = self._renderer.render().astype(np.float32) * rng.uniform(0.8, 1.2)
        if rng.random() < 0.4:
            colour = cv2.GaussianBlur(colour, (0, 0), rng.uniform(0.4, 1.0))
        colour += rng.uniform(1.0, 5.0) * rng.standard_normal(colour.shape).astype(np.float32)
        self._renderer.enable_depth_rendering()
        self._renderer.update_scene(self._data, self._camera, self._option)
        depth = self._renderer.render().copy()
        self._renderer.disable_depth_rendering()
        return np.clip(colour, 0, 255).astype(np.uint8), depth


def _body_of(name: str) -> str:
    return f"other_{name.replace(' ', '_')}"


def _add_other(spec: mujoco.MjSpec, name: str, held: str) -> None:
    if held in HOUSED:
        scenery.add_seen_target(spec, _body_of(name), held, HOUSED[held])
        return
    body, (x, y, z) = spec.worldbody.add_body(name=_body_of(name), pos=_AWAY_M), BLOCK.size_m
    fields = {"type": mujoco.mjtGeom.mjGEOM_BOX, "rgba": [0.75, 0.25, 0.15, 1.0], **scenery.UNSEEN}
    body.add_geom(pos=[0, 0, -z / 2], size=[x / 2, y / 2, z / 2], **fields)


def _joints(rng: np.random.Generator) -> NDArray[np.float64]:
    """At home, or with the hand anywhere high over the table."""
    place = rng.uniform([0.30, -0.22, 0.28], [0.46, 0.22, 0.45])
    if rng.random() < 0.7:
        return np.array(HOME_RAD)
    joints = kinematics.solve(pose_of.point_down(place), HOME_RAD, posture_rad=HOME_RAD)
    return np.array(HOME_RAD if joints is None else joints)


def _seen_at(
    point_m: NDArray[np.float64], t_base_camera: Pose, lens: Camera, depth_m: NDArray[np.float32]
) -> tuple[float, float] | None:
    """Pixel of a point, None where it is out of view or something stands before it."""
    x, y, z = (pose_of.inverse(t_base_camera) @ np.append(point_m, 1.0))[:3]
    u, v, _ = lens.matrix @ [x / z, y / z, 1.0]
    inside = MARGIN_PX <= u < lens.width_px - MARGIN_PX and MARGIN_PX <= v < lens.height_px - MARGIN_PX
    return (float(u), float(v)) if inside and abs(depth_m[int(v), int(u)] - z) < HIDDEN_M else None


def _measured(depth_m: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
    """(H, W) mm with noise that grows with distance, no readings at steep edges, and holes."""
    noisy = depth_m * (1.0 + DEPTH_STD_M / 0.7 * rng.standard_normal(depth_m.shape))
    edges = cv2.morphologyEx(depth_m, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0.04
    lost = edges | (depth_m < 0.2) | (depth_m > 3.0) | (rng.random(depth_m.shape) < 0.05)
    return np.where(lost, 0, np.rint(1000.0 * noisy)).astype(np.uint16)
