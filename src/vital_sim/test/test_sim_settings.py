"""Where a policy is measured: places and looks that no demonstration has seen, and draws that stay in their ranges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import VitalError
from vital_core.task import load_task, task_names
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.fixtures import BLOCK
from vital_sim.world.variation import (
    ALL_SETTINGS,
    DEPLOYMENT,
    DEPLOYMENT_PLACES,
    EXACT,
    LOOK_SEEDS,
    PLACE_SPREAD_M,
    PLACES,
    SETTINGS,
    TILTS_DEG,
    variant_name,
    variants_of,
    variation_of,
)
from vital_sim.world.world import World

seeds = st.integers(0, 2**31 - 1)


@pytest.fixture(scope="module")
def worlds():
    return {name: World(load_task(name)) for name in task_names()}


def yaw_of(pose):
    return float(np.arctan2(pose[1, 0], pose[0, 0]))


@pytest.mark.parametrize("setting", ALL_SETTINGS)
def test_a_variant_s_name_tells_its_place_and_its_look(setting):
    variants = variants_of("usb_insertion", setting)
    names = [variant_name(setting, k) for k in range(len(variants))]
    assert len(set(names)) == len(variants) and (setting == "in_domain" or setting in TILTS_DEG) == (names == ["home"])
    for name, variant in zip(names, variants, strict=True):
        if "look " in name:
            assert int(name.rpartition("look ")[2]) == variant.scene.look_seed
        if "place " in name:
            places = DEPLOYMENT_PLACES if setting == DEPLOYMENT else PLACES
            x_m = places[int(name.partition("place ")[2].split(",")[0]) - 1][0]
            assert variant.variation.target_x_m[0] == x_m
    with pytest.raises(IndexError):
        variant_name("scene", 3)


@pytest.mark.parametrize("task", task_names())
@given(seed=seeds)
@examples(max_examples=25, deadline=None)
def test_targets_and_in_hand_offsets_stay_in_their_ranges(worlds, task, seed):
    world, variation = worlds[task], variation_of(task)
    world.reset(seed)
    pose, ranges = world.truth().t_base_target, (variation.target_x_m, variation.target_y_m)
    for value, (centre, half) in zip(pose[:2, 3], ranges, strict=True):
        assert abs(value - centre) <= half + 1e-9
    assert abs(yaw_of(pose) - variation.target_yaw_rad[0]) <= variation.target_yaw_rad[1] + 1e-9
    if task != "pick_block":
        offset = pose_of.to_vector(world.truth().t_tcp_object)
        assert np.abs(offset[:3]).max() <= variation.offset_m + 1e-9


@given(seed=seeds)
@examples(max_examples=15, deadline=None)
def test_block_lies_on_the_table_whatever_is_drawn(worlds, seed):
    world = worlds["pick_block"]
    world.reset(seed)
    assert world.truth().t_base_target[2, 3] == pytest.approx(BLOCK.size_m[2])
    world.advance(0.2)
    assert world.truth().t_base_target[2, 3] == pytest.approx(BLOCK.size_m[2], abs=2e-4)


@pytest.mark.parametrize("task", task_names())
@given(seed=seeds)
@examples(max_examples=15, deadline=None)
def test_episode_begins_in_the_start_region_and_follows_from_the_seed(worlds, task, seed):
    world = worlds[task]
    world.begin(seed)
    start, target = world.t_base_tcp(), world.site_pose("target_opening")[:3, 3]
    yaw = world.variation.target_yaw_rad[0]
    nominal = pose_of.from_vector(target, (0.0, 0.0, yaw))
    offset = (pose_of.inverse(nominal) @ start)[:3, 3] - world.task.start_centre_m
    assert (np.abs(offset) <= np.array(world.task.start_region_m) / 2 + 1e-4).all()
    world.begin(seed)
    np.testing.assert_array_equal(world.t_base_tcp(), start)


def test_unseen_places_are_outside_of_where_demonstrations_were_shown():
    for task in task_names():
        home = variation_of(task)
        for variant in variants_of(task, "spatial"):
            moved = variant.variation
            apart = [
                abs(m[0] - h[0]) > m[1] + h[1]
                for m, h in ((moved.target_x_m, home.target_x_m), (moved.target_y_m, home.target_y_m))
            ]
            assert any(apart) and moved.target_x_m[1] == PLACE_SPREAD_M


@pytest.mark.parametrize("task", task_names())
def test_unseen_places_are_within_reach_and_inside_the_workspace(worlds, task):
    world = worlds[task]
    for i, variant in enumerate(variants_of(task, "spatial")):
        world.stage(SceneConfig(), variant.variation)
        for seed in range(4):
            world.begin(10 * i + seed)
            position = world.t_base_tcp()[:3, 3]
            assert (position >= world.task.workspace_lower_m).all()
            assert (position <= world.task.workspace_upper_m).all()
    world.stage(SceneConfig(), variation_of(task))


def test_spatial_moves_and_scene_dresses_and_both_do_both():
    home = variants_of("usb_insertion", "in_domain")[0]
    spatial, scene, both = (variants_of("usb_insertion", s) for s in SETTINGS[1:])
    for i in range(len(PLACES)):
        assert spatial[i].scene == home.scene and scene[i].variation == home.variation
        assert both[i].scene == scene[i].scene and both[i].variation == spatial[i].variation
        assert scene[i].scene.look_seed == LOOK_SEEDS[i] and scene[i].scene.background == "clutter"


@pytest.mark.parametrize("setting", TILTS_DEG)
@pytest.mark.parametrize("task", ["usb_insertion", "plug_in_socket"])
def test_a_tilted_target_leans_to_any_side_and_the_hand_begins_along_its_axis(worlds, task, setting):
    world, sides = worlds[task], set()
    (variant,) = variants_of(task, setting)
    world.stage(variant.scene, variant.variation)
    for seed in range(8):
        world.begin(seed)
        opening, hand = world.site_pose("target_opening"), world.t_base_tcp()
        assert np.rad2deg(np.arccos(opening[2, 2])) == pytest.approx(TILTS_DEG[setting], abs=1e-6)
        sides.add((opening[0, 2] > 0, opening[1, 2] > 0))
        np.testing.assert_allclose(hand[:3, 2], -opening[:3, 2], atol=1e-3)
        offset = (pose_of.inverse(world.nominal_target()) @ hand)[:3, 3] - world.task.start_centre_m
        assert (np.abs(offset) <= np.array(world.task.start_region_m) / 2 + 1e-4).all()
    assert len(sides) > 2
    world.stage(SceneConfig(), variation_of(task))


def test_a_block_on_the_table_does_not_lean():
    with pytest.raises(VitalError, match="lies on the table"):
        variants_of("pick_block", "tilt_10")


def test_in_hand_offset_is_the_same_in_every_setting():
    for setting in SETTINGS:
        for variant in variants_of("card_swipe", setting):
            home = variation_of("card_swipe")
            assert (variant.variation.offset_m, variant.variation.offset_rad) == (home.offset_m, home.offset_rad)


def test_target_that_turns_by_itself_is_turned_on_top_of_its_unseen_place():
    spread = variation_of("key_in_lock").target_yaw_rad[1]
    assert all(v.variation.target_yaw_rad[1] == spread for v in variants_of("key_in_lock", "spatial"))


def test_exact_variation_changes_only_the_hand():
    assert (EXACT.offset_m, EXACT.offset_rad) == (0.0, 0.0)
    assert EXACT.target_x_m == variation_of("usb_insertion").target_x_m


def test_deployments_stand_among_things_at_five_places_of_their_own():
    variants = variants_of("usb_insertion", DEPLOYMENT)
    assert len(variants) == 5 and not set(DEPLOYMENT_PLACES) & set(PLACES)
    assert all(v.scene.distractors for v in variants)
    world = World(load_task("usb_insertion"))
    for variant, (x, y, yaw_deg) in zip(variants, DEPLOYMENT_PLACES, strict=True):
        world.stage(variant.scene, variant.variation)
        world.reset(3)
        pose = world.truth().t_base_target
        assert np.abs(pose[:2, 3] - [x, y]).max() <= PLACE_SPREAD_M
        assert yaw_deg and np.rad2deg(yaw_of(pose)) == pytest.approx(yaw_deg, abs=2.1)
