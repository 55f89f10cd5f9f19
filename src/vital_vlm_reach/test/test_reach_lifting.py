"""Lifting a pixel: exact on clean depth, robust on real depth, as sure as it says, refusing with numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.localisation.camera import Camera
from vital_vlm_reach.localisation.lifting import lift_pixel
from vital_vlm_reach.localisation.surface_depth import surface_depth

K = np.array([[610.0, 0.0, 320.0], [0.0, 611.0, 240.0], [0.0, 0.0, 1.0]])
CAMERA = Camera(640, 480, K)
PIXEL = (320, 240)
angles = st.floats(-3.0, 3.0)
seeds = st.integers(0, 2**32 - 1)


def flat(depth_mm: float) -> np.ndarray:
    return np.full((480, 640), depth_mm, np.uint16)


def sloped(depth_mm: float, slope_u: float, slope_v: float) -> np.ndarray:
    """A plane through depth_mm at the pixel; slopes: depth per sideways length."""
    v, u = np.mgrid[:480, :640]
    x, y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
    return depth_mm / (1.0 - slope_u * x - slope_v * y)


def measured(depth_mm: np.ndarray, rng: np.random.Generator, noise_per_m: float = 0.0, holes: float = 0.0):
    """As a stereo camera would: noise that grows with z^2, whole mm, no reading in places."""
    std_mm = noise_per_m * depth_mm**2 / 1000.0
    depth = np.clip(np.rint(depth_mm + std_mm * rng.standard_normal(depth_mm.shape)), 0, 65535).astype(np.uint16)
    depth[rng.random(depth.shape) < holes] = 0
    return depth


@given(
    st.floats(20, 620), st.floats(20, 460), st.integers(200, 3000),
    st.tuples(angles, angles, angles), st.tuples(angles, angles, angles),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_lifted_pixel_projects_back_onto_itself(u, v, depth, position, turn):
    t_base_camera = pose_of.from_vector(position, turn)
    point = lift_pixel((u, v), flat(depth), CAMERA, t_base_camera).point_m
    in_camera = (pose_of.inverse(t_base_camera) @ np.append(point, 1.0))[:3]
    assert in_camera[2] == pytest.approx(depth / 1000.0, abs=1e-9)
    np.testing.assert_allclose(CAMERA.project(in_camera), (u, v), atol=1e-6)


@given(st.floats(100, 540), st.floats(100, 380))
@settings(max_examples=40, deadline=None)
def test_lens_distortion_is_undone(u, v):
    bent = Camera(640, 480, K, (0.08, -0.12, 0.001, -0.0005, 0.03))
    point = lift_pixel((u, v), flat(900), bent, np.eye(4)).point_m
    np.testing.assert_allclose(bent.project(point), (u, v), atol=0.02)


@given(seeds, st.floats(0.0, 0.5), st.floats(0.0, 0.004), st.floats(0.3, 2.5))
@settings(max_examples=80, deadline=None)
def test_holes_up_to_half_and_noise_that_grows_with_distance_move_the_depth_by_little(seed, holes, noise, z_m):
    rng = np.random.default_rng(seed)
    found = surface_depth(PIXEL, measured(np.full((480, 640), 1000.0 * z_m), rng, noise, holes))
    assert abs(found.depth_m - z_m) < 0.001 + 0.6 * noise * z_m**2
    assert abs(found.depth_m - z_m) < 4 * found.std_m


@given(seeds, st.floats(-1.2, 1.2), st.floats(-1.2, 1.2), st.floats(0.0, 0.5))
@settings(max_examples=80, deadline=None)
def test_a_slope_is_followed_to_the_pixel_itself(seed, slope_u, slope_v, holes):
    depth = measured(sloped(800.0, slope_u, slope_v), np.random.default_rng(seed), 0.002, holes)
    assert surface_depth(PIXEL, depth).depth_m == pytest.approx(0.8, abs=0.0025)


@given(seeds, st.floats(0.0, 2 * np.pi), st.floats(-3.0, 3.0), st.floats(40, 400))
@settings(max_examples=80, deadline=None)
def test_an_edge_through_the_patch_is_read_on_its_near_side_in_spite_of_flying_pixels(seed, turn, beside_px, step_mm):
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:480, :640]
    from_edge = (u - PIXEL[0]) * np.cos(turn) + (v - PIXEL[1]) * np.sin(turn) + beside_px
    depth = np.where(from_edge > 0, 800.0, 800.0 + step_mm)
    flying = np.abs(from_edge) < 1.0
    depth[flying] = 800.0 + step_mm * rng.random(flying.sum())
    found = surface_depth(PIXEL, measured(depth, rng, 0.001))
    assert found.depth_m == pytest.approx(0.8, abs=0.003)


@given(seeds, st.floats(0.0, 0.15))
@settings(max_examples=60, deadline=None)
def test_stray_readings_anywhere_are_not_a_surface(seed, share):
    rng = np.random.default_rng(seed)
    depth = measured(np.full((480, 640), 900.0), rng, 0.001)
    stray = rng.random(depth.shape) < share
    depth[stray] = rng.integers(150, 3900, stray.sum())
    assert surface_depth(PIXEL, depth).depth_m == pytest.approx(0.9, abs=0.002)


@given(st.integers(-3, 3), st.integers(-3, 3))
@settings(max_examples=30, deadline=None)
def test_a_pixel_at_the_rim_of_a_small_object_gets_the_objects_depth(du, dv):
    depth = flat(900)
    depth[235:246, 315:326] = 860
    assert surface_depth((320 + du * 2, 240 + dv * 2), depth).depth_m == pytest.approx(0.860)


def test_a_slot_in_the_surface_does_not_deepen_it():
    depth = flat(770)
    depth[238:243, 314:327] = 782  # a USB port's slot seen from 0.8 m
    assert surface_depth(PIXEL, depth).depth_m == pytest.approx(0.770)


def test_stray_readings_in_front_are_not_a_surface():
    depth = flat(900)
    depth[239:241, 319:321] = 400
    assert surface_depth(PIXEL, depth).depth_m == pytest.approx(0.9)


def test_the_covariance_covers_the_errors_that_are_made():
    rng, squared = np.random.default_rng(1), []
    noisy = [measured(np.full((480, 640), 800.0), rng, 0.002) for _ in range(5)]
    t_base_camera = pose_of.from_rpy((1.0, 0.1, 0.6), (-2.5, 0.1, 1.5))
    for i in range(300):
        true_uv = rng.uniform([60, 60], [580, 420])
        truth = (t_base_camera @ np.append(0.8 * CAMERA.ray(true_uv), 1.0))[:3]
        seen = lift_pixel(
            true_uv + 2.5 * rng.standard_normal(2),
            noisy[i % len(noisy)],
            CAMERA,
            t_base_camera,
        )
        error = seen.point_m - truth + 0.002 * rng.standard_normal(3)
        squared.append(error @ np.linalg.solve(seen.covariance_m2, error))
        np.testing.assert_allclose(seen.covariance_m2, seen.covariance_m2.T)
    # Chi-squared with three degrees of freedom: 90 % below 6.25, on the careful side as depth has no bias here.
    assert 0.85 < np.mean(np.array(squared) < 6.25) < 0.99


def test_the_covariance_turns_with_the_camera_and_is_longest_where_the_pixel_is_least_sure():
    camera_at = pose_of.from_rpy((0, 0, 1.0), (np.pi, 0, 0))  # straight down
    covariance = lift_pixel(PIXEL, flat(800), CAMERA, camera_at, pixel_std_px=5.0).covariance_m2
    across_m = 5.0 * 0.8 / 610
    assert np.sqrt(covariance[0, 0]) == pytest.approx(np.hypot(across_m, 0.002), rel=0.01)
    assert np.sqrt(covariance[2, 2]) < 0.003


@pytest.mark.parametrize("depth", [flat(0), flat(60), flat(5000)])
def test_missing_depth_is_refused_with_numbers(depth):
    with pytest.raises(VitalError, match="0 of 289") as refusal:
        surface_depth(PIXEL, depth)
    assert refusal.value.code is ErrorCode.NO_DEPTH


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_scattered_depth_is_refused(seed):
    depth = np.random.default_rng(seed).integers(150, 3900, (480, 640)).astype(np.uint16)
    with pytest.raises(VitalError, match="form no surface") as refusal:
        surface_depth(PIXEL, depth)
    assert refusal.value.code is ErrorCode.NO_DEPTH


@pytest.mark.parametrize("pixel", [(-3.0, 10.0), (640.0, 10.0), (10.0, 500.0), (float("nan"), 10.0)])
def test_a_pixel_outside_the_image_is_refused(pixel):
    with pytest.raises(VitalError, match="outside the depth image of 640x480") as refusal:
        surface_depth(pixel, flat(800))
    assert refusal.value.code is ErrorCode.NO_DEPTH


def test_depth_that_is_not_aligned_is_refused():
    with pytest.raises(VitalError, match="320x240") as refusal:
        lift_pixel((10, 10), np.full((240, 320), 800, np.uint16), CAMERA, np.eye(4))
    assert refusal.value.code is ErrorCode.BAD_OBSERVATION


def test_a_camera_without_calibration_is_refused():
    with pytest.raises(VitalError, match="no usable matrix K") as refusal:
        Camera(640, 480, np.zeros((3, 3)))
    assert refusal.value.code is ErrorCode.NO_CALIBRATION
