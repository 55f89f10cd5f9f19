"""The contact world: seeds, in-hand offset, truth, slip."""

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import VitalError
from vital_core.task import load_task
from vital_sim.validation.insert_probes import hover, press
from vital_sim.world.variation import EXACT
from vital_sim.world.world import World, WorldConfig

TASKS = ("usb_insertion", "plug_in_socket")


@pytest.fixture(scope="module", params=TASKS)
def world(request) -> World:
    return World(load_task(request.param))


def test_same_seed_gives_the_same_world_to_the_last_bit(world):
    states = []
    for _ in range(2):
        world.reset(5)
        world.command_joints(HOME_RAD + 0.02)
        world.advance(0.3)
        states.append((world.data.qpos.copy(), world.tactile_ut(), world.truth().t_base_target))
    for first, second in zip(*states, strict=True):
        np.testing.assert_array_equal(first, second)


def test_target_and_in_hand_offset_stay_in_their_ranges(world):
    offsets, targets = [], []
    for seed in range(60):
        world.reset(seed)
        truth = world.truth()
        offsets.append(pose_of.to_vector(truth.t_tcp_object))
        targets.append(truth.t_base_target[:3, 3])
    offsets, targets = np.array(offsets), np.array(targets)
    assert np.abs(offsets[:, :3]).max() <= 0.0015 + 1e-9 and np.abs(offsets[:, :3]).max() > 0.0013
    assert np.abs(offsets[:, 3:]).max() <= np.deg2rad(4.4) and np.abs(offsets[:, 3:]).max() > np.deg2rad(3.5)
    assert (np.abs(targets - [0.45, 0.0, 0.035]) <= [0.04, 0.04, 0.005]).all()
    assert targets[:, :2].std(axis=0).min() > 0.015


def test_tip_at_rest_agrees_with_the_simulated_tip(world):
    world.reset(3)
    tip = world.site_pose("tcp") @ world.t_tcp_tip_at_rest()
    np.testing.assert_allclose(tip, world.site_pose("tip"), atol=1e-9)


def test_start_is_in_the_region_ten_centimetres_above_the_target(world):
    for seed in range(20):
        world.begin(seed)
        tip = world.t_base_tcp() @ pose_of.from_vector([0, 0, world.task.tip_offset_m], np.zeros(3))
        offset = tip[:3, 3] - world.site_pose("target_opening")[:3, 3]
        assert (np.abs(offset - [0.0, 0.0, 0.10]) <= np.array([0.03, 0.03, 0.005]) + 1e-4).all()


def test_start_out_of_reach_is_refused(world):
    with pytest.raises(VitalError, match="out of the arm's reach"):
        world.reset(0, start=pose_of.point_down([2.0, 0.0, 0.1]))


def test_depth_and_lateral_follow_the_tip(world):
    world.reset(1)
    hover(world, 0.010, np.array([0.003, 0.004]))
    truth = world.truth()
    assert truth.depth_m == pytest.approx(-0.010, abs=5e-4)
    assert truth.lateral_m == pytest.approx(0.005, abs=5e-4)
    assert not truth.success and truth.contact_force_n == 0.0


def test_contact_force_is_what_the_grasp_feels(world):
    world.reset(2)
    press(world, np.array([0.0, 0.003]), 10.0)
    world.advance(0.5)
    force_n = world.truth().contact_force_n
    assert force_n > 5.0
    assert np.linalg.norm(world.grasp_load()[:3]) == pytest.approx(force_n, rel=0.1)


def test_object_slips_when_pushed_beyond_the_grip(world):
    world.reset(2)
    before = world.t_tcp_tip_at_rest()
    press(world, np.array([0.0, 0.003]), 1e9)
    limits = np.array(world.config.contact.grasp_limit)
    assert (np.abs(world.grasp_load()) <= limits * 1.1).all()
    assert pose_of.distance(before, world.t_tcp_tip_at_rest())[0] > 0.001


def test_exact_variation_has_no_in_hand_offset():
    world = World(load_task("usb_insertion"), config=WorldConfig(variation=EXACT))
    world.reset(9)
    np.testing.assert_allclose(world.truth().t_tcp_object, np.eye(4), atol=1e-9)


def test_uneven_advances_add_up_to_whole_steps(world):
    world.reset(0)
    for _ in range(30):
        world.advance(1 / 30)
    assert world.time_s == pytest.approx(1.0, abs=world.model.opt.timestep)
