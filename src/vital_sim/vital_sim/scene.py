"""How the world looks: lights, colours, surfaces and clutter. Nothing here touches anything.

`decorate` adds what is only seen to a model under construction; `randomise` varies it for an episode without
recompiling. The wrist and scene cameras' mounts are in `cameras`.
"""

from dataclasses import dataclass

import mujoco
import numpy as np

from vital_core.errors import ErrorCode, VitalError
from vital_sim import props
from vital_sim.connectors import CONNECTORS, HOUSING_HEIGHT_M, housing_boxes

BACKGROUNDS = ("green", "plain", "clutter")
_GREEN = np.array([0.13, 0.55, 0.22])
_UNSEEN = {"contype": 0, "conaffinity": 0, "mass": 0.0}
# Faces, lead-in, inside and skirt of each target's housing.
_LOOKS = {
    "usb_stick": ((0.20, 0.24, 0.34), (0.80, 0.82, 0.85), (0.02, 0.02, 0.03), (0.16, 0.19, 0.28)),
    "plug": ((0.93, 0.93, 0.90), (0.55, 0.55, 0.55), (0.03, 0.03, 0.03), (0.88, 0.88, 0.85)),
}


@dataclass(frozen=True)
class SceneConfig:
    """Appearance of the scene.

    background: what lies on the table: a green screen (demonstrations and the deployment's default), a plain
    table of any colour, or a patterned one with clutter. distractors: how many other things stand about; None:
    2 for clutter, otherwise 0. extra_target: the held object ("usb_stick", "plug") whose target stands about
    as well, for seeing only. light_variation, colour_variation: relative, 0 for none.
    """

    background: str = "green"
    distractors: int | None = None
    extra_target: str | None = None
    light_variation: float = 0.15
    colour_variation: float = 0.05

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"background is '{self.background}', expected one of {', '.join(BACKGROUNDS)}",
            )
        if self.extra_target is not None and self.extra_target not in CONNECTORS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"extra_target is '{self.extra_target}', expected one of {', '.join(CONNECTORS)}",
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
    props.add_props(spec)


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
    spec.worldbody.add_geom(name="sheet", type=box, pos=[0.45, 0, 0.0002], size=[0.42, 0.62, 0.0002], **_UNSEEN)
    spec.worldbody.add_geom(
        name="wall", type=box, pos=[-0.5, 0, 0.5], size=[0.01, 2.0, 1.5], rgba=[0.7, 0.7, 0.7, 1], **_UNSEEN
    )
    spec.worldbody.add_geom(
        name="ground", type=box, pos=[0.5, 0, -0.8], size=[3.0, 3.0, 0.01], rgba=[0.4, 0.4, 0.4, 1], **_UNSEEN
    )


def _colour_of(geom_name: str, held_object: str) -> list[float]:
    face, lead_in, inside, _ = _LOOKS[held_object]
    kind = geom_name.removeprefix("target_").removeprefix("extra_target_")
    colour = lead_in if kind.startswith("chamfer") else face if kind.startswith("rim") else inside
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
    connector, colour = CONNECTORS[held_object], [*_LOOKS[held_object][3], 1.0]
    x, y = connector.housing_m[0] / 2, connector.housing_m[1] / 2
    half_z = (HOUSING_HEIGHT_M - connector.chamfer_m) / 2
    z = -connector.chamfer_m - half_z
    for name, sign in (("a", 1.0), ("b", -1.0)):
        fields = {"type": mujoco.mjtGeom.mjGEOM_BOX, "rgba": colour, **_UNSEEN}
        body.add_geom(name=f"{prefix}_skirt_x{name}", pos=[sign * x, 0, z], size=[0.0006, y, half_z], **fields)
        body.add_geom(name=f"{prefix}_skirt_y{name}", pos=[0, sign * y, z], size=[x, 0.0006, half_z], **fields)
    props.add_housing_details(body, prefix, held_object, connector.housing_m)


def _add_extra_target(spec: mujoco.MjSpec, held_object: str) -> None:
    body = spec.worldbody.add_body(name="extra_target", pos=[0.4, 0.2, 0.035])
    for box in housing_boxes(CONNECTORS[held_object]):
        quat = np.zeros(4)
        mujoco.mju_axisAngle2Quat(quat, _axis(box.rotation_rad), float(np.linalg.norm(box.rotation_rad)))
        name = f"extra_target_{box.name}"
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=list(box.centre_m),
            size=list(box.half_m),
            quat=quat,
            rgba=_colour_of(name, held_object),
            **_UNSEEN,
        )
    _add_skirt(body, "extra_target", held_object)


def _axis(rotation_rad: tuple[float, float, float]) -> np.ndarray:
    angle = np.linalg.norm(rotation_rad)
    return np.array([1.0, 0.0, 0.0]) if angle == 0.0 else np.array(rotation_rad) / angle


def randomise(model: mujoco.MjModel, data: mujoco.MjData, scene: SceneConfig, rng: np.random.Generator) -> None:
    """Vary the appearance for one episode without recompiling; ``data`` must have the target in its place."""
    _vary_lights(model, scene, rng)
    _lay_sheet(model, scene, rng)
    target = model.body_pos[model.body("target").id][:2]
    taken = [np.array(target)]
    if scene.extra_target is not None:
        taken.append(_place_extra_target(model, rng, target))
    props.place_props(model, scene.distractor_count, rng, taken)
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
