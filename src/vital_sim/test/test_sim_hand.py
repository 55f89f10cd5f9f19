"""The hand: what it feels is stiffness times displacement, it slips at its limit, and fingers take their time."""

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.task import load_task
from vital_sim.world.contact import ContactConfig
from vital_sim.world.hand import FINGER_JOINTS, LOST_M, OPEN, STROKE_M
from vital_sim.world.world import World, WorldConfig

CONTACT = ContactConfig()
LIMIT = np.array(CONTACT.grasp_limit)


@pytest.fixture(scope="module")
def holding() -> World:
    return World(load_task("usb_insertion"))


@pytest.fixture(scope="module")
def pinching() -> World:
    return World(load_task("pick_block"))


def push(world: World, wrench: np.ndarray, seconds: float = 0.3) -> None:
    """Push on the object's origin with (6,) N and Nm along the TCP's axes, and let it settle."""
    body = world.model.body("held_object").id
    rotation = world.site_pose("tcp")[:3, :3]
    world.data.xfrc_applied[body] = [*(rotation @ wrench[:3]), *(rotation @ wrench[3:])]
    world.advance(seconds)


def release(world: World) -> None:
    world.data.xfrc_applied[:] = 0.0
    world.advance(0.3)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_object_gives_way_by_the_force_over_the_stiffness(holding, axis, sign):
    holding.reset(0)
    holding.advance(0.3)  # the object's own weight
    rest = holding.displacement()
    push(holding, sign * 10.0 * np.eye(6)[axis])
    moved = (holding.displacement() - rest)[axis]
    assert moved == pytest.approx(sign * 10.0 / CONTACT.grasp_stiffness[axis], rel=0.1)
    release(holding)
    assert abs((holding.displacement() - rest)[axis]) < 2e-5


def test_load_is_stiffness_times_displacement(holding):
    holding.reset(1)
    push(holding, np.array([5.0, -3.0, 8.0, 0.0, 0.02, -0.03]))
    expected = np.multiply(CONTACT.grasp_stiffness, holding.displacement())
    np.testing.assert_array_equal(holding.grasp_load(), expected)


@pytest.mark.parametrize("axis", range(3))
def test_grip_holds_below_its_limit_and_slides_beyond(holding, axis):
    for share, slides in ((0.8, False), (1.3, True)):
        holding.reset(0)
        rest = holding.t_tcp_tip_at_rest()
        push(holding, share * LIMIT[axis] * np.eye(6)[axis], seconds=0.05)
        release(holding)
        slid_m = pose_of.distance(rest, holding.t_tcp_tip_at_rest())[0]
        assert (slid_m > 1e-5) == slides


def test_load_never_exceeds_what_the_grip_gives(holding):
    holding.reset(0)
    push(holding, np.array([0.0, 0.0, 1.5 * LIMIT[2], 0.0, 0.0, 0.0]), seconds=0.02)
    assert np.abs(holding.grasp_load()[2]) <= 1.1 * LIMIT[2]


def test_object_that_has_slid_too_far_is_lost(holding):
    holding.reset(0)
    assert not holding.dropped
    for _ in range(200):
        push(holding, np.array([0.0, 0.0, 2 * LIMIT[2], 0.0, 0.0, 0.0]), seconds=0.01)
        if holding.dropped:
            break
    assert holding.dropped
    holding.reset(0)
    assert not holding.dropped


def test_hand_that_opens_loses_the_object(holding):
    holding.reset(0)
    for closed, lost in ((OPEN + 0.01, False), (OPEN - 0.01, True), (1.0, False)):
        holding.command_gripper(closed)
        assert holding.dropped == lost and holding.gripper_closed == closed


@pytest.mark.parametrize("offset", [np.zeros(6), np.array([0.001, -0.001, 0.0005, 0.03, -0.05, 0.02])])
def test_tip_at_rest_is_where_the_object_was_placed(holding, offset):
    holding.reset(0)
    holding.place_object(offset)
    np.testing.assert_allclose(
        holding.site_pose("tcp") @ holding.t_tcp_tip_at_rest(), holding.site_pose("tip"), atol=1e-9
    )
    assert np.abs(offset[:3]).max() < LOST_M
    np.testing.assert_array_equal(holding.displacement(), np.zeros(6))


def test_fingers_move_at_their_speed_and_stop_where_they_were_sent(pinching):
    pinching.reset(0)
    assert pinching.gripper_closed == 0.0
    pinching.command_gripper(0.5)
    pinching.advance(0.1)
    assert pinching.gripper_closed == pytest.approx(0.1 * CONTACT.finger_speed_m_s / STROKE_M, rel=0.05)
    pinching.advance(1.0)
    assert pinching.gripper_closed == pytest.approx(0.5)
    positions = [pinching.data.joint(name).qpos[0] for name in FINGER_JOINTS]
    np.testing.assert_allclose(positions, 0.5 * STROKE_M, atol=5e-4)


@pytest.mark.parametrize(("sent", "reached"), [(1.7, 1.0), (-0.4, 0.0)])
def test_fingers_go_no_further_than_they_can(pinching, sent, reached):
    pinching.reset(0)
    pinching.command_gripper(sent)
    pinching.advance(1.2)
    assert pinching.gripper_closed == pytest.approx(reached)


def test_empty_open_hand_feels_nothing_and_holds_nothing_to_lose(pinching):
    pinching.reset(0)
    assert np.abs(pinching.grasp_load()).max() < 0.05
    np.testing.assert_array_equal(pinching.t_tcp_tip_at_rest(), np.eye(4))
    assert not pinching.dropped


def test_pinched_block_is_felt_with_the_grip_force_at_most(pinching):
    pinching.reset(0)
    pinching.place_tcp(pinching.truth().t_base_target @ pose_of.point_down([0.0, 0.0, -0.02]))
    pinching.command_gripper(1.0)
    pinching.advance(1.2)
    pressed_n = abs(pinching.grasp_load()[1])
    assert 0.5 * CONTACT.grip_force_n < pressed_n < 1.1 * CONTACT.grip_force_n
    assert pinching.grasp_load()[3:].tolist() == [0.0, 0.0, 0.0]


def test_softer_grip_gives_way_further():
    soft = ContactConfig(grasp_stiffness=(3e3, 3e3, 4e3, 4.0, 4.0, 4.0))
    world = World(load_task("usb_insertion"), config=WorldConfig(contact=soft))
    world.reset(0)
    world.advance(0.3)
    rest = world.displacement()
    push(world, 10.0 * np.eye(6)[2])
    assert (world.displacement() - rest)[2] == pytest.approx(10.0 / 4e3, rel=0.1)
