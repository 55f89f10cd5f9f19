"""Looks that are drawn: enough of them, each its own, the parts in colours that there are, and nothing moved."""

import numpy as np
import pytest

from vital_core.task import load_task, task_names
from vital_sim.gym.env import VitalEnv
from vital_sim.scenery import surfaces
from vital_sim.scenery.look import HOUSING_COLOURS, PART_JITTER, REAL_COLOURS, nominal_colours
from vital_sim.world.variation import LOOK_SETTINGS, LOOKS, PLACES, variants_of, variation_of
from vital_sim.world.world import World

PARTS = {"face": "target_rim_front", "lead_in": "target_chamfer0_front", "inside": "target_floor"}


def test_there_are_looks_enough_and_each_is_measured_as_often_as_the_others():
    assert len(set(LOOKS)) == len(LOOKS) >= 20
    for task in task_names():
        here, elsewhere = (variants_of(task, setting) for setting in LOOK_SETTINGS)
        assert [v.scene for v in here] == [v.scene for v in elsewhere]
        assert [v.scene.look_seed for v in here] == list(LOOKS)
        assert {v.variation for v in here} == {variation_of(task)}
        places = [v.variation.target_x_m[0] for v in elsewhere]
        assert {places.count(x) for x, _, _ in PLACES} == {len(LOOKS) // len(PLACES)}


def test_every_surface_is_its_own_and_fills_its_range():
    found = [surfaces.surface(kind) for kind in range(surfaces.COUNT)]
    assert len({s.tobytes() for s in found}) == surfaces.COUNT >= 10
    for texture in found:
        assert texture.shape == (256, 256, 3) and texture.std() > 4.0 and 80 < texture.mean() <= 255


@pytest.fixture(scope="module")
def env():
    made = VitalEnv("usb_insertion", setting="looks")
    yield made
    made.close()


def test_an_episode_has_the_look_of_its_seed_and_looks_differ(env):
    first = [env.reset(seed=seed)[0]["image"] for seed in range(len(LOOKS))]
    assert np.array_equal(env.reset(seed=3)[0]["image"], first[3])
    for i, image in enumerate(first):
        others = [np.abs(image.astype(int) - other).mean() for other in first[:i]]
        assert min(others, default=99.0) > 4.0, f"look {i} is like look {int(np.argmin(others))}"


@pytest.mark.parametrize("task", task_names())
def test_the_targets_parts_have_colours_that_there_are(task):
    world, held = World(load_task(task)), load_task(task).held_object
    drawn = set()
    for variant in variants_of(task, "looks"):
        world.stage(variant.scene, variant.variation)
        world.reset(0)
        if held == "block":
            parts = {"face": world.model.geom("target_block").rgba[:3]}
        elif held == "card":
            parts = {"face": world.model.geom("target_wall_front").rgba[:3]}
        else:
            parts = {part: world.model.geom(name).rgba[:3] for part, name in PARTS.items()}
        near = [
            kind
            for kind, colours in enumerate(REAL_COLOURS[held])
            if all(
                np.abs(rgb - getattr(colours, part)).max() <= PART_JITTER * max(getattr(colours, part)) + 1e-6
                for part, rgb in parts.items()
            )
        ]
        assert near, f"{held} is {parts}"
        assert "inside" not in parts or parts["inside"].max() < 0.05, "an opening is dark"
        drawn.update(near)
    assert drawn == set(range(len(REAL_COLOURS[held]))), "some colours are never drawn"


@pytest.mark.parametrize("held", sorted(HOUSING_COLOURS))
def test_a_lead_in_is_told_from_its_face_in_every_colour(held):
    assert REAL_COLOURS[held][0] == nominal_colours(held)
    for colours in REAL_COLOURS[held]:
        assert np.abs(np.subtract(colours.face, colours.lead_in)).max() > 0.08
        assert np.abs(np.subtract(colours.face, colours.inside)).max() > 0.02


def test_a_look_changes_what_is_seen_and_nothing_else(env):
    places = []
    for setting in ("in_domain", "looks"):
        variant = variants_of("usb_insertion", setting)[0]
        env.world.stage(variant.scene, variant.variation)
        env.world.begin(5)
        places.append([env.world.t_base_tcp(), env.world.site_pose("target_opening"), env.world.tactile_ut()[None]])
    for plain, dressed in zip(*places, strict=True):
        np.testing.assert_array_equal(plain, dressed)
