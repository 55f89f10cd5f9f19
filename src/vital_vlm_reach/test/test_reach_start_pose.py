"""Start poses: in the hover region, pointing down, the same for the same seed."""

import numpy as np
import pytest
from depth_scenes import upright
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.target import Target, TargetYaw, hand_yaw_rad
from vital_core.task import load_task
from vital_vlm_reach.start_pose import sample_start_pose

TASK = load_task("usb_insertion")
coordinate = st.floats(-1.0, 1.0)


@given(st.tuples(coordinate, coordinate, coordinate), st.integers(-1, 2**62))
@settings(max_examples=100, deadline=None)
def test_start_poses_lie_in_the_hover_region_and_point_down(target, seed):
    pose = sample_start_pose(TASK, upright(target), seed)
    offset = pose[:3, 3] - target - TASK.start_centre_m
    assert (np.abs(offset) <= np.array(TASK.start_region_m) / 2 + 1e-9).all()
    np.testing.assert_allclose(pose[:3, 2], (0, 0, -1), atol=1e-12)
    np.testing.assert_allclose(pose[:3, 0], (1, 0, 0), atol=1e-12)
    np.testing.assert_array_equal(pose, sample_start_pose(TASK, upright(target), seed))


@given(st.tuples(coordinate, coordinate, coordinate), st.integers(-1, 2**62), st.floats(-np.pi, np.pi))
@settings(max_examples=60, deadline=None)
def test_the_region_and_the_hand_turn_with_the_target(target, seed, yaw_rad):
    task = load_task("card_swipe")
    straight, turned = (
        sample_start_pose(task, upright(target), seed),
        sample_start_pose(task, Target(np.asarray(target)).frame(yaw_rad), seed),
    )
    t_base_target = pose_of.from_vector(target, (0, 0, 0)) @ pose_of.from_vector((0, 0, 0), (0, 0, yaw_rad))
    t_target_tcp = pose_of.inverse(pose_of.from_vector(target, (0, 0, 0))) @ straight
    np.testing.assert_allclose(turned, t_base_target @ t_target_tcp, atol=1e-12)
    np.testing.assert_allclose(turned[:3, 2], (0, 0, -1), atol=1e-12)


def test_seeds_fill_the_region_and_minus_one_is_its_centre():
    target = np.array([0.45, 0.0, 0.035])
    centre = target + np.array(TASK.start_centre_m)
    np.testing.assert_allclose(sample_start_pose(TASK, upright(target), -1)[:3, 3], centre)
    offsets = np.array([sample_start_pose(TASK, upright(target), seed)[:3, 3] - centre for seed in range(200)])
    assert (np.ptp(offsets, axis=0) > 0.9 * np.array(TASK.start_region_m)).all()


@pytest.mark.parametrize(("target", "seed"), [((0.4, 0.0, float("nan")), 0), ((0.4, 0.0, 0.03), -2)])
def test_nonsense_is_refused(target, seed):
    with pytest.raises(VitalError) as refusal:
        sample_start_pose(TASK, upright(target), seed)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


@given(st.floats(0.0, 0.6), st.floats(-np.pi, np.pi), st.floats(-np.pi, np.pi), st.integers(-1, 2**62))
@settings(max_examples=60, deadline=None)
def test_the_hand_points_into_a_tilted_target_and_its_region_tilts_with_it(tilt_rad, towards_rad, yaw_rad, seed):
    normal = pose_of.leaning(tilt_rad, towards_rad)
    target = Target(np.array([0.45, 0.05, 0.04]), yaw=TargetYaw(yaw_rad, 0.01), normal=normal)
    pose = sample_start_pose(TASK, target.frame(yaw_rad), seed)
    np.testing.assert_allclose(pose[:3, 2], -normal, atol=1e-9)
    offset = (pose_of.inverse(target.frame(yaw_rad)) @ pose)[:3, 3] - TASK.start_centre_m
    assert (np.abs(offset) <= np.array(TASK.start_region_m) / 2 + 1e-9).all()
    turned = (hand_yaw_rad(pose) - yaw_rad + np.pi) % (2 * np.pi) - np.pi
    assert turned == pytest.approx(0.0, abs=1e-9) and target.tilt_rad == pytest.approx(tilt_rad, abs=1e-7)
