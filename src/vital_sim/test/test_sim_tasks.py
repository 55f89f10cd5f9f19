"""Key, card and block, and the four settings: what each task asks for is what its success tells."""

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.errors import VitalError
from vital_core.task import load_task, task_names
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import PERIOD_S, run
from vital_sim.gym.env import VitalEnv
from vital_sim.validation import pick_probes, swipe_probes
from vital_sim.validation.blind import BlindController
from vital_sim.world.motion import track
from vital_sim.world.variation import PLACES, SETTINGS, variants_of
from vital_sim.world.world import World

NEW = ("key_in_lock", "card_swipe", "pick_block")


@pytest.fixture(scope="module")
def worlds():
    return {name: World(load_task(name)) for name in NEW}


def started(world, seed):
    world.begin(seed)
    return world


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("human", [False, True], ids=["expert", "human"])
def test_expert_does_the_task(worlds, name, human):
    for seed in (1, 2, 3):
        world = started(worlds[name], seed)
        assert run(world, ScriptedExpert(world, np.random.default_rng(seed), human_like=human)).success


def test_people_draw_the_card_along_the_floor_of_its_slot_and_press_gently(worlds):
    world = worlds["card_swipe"]
    for seed in (301, 302, 306):
        person = ScriptedExpert(started(world, seed), np.random.default_rng([seed, 1]), human_like=True)
        trial = run(world, person)
        assert trial.success and trial.force_n < 15.0
        assert trial.depth_m > world.task.success_depth_m + 0.001


@pytest.mark.parametrize("name", ["key_in_lock", "card_swipe"])
def test_knowing_the_place_alone_is_not_enough(worlds, name):
    outcomes = [run(world, BlindController(world)).success for world in (started(worlds[name], s) for s in range(5))]
    assert sum(outcomes) <= 2


def test_card_dropped_into_the_slot_from_above_has_not_been_swiped(worlds):
    world = worlds["card_swipe"]
    world.reset(4)
    tip = world.site_pose("target_opening") @ pose_of.point_down([0.06, 0.0, 0.01])
    goal = tip @ pose_of.inverse(world.t_tcp_tip_at_rest())
    world.place_arm(kinematics.solve(goal, world.joints_rad, posture_rad=world.joints_rad))
    for i in range(30):
        lower = goal.copy()
        lower[2, 3] -= 0.018 * (i + 1) / 30
        track(world, lower, PERIOD_S)
    truth = world.truth()
    assert truth.depth_m > world.task.success_depth_m and truth.lateral_m < world.task.success_lateral_m
    assert truth.travel_m < 0.01 and not truth.success


def test_swipe_begins_again_when_the_card_leaves_the_slot(worlds):
    world = worlds["card_swipe"]
    world.reset(5)
    swipe_probes.push(world, 0.0, 1e9, stop_m=0.015)
    assert world.truth().travel_m > 0.008
    raised = world.t_base_tcp()
    raised[2, 3] += 0.02
    for _ in range(15):
        track(world, raised, PERIOD_S)
    assert world.truth().travel_m == 0.0


def test_block_is_lifted_only_by_closed_fingers(worlds):
    world = worlds["pick_block"]
    for closed, lifted in ((1.0, True), (0.0, False)):
        world.reset(6)
        if closed:
            pick_probes.grasp(world, 0.0)
        raised = world.t_base_tcp()
        raised[2, 3] += 0.07
        for i in range(40):
            track(world, pose_of.interpolate(world.t_base_tcp(), raised, min(1.0, i / 30)), PERIOD_S)
        assert world.truth().success == lifted


def test_touch_tells_a_gripped_block(worlds):
    score = pick_probes.grips(load_task("pick_block"), trials=3)
    assert (score.held, score.told) == (3, 3) and score.deepest_m < 1e-4


def test_touch_tells_the_side_of_the_slot():
    score = swipe_probes.touch_sides(load_task("card_swipe"), train=24, test=8)
    assert score.correct >= 7


def test_opening_the_gripper_loses_what_it_holds():
    env = VitalEnv("key_in_lock")
    env.reset(seed=0)
    *_, terminated, _, info = env.step(np.array([0, 0, 0, 0, 0, 0, 0.0]))
    assert terminated and info["outcome"] == "dropped"
    env.close()


@pytest.mark.parametrize("task", task_names())
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_take_their_variants_in_turn(task, setting):
    variants = variants_of(task, setting)
    assert len(variants) == (1 if setting == "in_domain" else 3)
    assert all(v.scene.look_seed is not None for v in variants) == (setting in ("scene", "both"))


def test_settings_share_the_in_hand_offset_and_the_start_within_the_targets_frame():
    seen = {}
    for setting in SETTINGS:
        env = VitalEnv("usb_insertion", setting=setting)
        _, info = env.reset(seed=4)
        truth = env.world.truth()
        start = (pose_of.inverse(truth.t_base_target) @ truth.t_base_tip)[:3, 3]
        seen[setting] = (info["variant"], start, truth.t_tcp_object, truth.t_base_target)
        env.close()
    assert [seen[s][0] for s in SETTINGS] == [0, 1, 1, 1]
    for setting in SETTINGS[1:]:
        np.testing.assert_allclose(seen[setting][1], seen["in_domain"][1], atol=0.001)
        np.testing.assert_allclose(seen[setting][2], seen["in_domain"][2], atol=1e-6)
    x, y, yaw_deg = PLACES[1]
    moved = pose_of.to_vector(seen["spatial"][3])
    np.testing.assert_allclose(moved[:2], [x, y], atol=0.011)
    assert np.rad2deg(moved[5]) == pytest.approx(yaw_deg, abs=2.1)


def test_unknown_setting_is_refused():
    with pytest.raises(VitalError, match="expected one of in_domain, spatial, scene, both"):
        VitalEnv("usb_insertion", setting="underwater")


def test_time_out_tells_what_happened():
    env = VitalEnv("usb_insertion")
    env.reset(seed=1)
    still = np.array([0, 0, 0, 0, 0, 0, 1.0])
    truncated = False
    while not truncated:
        *_, truncated, info = env.step(still)
    assert info["outcome"] == "time_out"
    env.close()
