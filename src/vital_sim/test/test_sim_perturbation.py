"""What is otherwise is otherwise by as much as is said, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import VitalError
from vital_core.observation import Action
from vital_core.task import load_task, task_names
from vital_sim.evaluation import report, report_page
from vital_sim.evaluation.evaluation import Cell, Trial, finished_trials, report_of, write_report
from vital_sim.evaluation.results import Results
from vital_sim.evaluation.workers import make_env
from vital_sim.gym.perturbation import BRIGHT, DARK, NONE, PERTURBATIONS, SHIFT_PX, Delay, perturbation_of
from vital_sim.world.contact import ContactConfig
from vital_sim.world.fixtures import fixture_for
from vital_sim.world.variation import variation_of

DOWN, FASTER = (np.array([0.0, 0.0, z_m, 0.0, 0.0, 0.0, 1.0]) for z_m in (0.002, 0.004))
images = st.integers(0, 2**32 - 1).map(lambda s: np.random.default_rng(s).integers(0, 256, (128, 128, 3), np.uint8))


def changed(name, image, seed=0):
    found = PERTURBATIONS[name].perceived(image, seed)
    np.testing.assert_array_equal(found, PERTURBATIONS[name].perceived(image, seed))  # one side an episode
    assert found.dtype == np.uint8 and found.shape == image.shape
    return found


@pytest.fixture
def env_of():
    made = []

    def make(name):
        made.append(make_env("usb_insertion", "in_domain", perturbation=name))
        return made[-1]

    yield make
    for env in made:
        env.close()


@given(images, st.sampled_from([("dark", DARK), ("bright", BRIGHT)]))
@settings(max_examples=20)
def test_exposure_scales_what_is_not_clipped(image, given_name):
    name, gain = given_name
    found = changed(name, image)
    np.testing.assert_array_equal(found, np.minimum(np.rint(gain * image), 255))


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_a_knocked_camera_moves_what_it_shows_by_five_pixels_to_a_side_of_the_seeds(seed):
    image = np.zeros((128, 128, 3), np.uint8)
    image[60:69, 60:69] = 200
    found = changed("shift_5px", image, seed).astype(float).sum(axis=2)
    v, u = np.indices(found.shape)
    moved = np.array([(found * axis).sum() / found.sum() - 64.0 for axis in (u, v)])
    assert np.hypot(*moved) == pytest.approx(SHIFT_PX, abs=0.1)
    assert (changed("shift_5px", image, seed + 1) != changed("shift_5px", image, seed)).any()


def test_blur_spreads_an_edge_and_keeps_what_is_even():
    edge = np.zeros((128, 128, 3), np.uint8)
    edge[:, 64:] = 200
    found = changed("blur_2px", edge)
    assert found[0, 0, 0] == 0 and found[0, -1, 0] == 200 and 60 < found[64, 63, 0] < 100
    even = np.full((128, 128, 3), 77, np.uint8)
    np.testing.assert_array_equal(changed("blur_2px", even), even)


@pytest.mark.parametrize(("name", "ticks"), [("late_1", 1), ("late_2", 2), ("dark", 0)])
def test_late_actions_come_in_their_order_and_the_arm_stands_until_the_first(name, ticks):
    delay = Delay(perturbation_of(name).late_ticks)
    for _ in range(2):  # nothing of an episode reaches the next
        delay.begin()
        asked = [Action(np.full(3, 0.001 * (i + 1)), np.zeros(3), 1.0) for i in range(5)]
        told = [delay.next(action) for action in asked]
        assert told[ticks:] == asked[: 5 - ticks]
        assert all(not action.to_array()[:6].any() and action.gripper == 1.0 for action in told[:ticks])


def test_environment_sees_and_acts_otherwise(env_of):
    usual, dark, late = (env_of(name) for name in (NONE, "dark", "late_1"))
    (seen, _), (darker, _), (same, _) = (env.reset(seed=5) for env in (usual, dark, late))
    np.testing.assert_array_equal(darker["image"], np.rint(DARK * seen["image"]))
    np.testing.assert_array_equal(dark.render(), darker["image"])
    np.testing.assert_array_equal(same["image"], seen["image"])
    *_, now = usual.step(DOWN)
    *_, still = late.step(FASTER)
    *_, then = late.step(DOWN)
    assert not still["executed"][:6].any()
    assert now["executed"][2] == pytest.approx(0.002) and then["executed"][2] == pytest.approx(0.004)


@pytest.mark.parametrize("task", task_names())
@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_a_perturbed_world_differs_in_its_one_thing(task, name):
    skill = load_task(task).skill
    if skill == "pick" and name in ("clearance_70", "clearance_130", "in_hand_150"):
        with pytest.raises(VitalError, match="pick_block"):
            PERTURBATIONS[name].world(load_task(task))
        return
    fields, usual = PERTURBATIONS[name].world(load_task(task)), variation_of(task)
    if name.startswith("friction"):
        share = {"friction_half": 0.5, "friction_double": 2.0}[name]
        contact = ContactConfig()
        rough = replace(contact, friction=share * contact.friction, pad_friction=share * contact.pad_friction)
        assert fields == {"contact": rough}
    elif name.startswith("clearance"):
        own, (fixture,) = fixture_for(load_task(task).held_object), fields.values()
        share = {"clearance_70": 0.7, "clearance_130": 1.3}[name]
        assert fixture.clearance_m == pytest.approx(share * own.clearance_m)
        assert fixture.object_mass_kg == own.object_mass_kg
    elif name in ("in_hand_150", "start_150", "yaw_20"):
        changes = {
            "in_hand_150": {"offset_m": 1.5 * usual.offset_m, "offset_rad": 1.5 * usual.offset_rad},
            "start_150": {"start_share": 1.5},
            "yaw_20": {"target_yaw_rad": (0.0, np.deg2rad(20.0))},
        }
        assert fields == {"variation": replace(usual, **changes[name])}
    else:
        assert fields == {}


def test_unknown_perturbation_and_one_elsewhere_than_in_domain_are_refused():
    with pytest.raises(VitalError, match="perturbation is 'fog', expected one of shift_5px"):
        make_env("usb_insertion", "in_domain", perturbation="fog")
    with pytest.raises(VitalError, match="the setting is 'scene'"):
        make_env("usb_insertion", "scene", perturbation="dark")


CELL = Cell("usb_insertion", "in_domain", 100, 3, {"sha256": "a" * 64, "method": "vital"}, perturbation="dark")


def cells(outcomes, perturbation, task="usb_insertion"):
    trials = [
        Trial(100 + i, 0, won, "" if won else "missed", 5, 0, 0.0, 0.0, 0.0, 0.0, 9.0) for i, won in enumerate(outcomes)
    ]
    return report_of(replace(CELL, task=task, perturbation=perturbation), trials, "evaluate")


def test_a_perturbed_cell_is_one_of_its_own(tmp_path):
    assert CELL.name == "usb_insertion_in_domain_dark_vital"
    path = tmp_path / "cell.json"
    write_report(path, CELL, [], "evaluate")
    assert finished_trials(path, CELL) == []
    with pytest.raises(VitalError, match="perturbation dark, expected"):
        finished_trials(path, replace(CELL, perturbation=NONE))


def test_report_sets_what_is_otherwise_against_the_same_trials_as_usual():
    results = Results([cells((True, True, False, True), NONE), cells((True, False, True, False), "dark")])
    assert results.settings == ["in_domain"] and results.located == []
    pair = results.against_usual(results.perturbed["usb_insertion", "dark", "vital"])
    assert (pair.only_a, pair.only_b) == (1, 2)
    text = report.markdown(results)
    assert "| exposure x 0.6 | 2/4 (15 to 85 %); 1 : 2 |" in text and "out of focus" not in text
    assert "| as trained | 3/4 (30 to 95 %) |" in text and "Unseen" not in text
    assert "exposure x 0.6" in report_page.page(results)
    alone = Results([cells((True,), "dark")])
    assert "| as trained | not measured |" in report.markdown(alone) and report_page.page(alone)


def test_start_region_grows_about_its_middle_and_nothing_else_moves(env_of):
    envs = [env_of(name) for name in (NONE, "start_150")]
    for seed in (3, 4):
        for env in envs:
            env.reset(seed=seed)
        worlds = [env.world for env in envs]
        tips = [(pose_of.inverse(w.site_pose("target_opening")) @ w.site_pose("tip"))[:3, 3] for w in worlds]
        middle = np.array(worlds[0].task.start_offset_m)
        np.testing.assert_allclose(tips[1] - middle, 1.5 * (tips[0] - middle), atol=0.004)  # as it is held
        np.testing.assert_allclose(*(w.site_pose("target_opening") for w in worlds))
