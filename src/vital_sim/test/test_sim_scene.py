"""The look: the same seed gives the same one, clutter keeps its distance, and nothing of it touches anything."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task, task_names
from vital_sim.scenery.look import BACKGROUNDS, REAL_COLOURS, SceneConfig, nominal_colours
from vital_sim.world import scene as scenery
from vital_sim.world.props import LOW, PROPS, TALL_CLEARANCE_M, shown_props
from vital_sim.world.variation import variation_of
from vital_sim.world.world import World

CLUTTER = SceneConfig("clutter", distractors=5, extra_target="plug")


@pytest.fixture(scope="module")
def world() -> World:
    return World(load_task("usb_insertion"), scene=CLUTTER)


@pytest.fixture(autouse=True)
def as_made(world):
    world.stage(CLUTTER, variation_of("usb_insertion"))


@pytest.fixture(scope="module")
def view(world):
    """Shows the world as it is, without a sensor's noise."""
    with mujoco.Renderer(world.model, 120, 160) as renderer:

        def show():
            renderer.update_scene(world.data, "scene_camera")
            return renderer.render()

        yield show


def places_of(world):
    """(n, 2) of the target, the extra target and every distractor in view."""
    others = [point[:2] for point in shown_props(world.model).values()]
    return np.array([world.data.body("target").xpos[:2], world.model.body("extra_target").pos[:2], *others])


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_same_seed_gives_the_same_look_and_another_seed_another(world, view, background):
    world.stage(replace(CLUTTER, background=background), world.variation)
    looks = []
    for seed in (3, 4, 3):
        world.reset(seed)
        looks.append(view())
    np.testing.assert_array_equal(looks[0], looks[2])
    assert np.abs(looks[0].astype(int) - looks[1]).mean() > 1.0


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("before", BACKGROUNDS)
def test_look_does_not_depend_on_what_was_staged_before(world, view, background, before):
    looks = []
    for earlier in (background, before):
        world.stage(replace(CLUTTER, background=earlier, look_seed=5), world.variation)
        world.reset(17)
        world.stage(replace(CLUTTER, background=background), world.variation)
        world.reset(3)
        looks.append(view())
    np.testing.assert_array_equal(*looks)


def test_look_seed_gives_every_episode_the_same_surface_and_lights(world):
    world.stage(replace(CLUTTER, look_seed=77), world.variation)
    seen = []
    for seed in (1, 2):
        world.reset(seed)
        sheet = world.model.geom("sheet").id
        seen.append((world.model.light_dir.copy(), world.model.geom_matid[sheet], world.model.mat_rgba.copy()))
    for first, second in zip(*seen, strict=True):
        np.testing.assert_array_equal(first, second)


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=40, deadline=None)
def test_clutter_keeps_clear_of_the_targets_and_of_itself(world, seed):
    world.reset(seed)
    places = places_of(world)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(len(places), 1)]
    assert apart.min() > 0.999 * CLUTTER.clearance_m


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=40, deadline=None)
def test_close_clutter_is_low_and_tall_things_stay_away(world, seed):
    close = replace(CLUTTER, clearance_m=0.065)
    world.stage(close, world.variation)
    world.reset(seed)
    target = world.data.body("target").xpos[:2]
    for name, point in shown_props(world.model).items():
        distance_m = np.linalg.norm(point[:2] - target)
        assert distance_m > 0.999 * (close.clearance_m if name in LOW else TALL_CLEARANCE_M)


@pytest.mark.parametrize(("distractors", "most"), [(0, 0), (2, 2), (99, len(PROPS)), (None, 4)])
def test_no_more_distractors_are_shown_than_are_asked_for(world, distractors, most):
    world.stage(replace(CLUTTER, distractors=distractors), world.variation)
    for seed in range(5):
        world.reset(seed)
        assert len(shown_props(world.model)) <= most
    assert most == 0 or len(shown_props(world.model)) > 0


def test_plain_scenes_have_no_distractors_of_their_own():
    assert SceneConfig().distractor_count == SceneConfig("plain").distractor_count == 0
    assert SceneConfig("clutter").distractor_count == 4
    assert SceneConfig("green", distractors=3).distractor_count == 3


def test_distractors_that_are_not_shown_are_out_of_sight(world):
    world.stage(replace(CLUTTER, distractors=2), world.variation)
    world.reset(1)
    heights = [world.model.body(i).pos[2] for i in range(world.model.nbody) if "prop_" in world.model.body(i).name]
    assert sorted(h >= 0.0 for h in heights) == [False] * (len(PROPS) - 2) + [True] * 2
    assert max(h for h in heights if h < 0.0) < -0.3


@pytest.mark.parametrize("task", task_names())
def test_what_is_only_seen_touches_nothing_and_weighs_nothing(task):
    plain, dressed = World(load_task(task)), World(load_task(task), scene=SceneConfig("clutter", extra_target="key"))
    touching = [
        {m.geom(i).name for i in range(m.ngeom) if m.geom_contype[i] or m.geom_conaffinity[i]}
        for m in (plain.model, dressed.model)
    ]
    assert touching[0] == touching[1]
    names = [world.model.body(i).name for world in (dressed,) for i in range(world.model.nbody)]
    seen_only = [dressed.model.body(n).id for n in names if n.startswith(("prop_", "extra_"))]
    assert (dressed.model.body_mass[seen_only] == 0.0).all() and len(seen_only) >= 5


def test_another_look_changes_nothing_of_the_physics():
    ends = []
    for scene in (SceneConfig(), SceneConfig("clutter", distractors=6)):
        world = World(load_task("usb_insertion"), scene=scene)
        world.begin(4)
        world.command_joints(world.joints_rad + 0.01)
        world.advance(0.3)
        ends.append((world.joints_rad, world.tactile_ut(), world.truth().t_base_target))
    for plain, dressed in zip(*ends, strict=True):
        np.testing.assert_allclose(plain, dressed, atol=1e-9)


def test_green_screen_is_green_and_others_are_any_colour(world):
    colours = {}
    for background in ("green", "plain"):
        world.stage(replace(CLUTTER, background=background), world.variation)
        rows = []
        for seed in range(12):
            world.reset(seed)
            rows.append(world.model.geom_rgba[world.model.geom("sheet").id, :3].copy())
        colours[background] = np.array(rows)
    green = colours["green"]
    assert (green[:, 1] > 2 * green[:, 0]).all() and green.std(axis=0).max() < 0.05
    assert colours["plain"].std(axis=0).min() > 0.1


def test_staged_look_keeps_the_models_own_extra_target(world):
    world.stage(SceneConfig("plain"), world.variation)
    assert world.scene.extra_target == "plug" and world.scene.background == "plain"


def test_extra_target_takes_other_colours_and_its_own_again_apart_from_the_tasks(world):
    before, ivory = world.model.geom_rgba.copy(), REAL_COLOURS["plug"][1]
    scenery.repaint(world.model, "plug", ivory, "extra_target")
    changed = {world.model.geom(i).name for i in np.flatnonzero((world.model.geom_rgba != before).any(axis=1))}
    assert changed and all(name.startswith("extra_target_") for name in changed)
    np.testing.assert_allclose(world.model.geom("extra_target_plate").rgba[:3], ivory.trim)
    scenery.repaint(world.model, "plug", nominal_colours("plug"), "extra_target")
    np.testing.assert_allclose(world.model.geom_rgba, before, atol=1e-6)


def test_points_to_click_are_on_what_they_name(world):
    for seed in range(5):
        world.reset(seed)
        points = world.clickable_points()
        np.testing.assert_allclose(points["USB port"], world.site_pose("target_opening")[:3, 3])
        np.testing.assert_allclose(points["socket"], world.data.body("extra_target").xpos, atol=1e-9)
        for name, (height_m, _) in PROPS.items():
            if name in points:
                assert points[name][2] == pytest.approx(height_m)


def test_point_of_a_distractor_is_within_its_body(world):
    """A click there hits it: a ray from above meets a geom of that body."""
    world.reset(2)
    geoms = np.zeros(1, np.int32)
    for name, point in shown_props(world.model).items():
        mujoco.mj_ray(world.model, world.data, np.add(point, [0, 0, 0.5]), np.array([0, 0, -1.0]), None, 1, -1, geoms)
        body = world.model.body(world.model.geom_bodyid[geoms[0]]).name
        assert body == f"prop_{name.replace(' ', '_')}"


@pytest.mark.parametrize("field", ["background", "extra_target"])
def test_look_that_there_is_not_is_refused_with_those_that_there_are(field):
    with pytest.raises(VitalError, match=f"{field} is 'marmalade', expected one of ") as refusal:
        SceneConfig(**{field: "marmalade"})
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_block_task_has_no_second_block_among_its_distractors():
    world = World(load_task("pick_block"), scene=SceneConfig("clutter", distractors=99))
    assert "block" not in shown_props(world.model) and "block" in world.clickable_points()


@pytest.mark.parametrize("task", [name for name in task_names() if load_task(name).skill == "insert"])
def test_one_sees_down_to_the_floor_of_every_slot(task):
    """Nothing that is only seen lies across an opening: straight down from its mouth comes the floor."""
    world = World(load_task(task))
    connector, opening = world.fixture, world.site_pose("target_opening")
    (hx, hy), found = np.array(connector.prong_m[:2]) / 2, np.zeros(1, np.int32)
    for middle in connector.prong_x_m:
        for x, y in ((0.0, 0.0), (hx, hy), (-hx, hy), (hx, -hy), (-hx, -hy)):
            eye = opening @ np.array([middle + x, y, 0.001, 1.0])
            depth_m = (
                mujoco.mj_ray(world.model, world.data, eye[:3], -opening[:3, 2].copy(), None, 1, -1, found) - 0.001
            )
            assert world.model.geom(found[0]).name == "target_floor", world.model.geom(found[0]).name
            assert depth_m == pytest.approx(connector.slot_depth_m, abs=1e-6)


@pytest.mark.parametrize("task", task_names())
def test_what_is_only_seen_weighs_and_touches_nothing(task):
    """What can touch are the boxes that the fixture is built of, in its place and size."""
    world = World(load_task(task))
    model, target = world.model, world.model.body("target").id
    solid = {model.geom(i).name for i in range(model.ngeom) if model.geom_bodyid[i] == target and model.geom_contype[i]}
    assert solid == {f"target_{box.name}" for box in world.fixture.target_boxes()}
    for box in world.fixture.target_boxes():
        geom = model.geom(f"target_{box.name}")
        np.testing.assert_allclose(geom.pos, box.centre_m, atol=1e-9)
        np.testing.assert_allclose(geom.size, box.half_m, atol=1e-9)
