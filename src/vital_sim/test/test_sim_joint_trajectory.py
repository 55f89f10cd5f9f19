"""Joint trajectories as the trajectory controller carries them out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_sim.ros.joint_trajectory import Points, TrajectoryExecution, read_points

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
