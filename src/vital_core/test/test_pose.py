"""Poses: every conversion has its exact inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

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


@given(VECTOR, st.floats(0.0, 1.0))
def test_rotations_are_those_of_scipy(direction, turns):
    vector = np.array(direction) * turns**8  # from no turn at all to more than a whole one
    found = pose_of.rotation_matrix(vector)
    np.testing.assert_allclose(found, Rotation.from_rotvec(vector).as_matrix(), rtol=0, atol=1e-14)
    back = pose_of.rotation_vector(found)
    assert np.linalg.norm(back) <= np.pi + 1e-12
    np.testing.assert_allclose(pose_of.rotation_matrix(back), found, rtol=0, atol=1e-14)
    if np.linalg.norm(back) < 3.1:  # at half a turn either sign is right
        np.testing.assert_allclose(back, Rotation.from_matrix(found).as_rotvec(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0, -0.8), (0.6, 0.48, 0.64)])
@pytest.mark.parametrize("short_rad", [0.0, 1e-12, 1e-6, 1e-3])
def test_half_turns_come_back(axis, short_rad):
    matrix = pose_of.rotation_matrix((np.pi - short_rad) * np.array(axis))
    np.testing.assert_allclose(pose_of.rotation_matrix(pose_of.rotation_vector(matrix)), matrix, rtol=0, atol=1e-12)


def test_what_is_nearly_a_rotation_is_taken_for_the_nearest_and_what_is_none_refused():
    turned = pose_of.rotation_matrix((0.3, -0.2, 0.5))
    np.testing.assert_allclose(pose_of.rotation_vector(1.001 * turned), (0.3, -0.2, 0.5), atol=1e-9)
    for none in (np.full((3, 3), np.nan), np.zeros((3, 3)), -np.eye(3)):
        with pytest.raises((ValueError, np.linalg.LinAlgError)):
            pose_of.rotation_vector(none)


@given(VECTOR, st.lists(VECTOR, min_size=1, max_size=4))
def test_cross_product_is_numpys_to_the_bit(one, others):
    np.testing.assert_array_equal(pose_of.cross(one, others), np.cross(one, others))
    np.testing.assert_array_equal(pose_of.cross(others, others[::-1]), np.cross(others, others[::-1]))
