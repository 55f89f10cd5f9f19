"""What holds of both planners: the embedded one, and MoveIt's node asked over real DDS, with a stand-in for MoveIt.

The stand-in (`moveit_standin`) has moveit_py's names and signatures, plans with the embedded planner, and writes down
what it was asked; MoveIt itself has no wheel.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rclpy
from depth_scenes import upright
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from ros_domain import own_domain

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES, LOWER_RAD, UPPER_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_vlm_reach.planning.moveit_planner import GOAL_TOLERANCE_M, GOAL_TOLERANCE_RAD
from vital_vlm_reach.planning.planner import Planner, ReachProblem
from vital_vlm_reach.planning.planners import PLANNERS, make_planner
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel
from vital_vlm_reach.planning.timing import MotionLimits
from vital_vlm_reach.start_pose import sample_start_pose

STANDIN = Path(__file__).parent / "moveit_standin"
TASK = load_task("usb_insertion")
TARGET = np.array([0.45, 0.0, 0.035])
POST = Obstacle("post", (0.45, 0.13, 0.08), (0.30, 0.01, 0.16))
SPEED_SCALE = 0.3


def joints_at(x: float, y: float, z: float) -> np.ndarray:
    q = kinematics.solve(pose_of.point_down((x, y, z)), HOME_RAD)
    assert q is not None
    return q


def problem(start=HOME_RAD, target=TARGET, seen=()) -> ReachProblem:
    return ReachProblem(
        TASK,
        np.array(start),
        sample_start_pose(TASK, upright(target), 1),
        np.array(target),
        seen=tuple(seen),
    )


class Planners:
    """Both planners, the second by its node in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        self.node = rclpy.create_node("asking", context=self.context)
        self.made: dict[str, Planner] = {name: make_planner(name, self.node, SPEED_SCALE) for name in PLANNERS}
        self.asked_file, self.log = folder / "asked.jsonl", folder / "node.log"
        path = os.pathsep.join([str(STANDIN), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "MOVEIT_ASKED": str(self.asked_file)}
        with open(self.log, "w") as log:
            command = [sys.executable, "-m", "vital_vlm_reach.moveit.moveit_node"]
            self.process = subprocess.Popen(command, env=environment, stderr=log)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        assert self.made["moveit"]._client.wait_for_service(timeout_sec=60.0), self.log.read_text()

    def last_asked(self) -> dict:
        return json.loads(self.asked_file.read_text().splitlines()[-1])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20.0)
        self._executor.shutdown(timeout_sec=5.0)
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="module")
def planners(tmp_path_factory) -> Iterator[Planners]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(own_domain()))
        planners = Planners(tmp_path_factory.mktemp("moveit"))
        try:
            yield planners
        finally:
            planners.close()


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    ("start", "seen"), [((0.40, 0.0, 0.35), ()), ((0.45, 0.22, 0.18), (POST,)), ((0.33, -0.2, 0.25), ())]
)
def test_a_plan_is_sound(planners, name, start, seen):
    asked = problem(joints_at(*start), seen=seen)
    plan = planners.made[name].plan(asked, lambda: False)
    states = plan.motion.sampled(0.005)
    scene = CollisionScene(RobotModel(), asked.everything, tip_offset_m=TASK.tip_offset_m)
    assert not any(scene.in_collision(q) for q in states)
    assert (states >= LOWER_RAD - 1e-6).all() and (states <= UPPER_RAD + 1e-6).all()
    tcp = kinematics.tcp_positions(states)
    assert (tcp >= TASK.workspace_lower_m).all() and (tcp <= TASK.workspace_upper_m).all()
    assert np.abs(plan.motion.velocities_rad_s).max() <= MotionLimits.scaled(SPEED_SCALE).speed_rad_s + 1e-9
    assert np.abs(plan.motion.velocities_rad_s[[0, -1]]).max() == 0.0
    np.testing.assert_allclose(states[0], asked.start_rad, atol=1e-6)
    off_m, turned_rad = pose_of.distance(kinematics.forward(states[-1]), asked.t_base_tcp_goal)
    assert off_m <= GOAL_TOLERANCE_M and turned_rad <= GOAL_TOLERANCE_RAD
    assert plan.planning_s > 0.0


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (problem(target=(0.9, 0.0, 0.035)), ErrorCode.OUTSIDE_WORKSPACE),
        (problem(seen=[Obstacle("lid", (0.45, 0.0, 0.25), (0.3, 0.3, 0.02))], start=joints_at(0.45, 0.0, 0.42)),
         ErrorCode.IN_COLLISION),
        (replace(problem(), t_base_tcp_goal=np.full((4, 4), np.nan)), ErrorCode.BAD_PARAMETER),
    ],
    ids=["outside", "goal taken", "no goal"],
)  # fmt: skip
def test_what_cannot_be_planned_has_its_code(planners, name, asked, code):
    with pytest.raises(VitalError) as refusal:
        planners.made[name].plan(asked, lambda: False)
    assert refusal.value.code is code and refusal.value.message


@pytest.mark.parametrize("name", PLANNERS)
def test_nobody_plans_what_is_not_wanted(planners, name):
    with pytest.raises(VitalError) as refusal:
        planners.made[name].plan(problem(), lambda: True)
    assert refusal.value.code is ErrorCode.CANCELLED


@pytest.mark.parametrize("name", PLANNERS)
def test_contact_is_left_straight_up(planners, name):
    planner = planners.made[name]
    asked = problem(joints_at(*TARGET[:2], TARGET[2] + TASK.tip_offset_m - 0.01))
    retreat = planner.retreat(asked)
    tcp = kinematics.tcp_positions(retreat.sampled(0.01))
    assert np.abs(tcp[:, :2] - TARGET[:2]).max() < 0.001 and tcp[-1, 2] > tcp[0, 2] + 0.02
    assert planner.retreat(problem()) is None


def test_moveit_is_asked_with_the_whole_scene_and_the_held_object(planners):
    start = joints_at(0.45, 0.22, 0.18)
    planners.made["moveit"].plan(problem(start, seen=[POST]), lambda: False)
    asked = planners.last_asked()
    assert asked["start"] == pytest.approx(dict(zip(JOINT_NAMES, start, strict=True)))
    assert asked["goal"] == ["link_base", "link_tcp"] and asked["scaling"] == [SPEED_SCALE, SPEED_SCALE]
    assert {"table", "wall_left", "post", "keep_out"} <= set(asked["objects"])
    link, name, dimensions, touching = asked["held"]
    assert (link, name) == ("link_tcp", "held_object") and dimensions[0] == pytest.approx(TASK.tip_offset_m)
    assert "left_finger" in touching and not {"link5", "link6", "link7"} & set(touching)
    planners.made["moveit"].plan(problem(), lambda: False)
    assert "post" not in planners.last_asked()["objects"], "what stood there before is gone"


@pytest.mark.parametrize(
    ("moveit_code", "code"),
    [
        (-6, ErrorCode.TIMEOUT), (-10, ErrorCode.IN_COLLISION), (-12, ErrorCode.IN_COLLISION),
        (-31, ErrorCode.UNREACHABLE), (-1, ErrorCode.PLAN_FAILED), (99999, ErrorCode.PLAN_FAILED),
    ],
)  # fmt: skip
def test_moveits_codes_become_ours(planners, moveit_code, code):
    failing = Obstacle(f"fail {moveit_code}", (1.0, 0.8, 0.5), (0.01, 0.01, 0.01))
    with pytest.raises(VitalError, match=str(moveit_code)) as refusal:
        planners.made["moveit"].plan(problem(seen=[failing]), lambda: False)
    assert refusal.value.code is code


def test_a_motion_that_is_not_what_was_asked_for_is_refused(planners, monkeypatch):
    from vital_vlm_reach.planning import moveit_planner

    planner = planners.made["moveit"]
    wall = Obstacle("wall", (0.45, 0.13, 0.08), (0.30, 0.01, 0.16))
    asked = problem(joints_at(0.45, 0.22, 0.18), seen=[wall])
    blind = planner._request
    monkeypatch.setattr(planner, "_request", lambda p: blind(replace(p, seen=())))
    with pytest.raises(VitalError, match=r"refused 3 times.*wall") as refusal:
        planner.plan(asked, lambda: False)
    assert refusal.value.code is ErrorCode.PLAN_FAILED
    monkeypatch.setattr(moveit_planner, "ATTEMPTS", 1)
    monkeypatch.setattr(planner, "_request", lambda p: blind(problem()))
    with pytest.raises(VitalError, match=r"starts 0.* rad from where the arm is"):
        planner.plan(asked, lambda: False)


def test_without_the_node_the_planner_says_so(planners, monkeypatch):
    monkeypatch.setattr("vital_ros.calls.SERVED_S", 0.3)
    alone = Context()
    rclpy.init(context=alone, domain_id=own_domain(1))
    node = rclpy.create_node("alone", context=alone)
    try:
        with pytest.raises(VitalError, match="/vital/plan_reach") as refusal:
            make_planner("moveit", node, 0.5).plan(problem(), lambda: False)
        assert refusal.value.code is ErrorCode.NODE_LOST
    finally:
        node.destroy_node()
        rclpy.shutdown(context=alone)


def test_without_moveit_the_node_ends_with_one_line_that_says_what_to_install():
    ended = subprocess.run(
        [sys.executable, "-m", "vital_vlm_reach.moveit.moveit_node"], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 2
    assert "ros-jazzy-moveit-py" in ended.stderr and "Traceback" not in ended.stderr


def test_an_unknown_planner_is_refused_by_name():
    with pytest.raises(VitalError, match=r"'magic', expected one of embedded, moveit"):
        make_planner("magic", None, 0.5)
