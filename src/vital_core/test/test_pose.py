"""Poses: every conversion has its exact inverse."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vital_core import pose as pose_of

LENGTH = st.floats(-2, 2, allow_nan=False)
VECTOR = st.tuples(LENGTH, LENGTH, LENGTH)
ROTATION = VECTOR.filter(lambda r: np.linalg.norm(r) < 3.1)


@given(VECTOR, ROTATION)
def test_vector_round_trip_is_exact(translation, rotation):
    back = pose_of.to_vector(pose_of.from_vector(translation, rotation))
    assert np.allclose(back, [*translation, *rotation], atol=1e-7)


@given(VECTOR, ROTATION)
def test_quaternion_round_trip_is_exact(translation, rotation):
    pose = pose_of.from_vector(translation, rotation)
    assert np.allclose(pose_of.from_quaternion(translation, pose_of.to_quaternion(pose)), pose, atol=1e-9)


@given(VECTOR, ROTATION)
def test_inverse_undoes(translation, rotation):
    pose = pose_of.from_vector(translation, rotation)
    assert np.allclose(pose @ pose_of.inverse(pose), np.eye(4), atol=1e-9)


@given(VECTOR, ROTATION, st.floats(0, 1))
def test_interpolation_stays_between_its_ends(translation, rotation, fraction):
    a, b = np.eye(4), pose_of.from_vector(translation, rotation)
    whole_m, whole_rad = pose_of.distance(a, b)
    part_m, part_rad = pose_of.distance(a, pose_of.interpolate(a, b, fraction))
    assert np.isclose(part_m, fraction * whole_m, atol=1e-7)
    assert np.isclose(part_rad, fraction * whole_rad, atol=1e-7)


def test_point_down_has_z_down_and_x_along_the_base():
    pose = pose_of.point_down((0.4, 0.1, 0.2))
    assert np.allclose(pose[:3, 2], [0, 0, -1])
    assert np.allclose(pose[:3, 0], [1, 0, 0])


def test_rpy_is_the_urdf_convention():
    pose = pose_of.from_rpy((0, 0, 0), (0.1, -0.4, 0.7))
    x, y, z = (pose_of.from_vector((0, 0, 0), axis)[:3, :3] for axis in ((0.1, 0, 0), (0, -0.4, 0), (0, 0, 0.7)))
    assert np.allclose(pose[:3, :3], z @ y @ x)
