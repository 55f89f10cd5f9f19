"""How the world looks: lights, colours, surfaces and clutter. Nothing here touches anything.

`decorate` adds what is only seen to a model under construction; `randomise` varies it for an episode without
recompiling. The wrist and scene cameras' mounts are in `mounts`.
"""

from collections.abc import Mapping

import mujoco
import numpy as np

from vital_sim.scenery import generated_look, surfaces
from vital_sim.scenery.look import SceneConfig, TargetColours, drawn_colours, nominal_colours
from vital_sim.world import props
from vital_sim.world.boxes import SKIRT_HEIGHT_M, Housed, add_box
from vital_sim.world.contact import UNTOUCHABLE

_GREEN = np.array([0.13, 0.55, 0.22])
_WALL = (0.7, 0.7, 0.7)
UNSEEN = {**UNTOUCHABLE, "mass": 0.0}
Housings = Mapping[str, Housed]  # by the held object's name


def decorate(spec: mujoco.MjSpec, scene: SceneConfig, held_object: str, housings: Housings) -> None:
    """Add lights, surfaces, the targets' colours and the props to the model under construction.

    housings: that of the ``held_object``'s target, where it stands in one, and that of the scene's extra target.
    """
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
    if held_object in housings:
        _paint_target(spec, held_object, housings[held_object])
    if scene.extra_target is not None:
        add_seen_target(spec, "extra_target", scene.extra_target, housings[scene.extra_target])
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
    surfaces.add_surfaces(spec)
    box = mujoco.mjtGeom.mjGEOM_BOX
    spec.worldbody.add_geom(name="sheet", type=box, pos=[0.45, 0, 0.0002], size=[0.42, 0.62, 0.0002], **UNSEEN)
    spec.worldbody.add_geom(
        name="wall", type=box, pos=[-0.5, 0, 0.5], size=[0.01, 2.0, 1.5], rgba=[*_WALL, 1], **UNSEEN
    )
    spec.worldbody.add_geom(
        name="ground", type=box, pos=[0.5, 0, -0.8], size=[3.0, 3.0, 0.01], rgba=[0.4, 0.4, 0.4, 1], **UNSEEN
    )


def _colour_of(kind: str, held_object: str, colours: TargetColours | None = None) -> list[float]:
    """Of a box of a target, by the box's name; colours: None for its own."""
    colours = colours or nominal_colours(held_object)
    # A reader's walls are its faces; a connector's are hidden under its rim.
    faces = ("rim", "wall") if held_object == "card" else ("rim",)
    if kind.startswith("chamfer"):
        return [*colours.lead_in, 1.0]
    return [*(colours.face if kind.startswith(faces) else colours.inside), 1.0]


def _paint_target(spec: mujoco.MjSpec, held_object: str, housed: Housed) -> None:
    """Colours by which an opening can be told from its housing, and a skirt around the dark walls."""
    body = spec.body("target")
    for geom in body.geoms:
        geom.rgba = _colour_of(geom.name.removeprefix("target_"), held_object)
    _add_skirt(spec, body, "target", held_object, housed)


def _add_skirt(spec: mujoco.MjSpec, body: mujoco.MjsBody, prefix: str, held_object: str, housed: Housed) -> None:
    x, y = housed.housing_m[0] / 2, housed.housing_m[1] / 2
    half_z = (SKIRT_HEIGHT_M + housed.skirt_top_m) / 2
    z = housed.skirt_top_m - half_z
    colour = [*nominal_colours(held_object).skirt, 1.0]
    fields = {"type": mujoco.mjtGeom.mjGEOM_BOX, "rgba": colour, **UNSEEN}
    for name, sign in (("a", 1.0), ("b", -1.0)):
        across, along = [0.0006, y, half_z], [x, 0.0006, half_z]
        body.add_geom(name=f"{prefix}_skirt_x{name}", pos=[sign * x, 0, z], size=across, **fields)
        body.add_geom(name=f"{prefix}_skirt_y{name}", pos=[0.0, sign * y, z], size=along, **fields)
    for lining in housed.lining_boxes():
        add_box(body, prefix, lining, [0.02, 0.02, 0.02, 1.0], **UNSEEN)
    props.add_housing_details(spec, body, prefix, held_object, housed.housing_m, nominal_colours(held_object).trim)


def add_seen_target(spec: mujoco.MjSpec, name: str, held_object: str, housed: Housed) -> mujoco.MjsBody:
    """Add the target of ``held_object`` once more, for seeing only, as a body of that name; returns the body."""
    body = spec.worldbody.add_body(name=name, pos=[0.4, 0.2, 0.035])
    for box in housed.target_boxes():
        add_box(body, name, box, _colour_of(box.name, held_object), **UNSEEN)
    _add_skirt(spec, body, name, held_object, housed)
    return body


def randomise(
    model: mujoco.MjModel, data: mujoco.MjData, scene: SceneConfig, held_object: str, rng: np.random.Generator
) -> None:
    """Vary the appearance for one episode without recompiling; ``data`` must have the target in its place."""
    if scene.look_seed is not None:
        rng = np.random.default_rng(scene.look_seed)
    if scene.background == "generated":
        generated_look.light(model, rng)
        generated_look.lay_surface(model, surfaces.COUNT, rng)
        repaint(model, held_object, drawn_colours(held_object, rng))
    else:
        _vary_lights(model, scene, rng)
        _lay_sheet(model, scene, rng)
        repaint(model, held_object, nominal_colours(held_object))
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
        model.geom_rgba[wall, :3] = _WALL
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


def repaint(model: mujoco.MjModel, held_object: str, colours: TargetColours, body_name: str = "target") -> None:
    """A target in other colours: what the task is about, or one that is only seen, by its body's name."""
    body = model.body(body_name)
    for geom in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0]):
        part = model.geom(geom).name.removeprefix(f"{body_name}_")
        if part == "block" or part.startswith(("wall", "rim", "chamfer", "floor")):
            colour = colours.face if part == "block" else tuple(_colour_of(part, held_object, colours)[:3])
        elif part.startswith("skirt"):
            colour = colours.skirt
        elif part in ("hub", "bezel", "plate"):
            colour = colours.trim
        else:  # linings are dark, marks, screws and cables what they are
            continue
        model.geom_rgba[geom, :3] = colour


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
