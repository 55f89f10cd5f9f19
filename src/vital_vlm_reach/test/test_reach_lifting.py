"""Lifting a pixel: exact on clean depth, robust on real depth, refusing with numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.localisation.lifting import Camera, lift_pixel, surface_depth_mm

K = np.array([[610.0, 0.0, 320.0], [0.0, 611.0, 240.0], [0.0, 0.0, 1.0]])
CAMERA = Camera(640, 480, K)
angles = st.floats(-3.0, 3.0)


def flat(depth_mm: float) -> np.ndarray:
    return np.full((480, 640), depth_mm, np.uint16)


@given(
    st.floats(20, 620), st.floats(20, 460), st.integers(200, 3000),
    st.tuples(angles, angles, angles), st.tuples(angles, angles, angles),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_lifted_pixel_projects_back_onto_itself(u, v, depth, position, turn):
    t_base_camera = pose_of.from_vector(position, turn)
    point = lift_pixel((u, v), flat(depth), CAMERA, t_base_camera)
    in_camera = (pose_of.inverse(t_base_camera) @ np.append(point, 1.0))[:3]
    assert in_camera[2] == pytest.approx(depth / 1000.0, abs=1e-9)
    np.testing.assert_allclose(CAMERA.project(in_camera), (u, v), atol=1e-6)


@given(st.floats(100, 540), st.floats(100, 380))
@settings(max_examples=40, deadline=None)
def test_lens_distortion_is_undone(u, v):
    bent = Camera(640, 480, K, (0.08, -0.12, 0.001, -0.0005, 0.03))
    point = lift_pixel((u, v), flat(900), bent, np.eye(4))
    np.testing.assert_allclose(bent.project(point), (u, v), atol=0.02)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.floats(0.0, 3.0))
@settings(max_examples=60, deadline=None)
def test_holes_and_noise_move_the_depth_by_little(seed, holes, noise_mm):
    rng = np.random.default_rng(seed)
    depth = np.clip(800 + rng.normal(0, noise_mm, (480, 640)), 0, 65535).astype(np.uint16)
    depth[rng.random(depth.shape) < holes] = 0
    assert surface_depth_mm((320, 240), depth) == pytest.approx(800, abs=3.0)


@given(st.integers(-3, 3), st.integers(-3, 3))
@settings(max_examples=30, deadline=None)
def test_a_pixel_at_the_rim_of_a_small_object_gets_the_objects_depth(du, dv):
    depth = flat(900)
    depth[235:246, 315:326] = 860
    assert surface_depth_mm((320 + du * 2, 240 + dv * 2), depth) == 860.0


def test_a_slot_in_the_surface_does_not_deepen_it():
    depth = flat(770)
    depth[238:243, 314:327] = 780  # a USB port's slot seen from 0.8 m
    assert surface_depth_mm((320, 240), depth) == 770.0


def test_stray_readings_in_front_are_not_a_surface():
    depth = flat(900)
    depth[239:241, 319:321] = 400
    assert surface_depth_mm((320, 240), depth) == 900.0


@pytest.mark.parametrize(
    ("depth", "told"),
    [
        (flat(0), "0 of 289"),
        (flat(60), "0 of 289"),
        (flat(5000), "0 of 289"),
    ],
)
def test_missing_depth_is_refused_with_numbers(depth, told):
    with pytest.raises(VitalError, match=told) as refusal:
        surface_depth_mm((320, 240), depth)
    assert refusal.value.code is ErrorCode.NO_DEPTH


def test_scattered_depth_is_refused():
    depth = np.arange(480 * 640, dtype=np.uint32).reshape(480, 640) % 127 * 30 + 150
    with pytest.raises(VitalError, match="form no surface") as refusal:
        surface_depth_mm((320, 240), depth.astype(np.uint16))
    assert refusal.value.code is ErrorCode.NO_DEPTH


@pytest.mark.parametrize("pixel", [(-3.0, 10.0), (640.0, 10.0), (10.0, 500.0), (float("nan"), 10.0)])
def test_a_pixel_outside_the_image_is_refused(pixel):
    with pytest.raises(VitalError, match="outside the depth image of 640x480") as refusal:
        surface_depth_mm(pixel, flat(800))
    assert refusal.value.code is ErrorCode.NO_DEPTH


def test_depth_that_is_not_aligned_is_refused():
    with pytest.raises(VitalError, match="320x240") as refusal:
        lift_pixel((10, 10), np.full((240, 320), 800, np.uint16), CAMERA, np.eye(4))
    assert refusal.value.code is ErrorCode.BAD_OBSERVATION


def test_a_camera_without_calibration_is_refused():
    with pytest.raises(VitalError, match="no usable matrix K") as refusal:
        Camera(640, 480, np.zeros((3, 3)))
    assert refusal.value.code is ErrorCode.NO_CALIBRATION
