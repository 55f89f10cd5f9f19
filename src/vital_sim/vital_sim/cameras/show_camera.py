"""Pictures for people: the arm's meshes, a wooden table, soft light and shadows. No policy sees any of it.

A model of its own is made from the world's parts and follows its positions, so that neither physics nor the cameras of
the world can tell whether anybody looks. Without the meshes (`vital_core.arm.arm_meshes`) the arm is of primitives.
"""

from typing import Protocol

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from vital_core.arm.arm_meshes import Mesh, arm_meshes
from vital_core.arm.xarm7 import FLANGE_TO_TCP_M, GRIPPER_CLOSED_RAD
from vital_sim.world.boxes import HeldObject
from vital_sim.world.contact import UNTOUCHABLE
from vital_sim.world.fixtures import Block
from vital_sim.world.hand import PAD_THICKNESS_M, SIDES, STROKE_M

BOX = mujoco.mjtGeom.mjGEOM_BOX
HIDDEN_GROUP = 5
UNSEEN = {**UNTOUCHABLE, "mass": 0.0}
# What the meshes stand for, and the surfaces that demonstrations are recorded before.
PRIMITIVES = ("link_base_column", "gripper_palm", *(f"link{i}_shell" for i in range(1, 8)))
FINGERS = ("finger_left", "finger_right")
STAGE = ("table", "sheet", "wall", "ground")
LIGHT_M, LIGHT_SPREAD_M = (0.95, -0.75, 1.7), 0.16
TABLE_M = ((0.40, 0.0), (0.55, 0.75))
# Of a finger's joint in its knuckle: `vital_core.arm.urdf` has the joints.
KNUCKLE_M, FINGER_M, INNER_M = (0.035, 0.059098), (0.035465, 0.042039), (0.020, 0.074098)


def wood(size_px: int = 512, seed: int = 3) -> NDArray[np.uint8]:
    """(size, size, 3) RGB: planks with grain along the columns; the same seed gives the same table."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size_px, 0:size_px] / size_px
    planks = 4
    plank = (x * planks).astype(int)
    shift, tone = rng.uniform(0, 10, planks)[plank], rng.uniform(-0.05, 0.05, planks)[plank]
    coarse = cv2.resize(rng.standard_normal((6, 40)), (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    grain = np.sin(2 * np.pi * (14 * x + shift + 0.5 * coarse + 0.25 * np.sin(3 * y + shift)))
    fine = cv2.GaussianBlur(rng.standard_normal((size_px, size_px)), (1, 31), 0)
    light = 0.78 + tone + 0.035 * grain + 0.03 * fine
    light[(x * planks) % 1.0 < 0.006] *= 0.72
    return np.clip(255 * light[..., None] * np.array([0.86, 0.69, 0.50]), 0, 255).astype(np.uint8)


def knuckle_angle_rad(half_gap_m: float) -> float:
    """Where the drive joint is when each finger is so far from the middle: 0 open, `GRIPPER_CLOSED_RAD` closed."""
    angles = np.linspace(0.0, GRIPPER_CLOSED_RAD, 400)
    y = FINGER_M[0] * np.cos(angles) - FINGER_M[1] * np.sin(angles)
    return float(np.interp(half_gap_m, (y - y[-1])[::-1], angles[::-1]))


class Shown(Protocol):
    """What is shown of a `World`."""

    spec: mujoco.MjSpec
    model: mujoco.MjModel
    data: mujoco.MjData

    @property
    def fixture(self) -> HeldObject | Block:
        """What is held, or lies there to be picked."""

    def assembled(self) -> mujoco.MjSpec:
        """Its parts anew, as they are before a model is made of them."""


class ShowCamera:
    """A picture of a world from where a person would stand. passes: lights that are averaged, more are softer.
    shadow_px: of the map that shadows are read from; edge_samples: of a pixel at an edge. They are most of what
    a picture costs on a processor."""

    def __init__(
        self,
        world: Shown,
        width_px: int = 640,
        height_px: int = 480,
        *,
        passes: int = 4,
        shadow_px: int = 2048,
        edge_samples: int = 4,
        meshes: tuple[Mesh, ...] | None = None,
    ) -> None:
        self._world, self._passes = world, passes
        spec = world.assembled()
        _set_stage(spec)
        found = arm_meshes() if meshes is None else meshes
        if found:
            _dress_arm(spec, found, world.fixture)
        spec.visual.global_.offwidth, spec.visual.global_.offheight = width_px, height_px
        spec.visual.quality.offsamples, spec.visual.quality.shadowsize = edge_samples, shadow_px
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._slide = (
            self._model.joint("finger_left").qposadr[0] if found and isinstance(world.fixture, Block) else None
        )
        self._geoms = [
            (self._model.geom(geom.name).id, world.model.geom(geom.name).id)
            for geom in world.spec.geoms
            if geom.name and geom.name not in PRIMITIVES + FINGERS + STAGE
        ]
        names = [world.model.body(i).name for i in range(world.model.nbody)]
        self._bodies = np.array([self._model.body(name).id for name in names])
        self._renderer = mujoco.Renderer(self._model, height_px, width_px)
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:], self._option.geomgroup[HIDDEN_GROUP] = 0, 0
        self.view = mujoco.MjvCamera()
        self.look((0.42, 0.0, 0.13), 0.85, 128.0, -24.0)

    def look(
        self, at_m: tuple[float, float, float], distance_m: float, azimuth_deg: float, elevation_deg: float
    ) -> None:
        """From where: at a point in `link_base`, this far off, turned about the vertical, up (or, below 0, down)."""
        self.view.lookat[:], self.view.distance = at_m, distance_m
        self.view.azimuth, self.view.elevation = azimuth_deg, elevation_deg

    def render(self, data: mujoco.MjData | None = None) -> NDArray[np.uint8]:
        """(H, W, 3) RGB of the world as it is now, or of a copy of its state."""
        self._follow(self._world.data if data is None else data)
        lamp, total = self._model.light("lamp").id, np.zeros(1)
        for i in range(self._passes):
            angle = 2 * np.pi * i / self._passes
            aside = LIGHT_SPREAD_M * np.array([np.cos(angle), np.sin(angle), 0.0]) if self._passes > 1 else np.zeros(3)
            self._model.light_pos[lamp] = np.array(LIGHT_M) + aside
            mujoco.mj_camlight(self._model, self._data)
            self._renderer.update_scene(self._data, self.view, self._option)
            total = total + self._renderer.render().astype(np.float32)
        return np.rint(total / self._passes).astype(np.uint8)

    def reset(self, seed: int) -> None:
        """A new episode: what changes with it is taken over with each picture."""

    def _follow(self, data: mujoco.MjData) -> None:
        """Take over positions, and the looks that an episode varies."""
        seen, model = self._world.model, self._model
        self._data.qpos[:] = data.qpos
        model.body_pos[self._bodies], model.body_quat[self._bodies] = seen.body_pos, seen.body_quat
        for mine, theirs in self._geoms:
            model.geom_rgba[mine], model.geom_pos[mine] = seen.geom_rgba[theirs], seen.geom_pos[theirs]
            model.geom_quat[mine], model.geom_size[mine] = seen.geom_quat[theirs], seen.geom_size[theirs]
        if self._slide is not None:
            self._turn_fingers(knuckle_angle_rad(STROKE_M + PAD_THICKNESS_M - self._data.qpos[self._slide]))
        mujoco.mj_kinematics(model, self._data)
        mujoco.mj_comPos(model, self._data)

    def _turn_fingers(self, angle_rad: float) -> None:
        """As far as the driven fingers, which slide in the world, stand apart."""
        for side, sign in SIDES:
            turn, back = _turns(sign, angle_rad)
            for part, quat in (("outer_knuckle", turn), ("inner_knuckle", turn), ("finger", back)):
                self._model.body(f"show_{side}_{part}").quat = quat

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()


def _set_stage(spec: mujoco.MjSpec) -> None:
    """A wooden table on legs in a bright room, one lamp that throws shadows and light from all sides."""
    for geom in spec.geoms:
        if geom.name in STAGE:
            geom.group = HIDDEN_GROUP
    for light in spec.lights:
        light.active = False
    spec.assets = {"wood.png": cv2.imencode(".png", wood()[..., ::-1])[1].tobytes()}
    spec.add_texture(name="wood", type=mujoco.mjtTexture.mjTEXTURE_2D, file="wood.png")
    sky = {"builtin": mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, "rgb1": [0.86, 0.89, 0.93], "rgb2": [0.62, 0.66, 0.71]}
    spec.add_texture(name="room", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=256, height=1536, **sky)
    material = spec.add_material(name="wood", texrepeat=[2.0, 2.0], specular=0.15, shininess=0.2)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "wood"
    (x, y), (half_x, half_y) = TABLE_M
    body, legs = spec.worldbody, {"rgba": [0.25, 0.26, 0.28, 1.0], **UNSEEN}
    body.add_geom(
        name="show_top", type=BOX, pos=[x, y, -0.015], size=[half_x, half_y, 0.015], material="wood", **UNSEEN
    )
    for i, (side, end) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        place = [x + side * (half_x - 0.05), y + end * (half_y - 0.05), -0.39]
        body.add_geom(name=f"show_leg{i}", type=BOX, pos=place, size=[0.025, 0.025, 0.36], **legs)
    floor = {"rgba": [0.72, 0.74, 0.77, 1.0], **UNSEEN}
    body.add_geom(name="show_floor", type=BOX, pos=[x, y, -0.77], size=[6.0, 6.0, 0.01], **floor)
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.42] * 3, [0.12] * 3
    aim = np.array([x, y, 0.0]) - np.array(LIGHT_M)
    lamp = {"type": mujoco.mjtLightType.mjLIGHT_SPOT, "cutoff": 60.0, "exponent": 1.0, "attenuation": [1.0, 0.0, 0.0]}
    body.add_light(name="lamp", pos=LIGHT_M, dir=aim, castshadow=True, diffuse=[0.62] * 3, specular=[0.2] * 3, **lamp)


def _dress_arm(spec: mujoco.MjSpec, meshes: tuple[Mesh, ...], fixture: HeldObject | Block) -> None:
    """Meshes in the place of the arm's primitives. The pads, which touch, stay as they are."""
    by_link = {mesh.link: mesh for mesh in meshes}
    for geom in spec.geoms:
        if geom.name in PRIMITIVES + FINGERS:
            geom.group = HIDDEN_GROUP
    for link in ("link_base", *(f"link{i}" for i in range(1, 8))):
        _add_mesh(spec, spec.body(link), by_link[link])
    flange = spec.body("gripper").add_body(name="show_gripper", pos=[0, 0, -FLANGE_TO_TCP_M])
    _add_mesh(spec, flange, by_link["xarm_gripper_base_link"])
    apart_m = STROKE_M if isinstance(fixture, Block) else fixture.grip_m[1] / 2
    for side, sign in SIDES:
        _add_finger(spec, flange, by_link, side, sign, knuckle_angle_rad(apart_m + PAD_THICKNESS_M))


def _turns(sign: float, angle_rad: float) -> tuple[list[float], list[float]]:
    """Quaternions of a knuckle in the gripper and of its finger, which stays upright, in the knuckle."""
    w, x = float(np.cos(angle_rad / 2)), sign * float(np.sin(angle_rad / 2))
    return [w, x, 0.0, 0.0], [w, -x, 0.0, 0.0]


def _add_finger(
    spec: mujoco.MjSpec, flange: mujoco.MjsBody, by_link: dict[str, Mesh], side: str, sign: float, angle_rad: float
) -> None:
    turn, back = _turns(sign, angle_rad)
    for part, (y, z) in (("outer_knuckle", KNUCKLE_M), ("inner_knuckle", INNER_M)):
        knuckle = flange.add_body(name=f"show_{side}_{part}", pos=[0, sign * y, z], quat=turn)
        _add_mesh(spec, knuckle, by_link[f"{side}_{part}"])
        if part == "outer_knuckle":
            finger = knuckle.add_body(name=f"show_{side}_finger", pos=[0, sign * FINGER_M[0], FINGER_M[1]], quat=back)
            _add_mesh(spec, finger, by_link[f"{side}_finger"])


def _add_mesh(spec: mujoco.MjSpec, body: mujoco.MjsBody, mesh: Mesh) -> None:
    name = f"show_{mesh.link}"
    spec.add_mesh(name=name, file=str(mesh.path), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    kind = mujoco.mjtGeom.mjGEOM_MESH
    body.add_geom(name=name, type=kind, meshname=name, rgba=[*mesh.colour, 1.0], **UNSEEN)
