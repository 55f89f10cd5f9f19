"""The splines that the gate issues: exact sums, stops that stay on the path, streams that keep their pace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_control.gate.limits import Limits
from vital_control.gate.trajectory_check import problem
from vital_control.motion import pacing
from vital_control.motion.tracking import arriving, flowing, joined, relieving
from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.arm.trajectory import Trajectory
from vital_core.arm.xarm7 import HOME_RAD

ACCELERATION_RAD_S2 = 20.0
PERIOD_S = 1 / 6
speeds = st.floats(-0.6, 0.6)
joints = st.lists(speeds, min_size=7, max_size=7).map(np.array)


def towards(delta_m: list[float]) -> np.ndarray:
    """(4, 7) waypoints from home to a TCP delta."""
    return joint_waypoints(HOME_RAD, kinematics.forward(HOME_RAD) @ pose_of.from_vector(delta_m, np.zeros(3)), 4)


def test_spline_meets_its_knots_and_stands_still_outside():
    rng = np.random.default_rng(1)
    spline = Trajectory(np.array([0.0, 0.1, 0.35]), rng.normal(size=(3, 7)), rng.normal(size=(3, 7)))
    positions, velocities = spline.states(spline.times_s)
    np.testing.assert_allclose(positions, spline.positions_rad, atol=1e-12)
    np.testing.assert_allclose(velocities, spline.velocities_rad_s, atol=1e-12)
    np.testing.assert_allclose(spline.state(9.0)[0], spline.positions_rad[-1])
    np.testing.assert_allclose(spline.state(9.0)[1], 0.0)


@given(joints, joints, st.floats(0.02, 0.6))
def test_velocity_is_the_derivative_of_position(v0, v1, duration_s):
    spline = Trajectory.cubic(HOME_RAD, v0, HOME_RAD + 0.1 * v1, v1, duration_s)
    t = np.linspace(0.2, 0.8, 7) * duration_s
    ahead, behind = spline.states(t + 1e-6)[0], spline.states(t - 1e-6)[0]
    np.testing.assert_allclose((ahead - behind) / 2e-6, spline.states(t)[1], atol=1e-5)


@given(joints, joints, st.floats(0.05, 0.5), st.floats(0.05, 0.5))
def test_sum_of_two_motions_is_exact_between_knots(v0, v1, duration_a, duration_b):
    a = Trajectory.cubic(HOME_RAD, v0, HOME_RAD + v1, 0 * v0, duration_a)
    b = Trajectory.cubic(0 * v0, v1, 0 * v0, 0 * v0, duration_b)
    if abs(duration_a - duration_b) < 0.002:
        return
    t = np.linspace(0.0, 0.6, 50)
    np.testing.assert_allclose(a.plus(b).states(t)[0], a.states(t)[0] + b.states(t)[0], atol=1e-9)


@given(joints, st.floats(0.0, 1.0))
def test_stop_stays_on_the_path_and_ends_at_rest(v0, fraction):
    path = Trajectory.cubic(HOME_RAD, v0, HOME_RAD + 0.05, 0 * v0, 0.5)
    t = fraction * 0.5
    stop = pacing.stop(path, t, 1.0, 0.0, ACCELERATION_RAD_S2).motion
    np.testing.assert_allclose(stop.state(0.0)[0], path.state(t)[0], atol=1e-12)
    np.testing.assert_allclose(stop.state(0.0)[1], path.state(t)[1], atol=1e-12)
    assert stop.duration_s <= 0.02 + np.abs(v0).max() / ACCELERATION_RAD_S2 + 0.05
    np.testing.assert_allclose(stop.velocities_rad_s[-1], 0.0)
    way = path.states(np.linspace(t, t + stop.duration_s, 400))[0]
    for q in stop.states(np.linspace(0.0, stop.duration_s, 15))[0]:
        assert np.abs(way - q).max(axis=1).min() < 2e-3


@pytest.mark.parametrize("speed_rad_s", [0.0, 0.3, 2.0])
def test_stop_does_not_brake_harder_than_asked(speed_rad_s):
    velocity = np.full(7, speed_rad_s)
    even = Trajectory(np.array([0.0, 1.0]), np.stack([HOME_RAD, HOME_RAD + velocity]), np.stack([velocity, velocity]))
    stop = pacing.stop(even, 0.3, 1.0, 0.0, ACCELERATION_RAD_S2).motion
    assert np.abs(stop.accelerations()).max() <= ACCELERATION_RAD_S2 * 1.01


def test_stream_of_equal_commands_moves_at_an_even_pace():
    """At 6 Hz and 30 mm a command the TCP keeps its speed within 5 % across the joints between commands."""
    q, v = HOME_RAD, np.zeros(7)
    speeds_m_s: list[float] = []
    for step in range(8):
        target = kinematics.forward(q) @ pose_of.from_vector([0.0, 0.0, 0.02], np.zeros(3))
        motion = flowing(q, v, joint_waypoints(q, target, 4), PERIOD_S, ACCELERATION_RAD_S2)
        points = kinematics.tcp_positions(motion.states(np.arange(0.0, PERIOD_S, 0.002))[0])
        if step > 1:
            speeds_m_s.extend(np.linalg.norm(np.diff(points, axis=0), axis=1) / 0.002)
        q, v = motion.state(PERIOD_S)
    np.testing.assert_allclose(speeds_m_s, 0.02 / PERIOD_S, rtol=0.05)


@settings(deadline=None)
@given(joints)
def test_flow_starts_at_the_present_state_and_ends_at_rest_on_the_target(v0):
    waypoints = towards([0.01, 0.0, 0.02])
    motion = flowing(HOME_RAD, v0, waypoints, PERIOD_S, ACCELERATION_RAD_S2)
    np.testing.assert_allclose(motion.positions_rad[0], HOME_RAD, atol=1e-12)
    np.testing.assert_allclose(motion.velocities_rad_s[0], v0, atol=1e-12)
    np.testing.assert_allclose(motion.positions_rad[-1], waypoints[-1], atol=1e-12)
    np.testing.assert_allclose(motion.velocities_rad_s[-1], 0.0, atol=1e-12)
    assert np.diff(motion.times_s).min() >= 0.0019
    assert np.abs(motion.accelerations()).max() < 2.5 * ACCELERATION_RAD_S2


def test_flow_follows_the_straight_line_of_the_command():
    waypoints = towards([0.02, 0.01, 0.02])
    motion = flowing(HOME_RAD, np.zeros(7), waypoints, PERIOD_S, ACCELERATION_RAD_S2)
    points = kinematics.tcp_positions(motion.states(np.linspace(0.0, PERIOD_S, 40))[0])
    start, end = kinematics.tcp_positions(np.stack([HOME_RAD, waypoints[-1]]))
    along = (end - start) / np.linalg.norm(end - start)
    off = points - start - np.outer((points - start) @ along, along)
    assert np.linalg.norm(off, axis=1).max() < 1e-4


def test_arriving_and_relieving_end_at_rest_without_a_jump():
    velocity = np.full(7, 0.2)
    for motion in (
        arriving(HOME_RAD, velocity, HOME_RAD + 0.01, PERIOD_S),
        relieving(HOME_RAD, velocity, HOME_RAD - 0.03, ACCELERATION_RAD_S2),
    ):
        np.testing.assert_allclose(motion.state(0.0), (HOME_RAD, velocity))
        np.testing.assert_allclose(motion.velocities_rad_s[-1], 0.0)
    assert np.abs(motion.accelerations()).max() < 1.5 * ACCELERATION_RAD_S2


def test_joined_trajectory_starts_where_the_arm_was_sent_and_ends_where_it_was_planned(task):
    plan = Trajectory.cubic(HOME_RAD + 0.02, np.zeros(7), HOME_RAD + 0.1, np.zeros(7), 2.0)
    motion = joined(plan, HOME_RAD, ACCELERATION_RAD_S2)
    np.testing.assert_allclose(motion.positions_rad[0], HOME_RAD, atol=1e-12)
    np.testing.assert_allclose(motion.positions_rad[-1], plan.positions_rad[-1], atol=1e-12)
    assert problem(motion, Limits(task)) is None


def test_policy_stream_moves_at_the_even_pace_of_the_training_environment(rig):
    """Against straight waypoints at an even pace from the same start, as the Gymnasium environment carries them out:
    0.15 mm rms and 1 mm at most, over steps of about 5 mm that change direction all the time."""
    rng = np.random.default_rng(0)
    rig.own("teleop")
    off_m: list[float] = []
    for _ in range(60):
        start = rig.set_point()
        home_m = pose_of.to_vector(pose_of.inverse(kinematics.forward(start)) @ kinematics.forward(HOME_RAD))[:3]
        delta = np.clip(0.1 * home_m + rng.normal(0.0, 0.003, 3), -0.012, 0.012)
        assert rig.send(translation_m=delta).accepted
        target = kinematics.forward(start) @ pose_of.from_vector(delta, np.zeros(3))
        knots = np.vstack([start, joint_waypoints(start, target, 4)])
        rig.history.clear()
        rig.wait(0.16)
        along = (rig.track()[:, 0] - rig.track()[0, 0] + 0.01) / PERIOD_S * 4
        even = np.stack([np.interp(along, np.arange(5), knots[:, j]) for j in range(7)], axis=1)
        off = kinematics.tcp_positions(rig.track()[:, 1:]) - kinematics.tcp_positions(even)
        off_m.extend(np.linalg.norm(off, axis=1))
    assert np.sqrt(np.mean(np.square(off_m))) < 1.5e-4 and max(off_m) < 1e-3
