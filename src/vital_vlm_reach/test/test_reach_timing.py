"""Paths with rounded corners and their timing: continuous, within limits, from rest to rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import VitalError
from vital_vlm_reach.planning.joint_path import JointPath, distinct
from vital_vlm_reach.planning.motion import JointMotion, at_rest
from vital_vlm_reach.planning.timing import MotionLimits, time_path

LIMITS = MotionLimits.scaled(0.5)


@st.composite
def waypoints(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = 10 ** draw(st.floats(-3.0, 0.2))
    return np.cumsum(rng.normal(0, scale, (draw(st.integers(2, 6)), 7)), axis=0)


@given(waypoints(), st.floats(0.05, 1.0))
@settings(max_examples=40, deadline=None)
def test_a_path_runs_from_the_first_to_the_last_waypoint_without_a_jump(points, rounding):
    path = JointPath(points, rounding)
    s = np.linspace(0, path.length_rad, 2001)
    q, direction, _, _ = path.derivatives(s)
    np.testing.assert_allclose(q[[0, -1]], points[[0, -1]], atol=1e-9)
    assert np.linalg.norm(np.diff(q, axis=0), axis=1).max() <= 1.001 * path.length_rad / 2000
    assert np.linalg.norm(direction, axis=1).max() <= 1 + 1e-9


@given(waypoints())
@settings(max_examples=25, deadline=None)
def test_rounded_corners_turn_without_a_jump_in_direction(points):
    path = JointPath(points, 1.0)
    s = np.linspace(0, path.length_rad, 4001)
    _, direction, bend, _ = path.derivatives(s)
    step = path.length_rad / 4000
    assert np.abs(np.diff(direction, axis=0)).max() <= 1.01 * np.abs(bend).max() * step + 1e-9


@given(waypoints(), st.sampled_from([1.0, 0.5, 0.2]))
@settings(max_examples=40, deadline=None)
def test_a_motion_keeps_every_limit_and_starts_and_ends_at_rest(points, rounding):
    motion = time_path(JointPath(points, rounding), LIMITS)
    np.testing.assert_allclose(motion.positions_rad[[0, -1]], points[[0, -1]], atol=1e-8)
    assert (motion.velocities_rad_s[[0, -1]] == 0.0).all()
    assert (np.diff(motion.times_s) > 0.0).all()
    assert np.abs(motion.velocities_rad_s).max() <= LIMITS.speed_rad_s
    assert np.abs(motion.accelerations_rad_s2).max() <= LIMITS.acceleration_rad_s2
    jerk = np.diff(motion.accelerations_rad_s2, axis=0) / np.diff(motion.times_s)[:, None]
    assert np.abs(jerk).max() <= 1.02 * LIMITS.jerk_rad_s3


@given(waypoints())
@settings(max_examples=25, deadline=None)
def test_one_straight_leg_comes_near_a_limit(points):
    motion = time_path(JointPath(points[:2]), LIMITS)
    jerk = np.diff(motion.accelerations_rad_s2, axis=0) / np.diff(motion.times_s)[:, None]
    used = max(
        np.abs(motion.velocities_rad_s).max() / LIMITS.speed_rad_s,
        np.abs(motion.accelerations_rad_s2).max() / LIMITS.acceleration_rad_s2,
        np.abs(jerk).max() / LIMITS.jerk_rad_s3,
    )
    assert used > 0.8


def test_motions_follow_one_another():
    a, b, c = np.zeros(7), np.full(7, 0.3), np.full(7, -0.2)
    first, second = (time_path(JointPath([x, y]), LIMITS) for x, y in ((a, b), (b, c)))
    both: JointMotion = first.then(second)
    assert both.duration_s == pytest.approx(first.duration_s + second.duration_s)
    assert (np.diff(both.times_s) > 0.0).all()
    np.testing.assert_allclose(both.sampled(0.005)[[0, -1]], [a, c], atol=1e-9)


def test_no_motion_is_a_moment_of_rest():
    assert len(distinct(np.zeros((3, 7)))) == 1
    motion = at_rest(np.ones(7))
    assert motion.duration_s > 0.02 and (motion.sampled(0.01) == 1.0).all()


@pytest.mark.parametrize("rounding", [0.0, -0.1, 1.1, float("nan")])
def test_sharp_corners_cannot_be_asked_for(rounding):
    with pytest.raises(ValueError, match="rounding is"):
        JointPath(np.eye(7), rounding)


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_a_speed_scale_beyond_the_arm_is_refused(scale):
    with pytest.raises(VitalError, match="speed scale"):
        MotionLimits.scaled(scale)
