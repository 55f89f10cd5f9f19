"""Collision checks of the planner: what touches is found, however it lies and however much stands about."""

import numpy as np

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel

TIP_OFFSET_M = 0.035


def test_shapes_deep_in_each_other_on_an_axis_of_symmetry_touch():
    start = kinematics.solve(pose_of.point_down((0.45, 0.0, 0.06)), HOME_RAD)
    around = Obstacle("around", (0.45, 0.0, 0.0375), (0.08, 0.08, 0.075))
    scene = CollisionScene(RobotModel(), [around], tip_offset_m=TIP_OFFSET_M)
    assert scene.in_collision(start) and ("held_object", "around") in scene.touching(start)
    assert scene.clearance_m(start) < -0.04


def test_many_obstacles_are_each_found():
    """Adding shapes moves those that were there: none may be lost or named wrongly."""
    grid = [
        Obstacle(f"cube {i}", (0.3 + 0.01 * (i % 20), 0.3, 0.01 + 0.02 * (i // 20)), (0.005,) * 3) for i in range(200)
    ]
    here = Obstacle("here", (0.40, 0.0, 0.32), (0.01, 0.01, 0.01))
    scene = CollisionScene(RobotModel(), [*grid, here], tip_offset_m=TIP_OFFSET_M)
    assert scene.touching(HOME_RAD) == [("held_object", "here")] and scene.in_collision(HOME_RAD)


def test_a_search_among_many_obstacles_finds_what_a_check_of_each_pair_finds():
    rng = np.random.default_rng(2)
    cubes = [
        Obstacle(f"cube {i}", (x, y, z), (0.05, 0.05, 0.05))
        for i, (x, y, z) in enumerate(rng.uniform([0.2, -0.3, 0.0], [0.6, 0.3, 0.3], (30, 3)))
    ]
    scene = CollisionScene(RobotModel(), cubes, tip_offset_m=TIP_OFFSET_M, margin_m=0.02)
    states = HOME_RAD + rng.normal(0.0, 0.3, (300, 7))
    touching = [bool(scene.touching(q)) for q in states]
    assert [scene.in_collision(q) for q in states] == touching and 30 < sum(touching) < 270
    scene.margin_m = 0.0
    assert [scene.in_collision(q) for q in states] == [bool(scene.touching(q)) for q in states]
