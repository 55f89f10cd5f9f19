"""Planned motions as the command gate sees them: none is refused."""

from dataclasses import replace

import numpy as np
import pytest
from depth_scenes import upright

from vital_control.gate.limits import Limits
from vital_control.gate.trajectory_check import problem, to_trajectory
from vital_control.gate_messages import request_of
from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.trajectory import Trajectory
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.task import load_task, task_names
from vital_interfaces.action import ExecuteTrajectory
from vital_vlm_reach.planning.embedded_planner import EmbeddedPlanner
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.planner import ReachProblem
from vital_vlm_reach.reach_messages import motion_of, trajectory_message
from vital_vlm_reach.start_pose import sample_start_pose

SOCKET = np.array([0.45, 0.0, 0.035])


@pytest.mark.parametrize("speed_scale", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("task", [load_task(name) for name in task_names()], ids=lambda t: t.name)
def test_the_gate_accepts_what_the_planner_gives(task, speed_scale):
    planner, rng, limits = EmbeddedPlanner(speed_scale), np.random.default_rng(3), Limits(task=task)
    in_the_socket = kinematics.solve(pose_of.point_down(SOCKET + np.array([0, 0, 0.03])), HOME_RAD)
    for seed, start in enumerate([HOME_RAD, in_the_socket, *(HOME_RAD + rng.normal(0, 0.1, (4, 7)))]):
        asked = ReachProblem(task, start, sample_start_pose(task, upright(SOCKET), seed), SOCKET, seed)
        retreat = planner.retreat(asked)
        assert (retreat is not None) == (start is in_the_socket)
        if retreat is not None:
            assert_accepted(retreat, start, limits)
            start = retreat.positions_rad[-1]
        assert_accepted(planner.plan(replace(asked, start_rad=start)).motion, start, limits)


def assert_accepted(motion: JointMotion, start: np.ndarray, limits: Limits) -> None:
    goal = ExecuteTrajectory.Goal(owner="reach", trajectory=trajectory_message(motion))
    trajectory = to_trajectory(request_of(goal), start, limits)
    assert isinstance(trajectory, Trajectory), trajectory
    assert problem(trajectory, limits, limits.max_joint_acceleration_rad_s2) is None


def test_a_motion_survives_the_message():
    task = load_task("usb_insertion")
    motion = (
        EmbeddedPlanner().plan(ReachProblem(task, HOME_RAD, sample_start_pose(task, upright(SOCKET), 1), SOCKET)).motion
    )
    back = motion_of(trajectory_message(motion))
    np.testing.assert_allclose(back.times_s, motion.times_s, atol=1e-9)
    np.testing.assert_array_equal(back.positions_rad, motion.positions_rad)
    np.testing.assert_array_equal(back.velocities_rad_s, motion.velocities_rad_s)
