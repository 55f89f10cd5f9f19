"""Tracking of the simulated arm: delay, lag, speed limit, compliance and repeatability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import HOME_RAD, MAX_JOINT_SPEED_RAD_S
from vital_core.task import load_task
from vital_sim.world.arm import ArmConfig, TrackingFilter
from vital_sim.world.motion import track
from vital_sim.world.world import SERVO_PERIOD_S, World

jumps = st.tuples(*[st.floats(-1.0, 1.0)] * 7)


@pytest.fixture(scope="module")
def world() -> World:
    return World(load_task("usb_insertion"))


def _filter() -> TrackingFilter:
    tracking = TrackingFilter(ArmConfig())
    tracking.reset(HOME_RAD)
    return tracking


def test_reference_does_not_move_before_the_delay():
    tracking = _filter()
    tracking.command(HOME_RAD + 0.01)
    for _ in range(3):
        np.testing.assert_array_equal(tracking.step(0.004), HOME_RAD)
    tracking.step(0.004)
    assert (tracking.step(0.004) > HOME_RAD).all()


def test_reference_reaches_a_step_without_overshoot():
    tracking = _filter()
    tracking.command(HOME_RAD + 0.05)
    path = np.array([tracking.step(0.004) for _ in range(100)])
    assert path.max(axis=0) == pytest.approx(HOME_RAD + 0.05, abs=1e-6)


def test_reference_never_exceeds_the_joint_speed_limit():
    tracking = _filter()
    tracking.command(HOME_RAD + 1.0)
    path = np.array([HOME_RAD, *(tracking.step(0.004) for _ in range(300))])
    assert np.abs(np.diff(path, axis=0)).max() <= MAX_JOINT_SPEED_RAD_S * 0.004 + 1e-9
    np.testing.assert_allclose(path[-1], HOME_RAD + 1.0, atol=1e-6)


def test_tracking_does_not_depend_on_the_step():
    ends = []
    for steps, dt in ((40, 0.004), (160, 0.001)):
        tracking = _filter()
        tracking.command(HOME_RAD + 0.02)
        for _ in range(steps):
            reference = tracking.step(dt)
        ends.append(reference)
    np.testing.assert_allclose(ends[0], ends[1], atol=2e-4)


@pytest.mark.parametrize("bad", [[np.nan] * 7, [0.0] * 6])
def test_a_bad_command_is_refused(bad):
    with pytest.raises(ValueError, match="7 finite angles"):
        _filter().command(bad)


def test_tcp_gives_way_like_a_real_arm(world):
    world.reset(0, start=pose_of.point_down([0.45, 0.0, 0.12]))
    gripper = world.model.body("gripper").id
    for axis in range(3):
        before = world.site_pose("tcp")[:3, 3]
        world.data.xfrc_applied[gripper, axis] = 20.0
        world.advance(0.6)
        stiffness_n_mm = 0.020 / abs(world.site_pose("tcp")[axis, 3] - before[axis])
        world.data.xfrc_applied[gripper] = 0.0
        world.advance(0.6)
        assert 20.0 <= stiffness_n_mm <= 50.0


def test_measured_pose_is_off_by_the_repeatability(world):
    errors = []
    for seed in range(40):
        world.reset(seed)
        errors.append(pose_of.distance(world.site_pose("tcp"), world.t_base_tcp())[0])
    assert 0.00005 < np.mean(errors) < 0.00015


def test_a_target_is_tracked_with_lag_and_then_reached(world):
    world.reset(0, start=pose_of.point_down([0.45, 0.0, 0.2]))
    target = world.t_base_tcp() @ pose_of.from_vector([0.0, 0.0, 0.01], [0.0, 0.0, 0.05])
    assert track(world, target, 1 / 6)
    lag_m, _ = pose_of.distance(world.t_base_tcp(), target)
    assert 0.001 < lag_m < 0.006
    world.advance(0.3)
    distance_m, angle_rad = pose_of.distance(world.t_base_tcp(), target)
    assert distance_m < 5e-5 and angle_rad < 5e-4


def test_an_unreachable_target_leaves_the_arm_where_it_is(world):
    world.reset(0)
    before = world.t_base_tcp()
    assert not track(world, pose_of.point_down([2.0, 0.0, 0.2]), 1 / 6)
    assert pose_of.distance(before, world.t_base_tcp())[0] < 1e-4


@given(jumps, st.floats(0.0005, SERVO_PERIOD_S), st.integers(1, 100))
@settings(deadline=None, max_examples=60)
def test_reference_is_never_faster_than_the_joints_can_be(jump, dt_s, steps):
    tracking = _filter()
    tracking.command(HOME_RAD + np.array(jump))
    path = np.array([HOME_RAD, *(tracking.step(dt_s).copy() for _ in range(steps))])
    assert (np.abs(np.diff(path, axis=0)) <= 1.001 * MAX_JOINT_SPEED_RAD_S * dt_s + 1e-9).all()


@given(jumps)
@settings(deadline=None)
def test_reference_settles_where_it_was_sent_without_passing_it(jump):
    small = 0.02 * np.array(jump)  # reached without the speed limit
    tracking = _filter()
    tracking.command(HOME_RAD + small)
    path = np.array([tracking.step(0.004).copy() for _ in range(150)])
    np.testing.assert_allclose(path[-1], HOME_RAD + small, atol=1e-6)
    share = (path - HOME_RAD) * np.sign(small)
    assert (share <= np.abs(small) + 1e-9).all() and (np.diff(share, axis=0) >= -1e-12).all()


@given(st.floats(0.0, 0.1))
@settings(deadline=None, max_examples=20)
def test_lag_is_the_delay_and_twice_the_inverse_of_the_bandwidth(delay_s):
    """A critically damped second-order lag follows a ramp by 2 / w behind it."""
    tracking, speed = TrackingFilter(ArmConfig(delay_s=delay_s)), 0.3
    tracking.reset(np.zeros(7))
    for i in range(1000):
        tracking.command(np.full(7, speed * 0.001 * i))
        reference = tracking.step(0.001)
    lag_s = 0.999 - reference[0] / speed
    assert lag_s == pytest.approx(delay_s + 2 / ArmConfig().bandwidth_rad_s, abs=0.004)


def test_latest_of_two_commands_within_the_delay_is_followed():
    tracking = _filter()
    tracking.command(HOME_RAD + 0.5)
    tracking.command(HOME_RAD - 0.01)
    path = np.array([tracking.step(0.004).copy() for _ in range(150)])
    assert (path <= HOME_RAD + 1e-12).all()
    np.testing.assert_allclose(path[-1], HOME_RAD - 0.01, atol=1e-6)


def test_reset_forgets_commands_that_are_under_way():
    tracking = _filter()
    tracking.command(HOME_RAD + 0.5)
    tracking.step(0.01)
    tracking.reset(HOME_RAD)
    for _ in range(20):
        np.testing.assert_array_equal(tracking.step(0.01), HOME_RAD)
