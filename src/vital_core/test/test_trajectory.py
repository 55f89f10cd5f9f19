"""Joint splines: continuous, exact at their knots, at rest outside, their sums exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.arm.trajectory import MIN_STOP_S, Trajectory, cubic_duration_s

SEEDS = st.integers(0, 2**32 - 1)


def made(seed: int, knots: int = 4) -> Trajectory:
    """A spline whose knots are at least 20 ms apart."""
    rng = np.random.default_rng(seed)
    times = np.concatenate([[0.0], np.cumsum(rng.uniform(0.02, 0.4, knots - 1))])
    return Trajectory(times, rng.normal(size=(knots, 7)), rng.normal(size=(knots, 7)))


@given(SEEDS)
def test_knots_are_met_in_position_and_speed(seed):
    spline = made(seed)
    positions, velocities = spline.states(spline.times_s)
    np.testing.assert_allclose(positions, spline.positions_rad, atol=1e-9)
    np.testing.assert_allclose(velocities, spline.velocities_rad_s, atol=1e-9)


@given(SEEDS)
def test_nothing_jumps_at_a_knot(seed):
    spline = made(seed)
    for knot in spline.times_s[1:-1]:
        before, after = spline.state(knot - 1e-9), spline.state(knot + 1e-9)
        np.testing.assert_allclose(before[0], after[0], atol=1e-6)
        np.testing.assert_allclose(before[1], after[1], atol=1e-4)


@given(SEEDS, st.floats(0.0, 5.0))
def test_outside_its_time_it_stands_at_its_ends(seed, beyond_s):
    spline = made(seed)
    end, rest = spline.state(spline.duration_s + beyond_s + 1e-6)
    np.testing.assert_allclose(end, spline.positions_rad[-1], atol=1e-9)
    np.testing.assert_array_equal(rest, 0.0)
    np.testing.assert_allclose(spline.state(-beyond_s)[0], spline.positions_rad[0], atol=1e-9)


@given(SEEDS)
def test_largest_acceleration_is_at_a_segments_end(seed):
    spline = made(seed)
    times = np.linspace(1e-3, spline.duration_s - 1e-3, 400)
    step_s = 1e-5
    measured = (spline.states(times + step_s)[1] - spline.states(times - step_s)[1]) / (2 * step_s)
    assert np.abs(measured).max() <= np.abs(spline.accelerations()).max() * 1.02 + 1e-6


@settings(deadline=None)
@given(SEEDS, SEEDS)
def test_a_sum_is_the_sum_at_every_moment_where_knots_do_not_nearly_meet(a, b):
    one, other = made(a), made(b)
    gaps = np.abs(other.times_s[1:, None] - one.times_s[1:]).min()
    if gaps < 0.003:
        return
    both = one.plus(other)
    inner = np.linspace(0.0, both.duration_s, 97)
    # After the shorter one has ended its speed drops to 0 there, which a cubic of the sum cannot follow: ends at rest.
    shorter = min(one.duration_s, other.duration_s)
    inside = inner[inner < min(shorter, np.sort(both.times_s)[both.times_s < shorter].max())]
    expected = one.states(inside)[0] + other.states(inside)[0]
    np.testing.assert_allclose(both.states(inside)[0], expected, atol=1e-8)


def test_rest_stands_still():
    rest = Trajectory.rest(np.arange(7.0), 0.4)
    positions, velocities = rest.states([0.0, 0.2, 0.4, 9.0])
    np.testing.assert_array_equal(positions, np.tile(np.arange(7.0), (4, 1)))
    np.testing.assert_array_equal(velocities, 0.0)
    assert rest.duration_s == 0.4 and not rest.accelerations().any()


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0), st.floats(0.5, 40.0))
def test_a_cubic_to_rest_keeps_within_the_acceleration_it_was_timed_for(distance, speed, acceleration):
    duration_s = cubic_duration_s(distance, speed, acceleration)
    assert duration_s >= MIN_STOP_S
    q0, zero = np.zeros(7), np.zeros(7)
    cubic = Trajectory.cubic(q0, np.full(7, speed), np.full(7, distance), zero, duration_s)
    if duration_s > MIN_STOP_S:
        assert np.abs(cubic.accelerations()).max() <= acceleration * (1 + 1e-9)


@given(SEEDS, st.floats(0.005, 0.1))
def test_samples_are_no_further_apart_than_asked_and_hold_every_knot(seed, spacing_s):
    spline = made(seed)
    times = spline.sample_times(spacing_s)
    assert np.diff(times).max() <= spacing_s * (1 + 1e-9) and np.all(np.diff(times) > 0)
    assert set(spline.times_s) <= set(times)


def test_one_time_and_many_agree():
    spline = made(5)
    many = spline.states([0.01, 0.05])
    for row, t in enumerate((0.01, 0.05)):
        position, velocity = spline.state(t)
        assert position == pytest.approx(many[0][row]) and velocity == pytest.approx(many[1][row])
