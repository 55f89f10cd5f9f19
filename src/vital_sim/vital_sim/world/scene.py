"""How the world looks: lights, colours, surfaces and clutter. Nothing here touches anything.

`decorate` adds what is only seen to a model under construction; `randomise` varies it for an episode without
recompiling. The wrist and scene cameras' mounts are in `cameras`.
"""

from dataclasses import dataclass

import mujoco
import numpy as np

from vital_core.errors import ErrorCode, VitalError
from vital_sim.world import props
from vital_sim.world.block import Block
from vital_sim.world.connectors import HOUSING_HEIGHT_M
from vital_sim.world.contact import UNTOUCHABLE, add_box
from vital_sim.world.fixtures import FIXTURES, Held

BACKGROUNDS = ("green", "plain", "clutter")
_GREEN = np.array([0.13, 0.55, 0.22])
UNSEEN = {**UNTOUCHABLE, "mass": 0.0}
# Faces, lead-in, inside and skirt of each target's housing.
_LOOKS = {
    "usb_stick": ((0.20, 0.24, 0.34), (0.80, 0.82, 0.85), (0.02, 0.02, 0.03), (0.16, 0.19, 0.28)),
    "plug": ((0.93, 0.93, 0.90), (0.55, 0.55, 0.55), (0.03, 0.03, 0.03), (0.88, 0.88, 0.85)),
    "key": ((0.74, 0.62, 0.30), (0.92, 0.84, 0.55), (0.03, 0.02, 0.02), (0.60, 0.48, 0.20)),
    "card": ((0.42, 0.44, 0.47), (0.75, 0.76, 0.78), (0.02, 0.02, 0.02), (0.30, 0.32, 0.35)),
}


@dataclass(frozen=True)
class SceneConfig:
    """Appearance of the scene.

    background: what lies on the table: a green screen (demonstrations and the deployment's default), a plain
    table of any colour, or a patterned one with clutter. distractors: how many other things stand about; None:
    4 for clutter, otherwise 0. clearance_m: how far they keep from the target and each other. extra_target: the held
    object ("usb_stick", "plug", "key", "card") whose target stands about as well, for seeing only. light_variation,
    colour_variation: relative, 0 for none. look_seed: of surfaces, lights and distractors in every episode; None: the
    episode's own.
    """

    background: str = "green"
    distractors: int | None = None
    clearance_m: float = 0.10
    extra_target: str | None = None
    light_variation: float = 0.15
    colour_variation: float = 0.05
    look_seed: int | None = None

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"background is '{self.background}', expected one of {', '.join(BACKGROUNDS)}",
            )
        if self.extra_target is not None and self.extra_target not in _LOOKS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"extra_target is '{self.extra_target}', expected one of {', '.join(_LOOKS)}",
            )

    @property
    def distractor_count(self) -> int:
        """Number of distractors in view."""
        default = 4 if self.background == "clutter" else 0
        return min(len(props.PROPS), default if self.distractors is None else self.distractors)


def decorate(spec: mujoco.MjSpec, scene: SceneConfig, held_object: str = "") -> None:
    """Add lights, surfaces, the targets' colours and the props to the model under construction."""
    spec.visual.quality.offsamples = 0
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 640, 480
    # The clipping planes are multiples of the extent, which would otherwise grow with the floor.
    spec.stat.extent = 1.0
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 20.0
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.15, 0.15, 0.15]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    _add_surfaces(spec)
    for i, position in enumerate(([0.8, 0.6, 1.6], [-0.2, -0.8, 1.4])):
        spec.worldbody.add_light(
            name=f"light{i}",
            pos=position,
            dir=list(-np.array(position) + [0.45, 0.0, 0.0]),
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            castshadow=False,
            diffuse=[0.45, 0.45, 0.45],
            specular=[0.1, 0.1, 0.1],
        )
    _paint_target(spec, held_object)
    if scene.extra_target is not None:
        _add_extra_target(spec, scene.extra_target)
    props.add_props(spec, held_object)


def _add_surfaces(spec: mujoco.MjSpec) -> None:
    """A sheet that covers the table, with a choice of patterned materials, and a wall behind."""
    for i, builtin in enumerate((mujoco.mjtBuiltin.mjBUILTIN_CHECKER, mujoco.mjtBuiltin.mjBUILTIN_FLAT)):
        spec.add_texture(
            name=f"pattern{i}",
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            builtin=builtin,
            mark=mujoco.mjtMark.mjMARK_RANDOM,
            random=0.02 + 0.02 * i,
            markrgb=[0.2, 0.2, 0.2],
            rgb1=[1.0, 1.0, 1.0],
            rgb2=[0.55, 0.5, 0.5],
            width=256,
            height=256,
        )
        material = spec.add_material(name=f"pattern{i}", texrepeat=[6.0, 9.0])
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f"pattern{i}"
    box = mujoco.mjtGeom.mjGEOM_BOX
    spec.worldbody.add_geom(name="sheet", type=box, pos=[0.45, 0, 0.0002], size=[0.42, 0.62, 0.0002], **UNSEEN)
    spec.worldbody.add_geom(
        name="wall", type=box, pos=[-0.5, 0, 0.5], size=[0.01, 2.0, 1.5], rgba=[0.7, 0.7, 0.7, 1], **UNSEEN
    )
    spec.worldbody.add_geom(
        name="ground", type=box, pos=[0.5, 0, -0.8], size=[3.0, 3.0, 0.01], rgba=[0.4, 0.4, 0.4, 1], **UNSEEN
    )


def _colour_of(geom_name: str, held_object: str) -> list[float]:
    face, lead_in, inside, _ = _LOOKS[held_object]
    kind = geom_name.removeprefix("extra_").removeprefix("target_")
    # A reader's walls are its faces; a connector's are hidden under its rim.
    faces = ("rim", "wall") if held_object == "card" else ("rim",)
    colour = lead_in if kind.startswith("chamfer") else face if kind.startswith(faces) else inside
    return [*colour, 1.0]


def _paint_target(spec: mujoco.MjSpec, held_object: str) -> None:
    """Colours by which an opening can be told from its housing, and a skirt around the dark walls."""
    if held_object not in _LOOKS:
        return
    body = spec.body("target")
    for geom in body.geoms:
        geom.rgba = _colour_of(geom.name, held_object)
    _add_skirt(body, "target", held_object)


def _add_skirt(body: mujoco.MjsBody, prefix: str, held_object: str) -> None:
    fixture, colour = _housed(held_object), [*_LOOKS[held_object][3], 1.0]
    centre_x, top = fixture.housing_centre_x_m, fixture.skirt_top_m
    x, y = fixture.housing_m[0] / 2, fixture.housing_m[1] / 2
    half_z = (HOUSING_HEIGHT_M + top) / 2
    z = top - half_z
    fields = {"type": mujoco.mjtGeom.mjGEOM_BOX, "rgba": colour, **UNSEEN}
    for name, sign in (("a", 1.0), ("b", -1.0)):
        across, along = [0.0006, y, half_z], [x, 0.0006, half_z]
        body.add_geom(name=f"{prefix}_skirt_x{name}", pos=[centre_x + sign * x, 0, z], size=across, **fields)
        body.add_geom(name=f"{prefix}_skirt_y{name}", pos=[centre_x, sign * y, z], size=along, **fields)
    props.add_housing_details(body, prefix, held_object, fixture.housing_m)


def _housed(held_object: str) -> Held:
    fixture = FIXTURES[held_object]
    assert not isinstance(fixture, Block)
    return fixture


def _add_extra_target(spec: mujoco.MjSpec, held_object: str) -> None:
    body = spec.worldbody.add_body(name="extra_target", pos=[0.4, 0.2, 0.035])
    for box in FIXTURES[held_object].target_boxes():
        name = f"extra_target_{box.name}"
        add_box(body, "extra_target", box, _colour_of(name, held_object), **UNSEEN)
    _add_skirt(body, "extra_target", held_object)


def randomise(model: mujoco.MjModel, data: mujoco.MjData, scene: SceneConfig, rng: np.random.Generator) -> None:
    """Vary the appearance for one episode without recompiling; ``data`` must have the target in its place."""
    if scene.look_seed is not None:
        rng = np.random.default_rng(scene.look_seed)
    _vary_lights(model, scene, rng)
    _lay_sheet(model, scene, rng)
    mujoco.mj_kinematics(model, data)
    target = data.body("target").xpos[:2].copy()
    taken = [target]
    if scene.extra_target is not None:
        taken.append(_place_extra_target(model, rng, target))
    props.place_props(model, scene.distractor_count, rng, taken, scene.clearance_m)
    mujoco.mj_forward(model, data)


def _vary_lights(model: mujoco.MjModel, scene: SceneConfig, rng: np.random.Generator) -> None:
    v = scene.light_variation * (1.0 if scene.background == "green" else 2.5)
    model.vis.headlight.ambient[:] = 0.35 * (1.0 + v * rng.uniform(-1, 1))
    tint = 1.0 + 0.2 * v * rng.uniform(-1, 1, 3)
    for i in range(model.nlight):
        model.light_diffuse[i] = np.clip(0.45 * tint * (1.0 + v * rng.uniform(-1, 1)), 0.0, 1.0)
        direction = np.array([-0.35, -0.6, -1.6]) if i == 0 else np.array([0.65, 0.8, -1.4])
        direction += v * rng.uniform(-1, 1, 3)
        model.light_dir[i] = direction / np.linalg.norm(direction)


def _lay_sheet(model: mujoco.MjModel, scene: SceneConfig, rng: np.random.Generator) -> None:
    sheet, wall = model.geom("sheet").id, model.geom("wall").id
    model.geom_matid[sheet] = -1
    if scene.background == "green":
        colour = _GREEN * (1.0 + scene.colour_variation * rng.uniform(-1, 1, 3))
    else:
        colour = rng.uniform(0.15, 0.9, 3)
        model.geom_rgba[wall, :3] = rng.uniform(0.2, 0.9, 3)
    model.geom_rgba[sheet] = [*np.clip(colour, 0, 1), 1.0]
    if scene.background == "clutter":
        material = model.material(f"pattern{rng.integers(2)}").id
        model.geom_matid[sheet] = material
        model.mat_rgba[material] = [*np.clip(colour + 0.1, 0, 1), 1.0]
        # A material's colour counts only for a geom that has none of its own: MuJoCo's default grey.
        model.geom_rgba[sheet] = [0.5, 0.5, 0.5, 1.0]


def _place_extra_target(model: mujoco.MjModel, rng: np.random.Generator, target: np.ndarray) -> np.ndarray:
    body = model.body("extra_target").id
    for _ in range(50):
        place = rng.uniform([0.30, -0.25], [0.62, 0.25])
        if np.linalg.norm(place - target) > 0.11:
            break
    yaw = rng.uniform(-np.pi, np.pi)
    model.body_pos[body] = [*place, 0.035]
    model.body_quat[body] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
    return place
