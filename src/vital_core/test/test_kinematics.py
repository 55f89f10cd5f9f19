"""The arm's geometry, against the vendor's figures and against itself."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.cartesian_motion import joint_waypoints, minimum_jerk
from vital_core.arm.xarm7 import FLANGE_TO_TCP_M, HOME_RAD, LOWER_RAD, UPPER_RAD

JOINTS = arrays(float, 7, elements=st.floats(0, 1)).map(lambda u: LOWER_RAD + u * (UPPER_RAD - LOWER_RAD))


def test_flange_at_zero_is_where_the_vendor_says():
    tcp = kinematics.forward(np.zeros(7))
    assert np.allclose(tcp[:3, 3], [0.206, 0.0, 0.1205 - FLANGE_TO_TCP_M], atol=1e-9)
    assert np.allclose(tcp[:3, 2], [0, 0, -1])


def test_home_points_down_in_front_of_the_base():
    assert np.allclose(kinematics.forward(HOME_RAD), pose_of.point_down((0.4, 0.0, 0.35)), atol=1e-3)


@given(JOINTS)
def test_jacobian_is_the_derivative_of_forward(joints):
    step = 1e-6
    for i in range(7):
        moved = joints.copy()
        moved[i] += step
        a, b = kinematics.forward(joints), kinematics.forward(moved)
        linear = (b[:3, 3] - a[:3, 3]) / step
        angular = a[:3, :3] @ pose_of.to_vector(pose_of.inverse(a) @ b)[3:] / step
        assert np.allclose(kinematics.jacobian(joints)[:, i], [*linear, *angular], atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.3, 0.6), st.floats(-0.2, 0.2), st.floats(0.05, 0.4), st.floats(-0.5, 0.5))
def test_solve_reaches_every_pose_of_the_workspace(x, y, z, yaw):
    # From the shoulder to the wrist, which then is above the TCP, the arm measures 0.64 m.
    assume(np.hypot(np.hypot(x, y) - 0.076, z) < 0.64)
    target = pose_of.point_down((x, y, z), yaw)
    joints = kinematics.solve(target, HOME_RAD)
    assert joints is not None
    distance_m, angle_rad = pose_of.distance(kinematics.forward(joints), target)
    assert distance_m < 1e-4 and angle_rad < 1e-3
    assert (joints >= LOWER_RAD).all() and (joints <= UPPER_RAD).all()


def test_solve_says_none_when_out_of_reach():
    assert kinematics.solve(pose_of.point_down((1.5, 0.0, 0.2)), HOME_RAD) is None


def test_waypoints_end_at_the_target_along_a_straight_line():
    target = kinematics.forward(HOME_RAD) @ pose_of.from_vector((0.02, 0.01, 0.03), (0.0, 0.0, 0.1))
    path = joint_waypoints(HOME_RAD, target, 10)
    assert path is not None and path.shape == (10, 7)
    points = np.stack([kinematics.forward(q)[:3, 3] for q in path])
    start = kinematics.forward(HOME_RAD)[:3, 3]
    along = (target[:3, 3] - start) / np.linalg.norm(target[:3, 3] - start)
    off_line = (points - start) - np.outer((points - start) @ along, along)
    assert np.abs(off_line).max() < 1e-4
    assert pose_of.distance(kinematics.forward(path[-1]), target)[0] < 1e-4


def test_waypoints_refuse_a_target_out_of_reach():
    assert joint_waypoints(HOME_RAD, pose_of.point_down((1.2, 0, 0.2)), 10) is None


def test_minimum_jerk_starts_and_ends_at_rest():
    s = minimum_jerk(np.linspace(0, 1, 1001))
    assert s[0] == 0 and s[-1] == 1 and (np.diff(s) >= 0).all()
    assert (s[1] - s[0]) < 1e-6 and (s[-1] - s[-2]) < 1e-6
