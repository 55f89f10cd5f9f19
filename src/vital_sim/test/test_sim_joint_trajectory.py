"""Joint trajectories as the trajectory controller carries them out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_sim.ros.joint_trajectory import (
    FARTHEST_RAD,
    FASTEST_RAD_S,
    HALT_RAD_S2,
    Points,
    TrajectoryExecution,
    read_points,
)

NAMES = ("a", "b")


def test_joints_come_in_any_order():
    points = read_points(["b", "a"], [[2.0, 1.0]], [[]], [0.5], NAMES)
    assert isinstance(points, Points) and points.positions.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("names", "positions", "velocities", "times", "word"),
    [
        (["a", "c"], [[0, 0]], [[]], [1.0], "expected ['a', 'b']"),
        (["a", "b"], [], [], [], "no points"),
        (["a", "b"], [[0]], [[]], [1.0], "1 positions, expected 2"),
        (["a", "b"], [[0, 0]], [[1]], [1.0], "1 velocities"),
        (["a", "b"], [[0, np.nan]], [[]], [1.0], "not finite"),
        (["a", "b"], [[0, 0], [1, 1]], [[], []], [1.0, 1.0], "rise"),
        (["a", "b"], [[0, 0]], [[]], [-1.0], "rise"),
    ],
)
def test_malformed_trajectory_is_refused_with_what_was_got(names, positions, velocities, times, word):
    refusal = read_points(names, positions, velocities, times, NAMES)
    assert isinstance(refusal, str) and word in refusal


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 2.0))
def test_cubic_passes_through_its_points_with_their_velocities(q, v, t):
    execution = TrajectoryExecution(np.zeros(1))
    execution.start(Points(np.array([[q], [0.0]]), np.array([t, 2 * t]), np.array([[v], [0.0]])), 10.0)
    position, speed = execution.sample(10.0 + t)
    assert np.allclose([position[0], speed[0]], [q, v], atol=1e-6)
    assert np.allclose(execution.sample(10.0 + 3 * t)[0], 0.0)


def test_new_trajectory_goes_on_from_where_the_old_one_is():
    execution = TrajectoryExecution(np.zeros(1))
    execution.start(Points(np.array([[1.0]]), np.array([1.0])), 0.0)
    before = execution.sample(0.4)[0]
    execution.start(Points(np.array([[0.0]]), np.array([1.0])), 0.4)
    assert np.allclose(before, execution.sample(0.4)[0]) and np.allclose(before, 0.4)


def test_halted_controller_comes_to_rest_ahead_without_turning_back():
    execution = TrajectoryExecution(np.zeros(2))
    execution.start(Points(np.array([[10.0, -5.0]]), np.array([10.0])), 0.0)
    execution.halt(1.0)
    samples = [execution.sample(1.0 + 0.001 * i) for i in range(101)]
    positions, speeds = np.array([p for p, _ in samples]), np.array([v for _, v in samples])
    assert (np.diff(positions, axis=0) * [1, -1] >= -1e-12).all()
    assert np.allclose(speeds[0], [1.0, -0.5]) and np.allclose(speeds[-1], 0.0)
    assert np.abs(positions[-1] - [1.025, -0.5125]).max() < 1e-9


def test_halt_of_an_arm_at_rest_changes_nothing():
    execution = TrajectoryExecution(np.ones(2))
    execution.halt(3.0)
    assert execution.sample(4.0)[0].tolist() == [1.0, 1.0]


ways = st.lists(
    st.tuples(st.floats(0.05, 1.0), st.floats(-2, 2), st.floats(-2, 2), st.floats(-1, 1), st.floats(-1, 1)),
    min_size=1,
    max_size=6,
)


def points_of(way, *, fast):
    """Points of two joints; with velocities or without."""
    rows = np.array(way)
    speeds = rows[:, 3:5].copy()
    speeds[-1] = 0.0
    return Points(rows[:, 1:3], np.cumsum(rows[:, 0]), speeds if fast else None)


@given(ways, st.booleans())
def test_every_point_is_passed_at_its_time_and_the_last_is_kept(way, fast):
    points = points_of(way, fast=fast)
    execution = TrajectoryExecution(np.zeros(2))
    execution.start(points, 5.0)
    for position, time_s in zip(points.positions, points.times_s, strict=True):
        np.testing.assert_allclose(execution.sample(5.0 + time_s)[0], position, atol=1e-6)
    rest, speed = execution.sample(5.0 + points.times_s[-1] + 100.0)
    np.testing.assert_array_equal(rest, points.positions[-1])
    assert not speed.any()


@given(ways, st.booleans(), st.floats(0.01, 0.99))
def test_speed_is_the_slope_of_the_position(way, fast, share):
    points = points_of(way, fast=fast)
    execution = TrajectoryExecution(np.zeros(2))
    execution.start(points, 0.0)
    at = share * points.times_s[0]
    small = 1e-6 * points.times_s[0]
    slope = (execution.sample(at + small)[0] - execution.sample(at - small)[0]) / (2 * small)
    np.testing.assert_allclose(execution.sample(at)[1], slope, atol=1e-2)


@given(ways, ways, st.floats(0.0, 1.0))
def test_replacing_a_trajectory_never_jumps(first, second, share):
    execution = TrajectoryExecution(np.zeros(2))
    points = points_of(first, fast=True)
    execution.start(points, 0.0)
    now_s = share * points.times_s[-1]
    before = execution.sample(now_s)
    execution.start(points_of(second, fast=True), now_s)
    for old, new in zip(before, execution.sample(now_s), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-9)


def test_halt_at_the_moment_of_the_start_keeps_the_arm_where_it_is():
    execution = TrajectoryExecution(np.zeros(1))
    execution.start(Points(np.array([[1.0]]), np.array([1.0]), np.zeros((1, 1))), 2.0)
    execution.halt(2.0)
    assert execution.sample(2.5)[0].tolist() == execution.sample(9.0)[0].tolist() == [0.0]


@given(ways, st.floats(0.0, 1.2))
def test_halt_comes_to_rest_with_the_stated_deceleration_at_most(way, share):
    execution = TrajectoryExecution(np.zeros(2))
    points = points_of(way, fast=True)
    execution.start(points, 0.0)
    now_s = share * points.times_s[-1]
    _, speed = execution.sample(now_s)
    execution.halt(now_s)
    rest_s = now_s + np.abs(speed).max() / HALT_RAD_S2
    assert not execution.sample(rest_s + 1e-6)[1].any()
    middle = execution.sample((now_s + rest_s) / 2)[1]
    assert (np.abs(middle) <= np.abs(speed) + 1e-6).all()


@pytest.mark.parametrize(("value", "velocity"), [(FARTHEST_RAD + 1, 0.0), (0.0, FASTEST_RAD_S + 1)])
def test_trajectory_that_nobody_means_is_refused(value, velocity):
    refusal = read_points(NAMES, [[value, 0.0]], [[velocity, 0.0]], [1.0], NAMES)
    assert isinstance(refusal, str) and "too large" in refusal
