"""Mechanics: what rests weighs what it weighs, what is gripped is held by both fingers, loads reach the joints."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.task import load_task, task_names
from vital_sim.validation.insert_probes import hover, press
from vital_sim.validation.pick_probes import grasp
from vital_sim.world.contact import ContactConfig
from vital_sim.world.fixtures import BLOCK
from vital_sim.world.hand import FINGER_JOINTS
from vital_sim.world.world import World

GRAVITY_M_S2 = 9.81
CONTACT = ContactConfig()
HELD = tuple(name for name in task_names() if load_task(name).starts_closed)
places = st.tuples(st.floats(0.30, 0.60), st.floats(-0.2, 0.2))
yaws = st.floats(-3.1, 3.1)


@pytest.fixture(scope="module")
def worlds():
    return {name: World(load_task(name)) for name in task_names()}


@pytest.fixture(scope="module")
def picking(worlds):
    return worlds["pick_block"]


@pytest.fixture(scope="module")
def gripped():
    """The block between the fingers, 3 cm above the table; only looked at."""
    made = World(load_task("pick_block"))
    made.reset(1)
    grasp(made, 0.0)
    lift(made, 0.03)
    return made


def lift(world, height_m):
    start, joints = world.t_base_tcp(), world.joints_rad
    for i in range(25):
        goal = start.copy()
        goal[2, 3] += height_m * (i + 1) / 25
        joints = kinematics.solve(goal, joints, posture_rad=joints)
        world.command_joints(joints)
        world.advance(0.02)
    world.advance(0.5)


def forces_on(world, body):
    """(n, 3) N in `link_base`: each contact's force on a body, by what touches it."""
    forces, wrench = [], np.zeros(6)
    number = world.model.body(body).id
    for i, contact in enumerate(world.data.contact):
        bodies = [world.model.geom_bodyid[g] for g in contact.geom]
        if number in bodies:
            mujoco.mj_contactForce(world.model, world.data, i, wrench)
            force = contact.frame.reshape(3, 3).T @ wrench[:3]
            forces.append(force if bodies[1] == number else -force)
    return np.array(forces).reshape(-1, 3)


@given(places, yaws)
@settings(max_examples=12, deadline=None)
def test_block_rests_where_it_is_laid_and_weighs_what_it_weighs(picking, place, yaw):
    picking.reset(0)
    picking.place_target([*place, BLOCK.size_m[2]], yaw)
    picking.advance(0.3)
    truth, weight_n = picking.truth(), BLOCK.object_mass_kg * GRAVITY_M_S2
    assert truth.contact_force_n == pytest.approx(weight_n, rel=1e-3)
    np.testing.assert_allclose(forces_on(picking, "target").sum(axis=0), [0, 0, weight_n], atol=1e-3)
    np.testing.assert_allclose(truth.t_base_target[:2, 3], place, atol=1e-5)
    assert truth.travel_m == pytest.approx(0.0, abs=1e-4) and truth.penetration_m < 1e-4


def test_lifted_block_hangs_on_both_pads_by_friction_alone(gripped):
    forces = forces_on(gripped, "target")
    np.testing.assert_allclose(forces.sum(axis=0), [0, 0, BLOCK.object_mass_kg * GRAVITY_M_S2], atol=0.02)
    across = gripped.site_pose("tcp")[:3, 1]
    pressed = forces @ across
    left_n, right_n = pressed[pressed > 0].sum(), -pressed[pressed < 0].sum()
    assert left_n == pytest.approx(right_n, rel=0.01)
    assert left_n == pytest.approx(CONTACT.grip_force_n, rel=0.1)


def test_squeeze_is_no_contact_force_what_is_carried_is(gripped):
    """The fingers press from both sides with the grip's force; of both together the weight is left."""
    pressed_n = np.abs(forces_on(gripped, "target") @ gripped.site_pose("tcp")[:3, 1]).sum()
    assert pressed_n > 20.0
    assert gripped.truth().contact_force_n == pytest.approx(BLOCK.object_mass_kg * GRAVITY_M_S2, abs=0.02)


def test_pads_share_the_blocks_weight(gripped):
    forces = forces_on(gripped, "target")
    pressed = forces @ gripped.site_pose("tcp")[:3, 1]
    up_n = [forces[side][:, 2].sum() for side in (pressed > 0, pressed < 0)]
    assert up_n == pytest.approx([BLOCK.object_mass_kg * GRAVITY_M_S2 / 2] * 2, rel=0.1)


def test_contact_pushes_never_pulls_and_stays_in_its_friction_cone(gripped):
    wrench = np.zeros(6)
    assert gripped.data.ncon >= 2
    for i, contact in enumerate(gripped.data.contact):
        mujoco.mj_contactForce(gripped.model, gripped.data, i, wrench)
        assert wrench[0] >= -1e-9
        assert np.hypot(*wrench[1:3]) <= contact.friction[0] * wrench[0] * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("aside_m", [0.002, 0.005])
def test_gripper_is_symmetric(picking, aside_m):
    """A block aside of the middle ends as far on one side as it ends on the other, mirrored."""
    ends = []
    for sign in (1.0, -1.0):
        picking.reset(2)
        picking.place_target([0.45, 0.0, BLOCK.size_m[2]], 0.0)
        target = picking.truth().t_base_target
        picking.place_tcp(target @ pose_of.point_down([0.0, sign * aside_m, -BLOCK.size_m[2] / 2]))
        picking.command_gripper(1.0)
        picking.advance(1.2)
        aside = (pose_of.inverse(picking.site_pose("tcp")) @ picking.truth().t_base_target)[1, 3]
        fingers = [picking.data.joint(name).qpos[0] for name in FINGER_JOINTS]
        ends.append((aside, fingers))
    assert ends[0][0] == pytest.approx(-ends[1][0], abs=1e-4)
    np.testing.assert_allclose(ends[0][1], ends[1][1][::-1], atol=1e-4)


@pytest.mark.parametrize("task", HELD)
def test_held_object_sags_by_its_weight_over_the_stiffness(worlds, task):
    world = worlds[task]
    world.reset(0, start=pose_of.point_down([0.40, 0.0, 0.30]))
    world.advance(0.5)
    sag_m = world.fixture.object_mass_kg * GRAVITY_M_S2 / CONTACT.grasp_stiffness[2]
    assert world.displacement()[2] == pytest.approx(sag_m, rel=0.02)
    np.testing.assert_allclose(world.displacement()[:2], 0.0, atol=1e-6)


@pytest.mark.parametrize("task", task_names())
def test_arm_in_the_air_stands_still_and_its_servos_carry_next_to_nothing(worlds, task):
    world = worlds[task]
    world.reset(3)
    world.advance(1.0)
    assert np.abs(world.joint_velocities).max() < 1e-4
    # Gravity on the links is compensated: what is left is the weight of what is held, less than 0.5 N on 0.6 m.
    assert np.abs(world.joint_efforts).max() < 0.4
    np.testing.assert_allclose(world.joints_rad, HOME_RAD, atol=1e-4)
    assert world.truth().contact_force_n <= BLOCK.object_mass_kg * GRAVITY_M_S2 * 1.01


@given(st.tuples(*[st.floats(-15.0, 15.0)] * 3))
@settings(max_examples=10, deadline=None)
def test_push_on_the_hand_reaches_the_servos_as_its_jacobian_says(worlds, force_n):
    world = worlds["usb_insertion"]
    world.reset(0)
    world.advance(0.3)
    at_rest = world.joint_efforts
    gripper = world.model.body("gripper").id
    world.data.xfrc_applied[gripper, :3] = force_n
    world.advance(0.8)
    jacobian = np.zeros((3, world.model.nv))
    mujoco.mj_jacBodyCom(world.model, world.data, jacobian, None, gripper)
    world.data.xfrc_applied[:] = 0.0
    columns = [world.model.joint(f"joint{i}").dofadr[0] for i in range(1, 8)]
    expected = -jacobian[:, columns].T @ np.array(force_n)
    np.testing.assert_allclose(world.joint_efforts - at_rest, expected, atol=0.15)


def test_press_on_the_rim_is_felt_by_the_grasp_as_the_rim_feels_it(worlds):
    """Newton's third law through the compliant grasp, the object's own weight apart."""
    world = worlds["plug_in_socket"]
    world.reset(2)
    hover(world, 0.004, np.array([0.0, 0.003]))
    unloaded = world.grasp_load()[:3]
    press(world, np.array([0.0, 0.003]), 8.0)
    world.advance(0.5)
    felt = world.site_pose("tcp")[:3, :3] @ (world.grasp_load()[:3] - unloaded)
    np.testing.assert_allclose(felt, forces_on(world, "held_object").sum(axis=0), atol=0.6)


@given(st.tuples(*[st.floats(-0.0015, 0.0015)] * 3), st.tuples(*[st.floats(-0.07, 0.07)] * 3))
@settings(max_examples=25, deadline=None)
def test_object_lies_in_the_hand_as_it_was_placed(worlds, shift_m, turn_rad):
    world = worlds["key_in_lock"]
    world.reset(0)
    world.place_object([*shift_m, *turn_rad])
    in_hand = world.truth().t_tcp_object
    np.testing.assert_allclose(in_hand[:3, 3], shift_m, atol=1e-9)
    np.testing.assert_allclose(in_hand[:3, :3], Rotation.from_euler("XYZ", turn_rad).as_matrix(), atol=1e-9)


@given(st.tuples(*[st.floats(-0.3, 0.3)] * 7), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_encoders_read_what_the_arm_was_put_at(worlds, aside, seed):
    world = worlds["usb_insertion"]
    world.reset(seed)
    joints = HOME_RAD + np.array(aside)
    world.place_arm(joints)
    np.testing.assert_allclose(world.joints_rad, joints, atol=1e-12)
    np.testing.assert_array_equal(world.commanded_joints, joints)
    assert not world.joint_velocities.any() and not world.displacement().any()


def state_of(world):
    return (world.data.qpos, world.data.qvel, world.model.body_pos, world.model.body_quat, world.model.qpos_spring,
            world.model.light_dir, world.model.geom_rgba[world.model.geom("sheet").id], world.tactile_ut())  # fmt: skip


@pytest.mark.parametrize("task", task_names())
def test_reset_forgets_whatever_was_before(worlds, task):
    """The state after a reset follows from the seed alone, not from what the world has been through."""
    world, fresh = worlds[task], World(load_task(task))
    world.begin(8)
    world.command_gripper(0.0 if world.task.starts_closed else 1.0)
    world.data.xfrc_applied[world.model.body("gripper").id] = [5.0, 5.0, -20.0, 0.5, 0.5, 0.5]
    world.command_joints(world.joints_rad + 0.2)
    world.advance(0.3)
    for each in (world, fresh):
        each.begin(21)
    for used, new in zip(state_of(world), state_of(fresh), strict=True):
        np.testing.assert_array_equal(used, new)
    assert world.gripper_closed == fresh.gripper_closed and not world.dropped
