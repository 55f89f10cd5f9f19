"""MoveIt behind the same interface: refused plainly where absent; the request it would send is whole.

`moveit_msgs` has no wheel, so the messages here are plain stand-ins with the same fields.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_vlm_reach.planning import moveit_planner
from vital_vlm_reach.planning.embedded_planner import EmbeddedPlanner
from vital_vlm_reach.planning.joint_path import JointPath
from vital_vlm_reach.planning.moveit_planner import MoveItPlanner
from vital_vlm_reach.planning.planner import ReachProblem
from vital_vlm_reach.planning.planners import make_planner
from vital_vlm_reach.planning.timing import MotionLimits, time_path
from vital_vlm_reach.reach_messages import trajectory_message
from vital_vlm_reach.start_pose import sample_start_pose

TASK = load_task("usb_insertion")
SOCKET = np.array([0.45, 0.0, 0.035])
PROBLEM = ReachProblem(TASK, HOME_RAD, sample_start_pose(TASK, SOCKET, 1), SOCKET)


class Message(SimpleNamespace):
    """A message whose nested fields appear as they are set."""

    def __getattr__(self, name):
        value = [] if name.endswith("s") else Message()
        setattr(self, name, value)
        return value


class Answered:
    def __init__(self, value):
        self._value = value

    def add_done_callback(self, callback):
        callback(self)

    def result(self):
        return self._value


class MoveGroup:
    """Answers as move_group does; keeps the request."""

    def __init__(self, result, *, accepted=True, there=True):
        self._result, self._accepted, self._there = result, accepted, there

    def __call__(self, _node, _kind, name):
        assert name == "/move_action"
        return self

    def wait_for_server(self, timeout_sec):
        return self._there

    def send_goal_async(self, goal):
        self.goal = goal
        answer = Answered(SimpleNamespace(result=self._result))
        return Answered(SimpleNamespace(accepted=self._accepted, get_result_async=lambda: answer))


def planner_with(monkeypatch, group: MoveGroup) -> MoveItPlanner:
    names = ("MotionPlanRequest", "Constraints", "JointConstraint", "PlanningOptions", "CollisionObject")
    kinds = {name: Message for name in (*names, "AttachedCollisionObject")}
    messages = SimpleNamespace(MoveItErrorCodes=SimpleNamespace(SUCCESS=1), **kinds)
    action = SimpleNamespace(MoveGroup=SimpleNamespace(Goal=Message))
    monkeypatch.setattr(moveit_planner, "moveit_messages", lambda: (messages, action))
    monkeypatch.setattr(moveit_planner, "ActionClient", group)
    return MoveItPlanner(None, 0.3, EmbeddedPlanner(0.3).retreat)


def result(code: int = 1) -> SimpleNamespace:
    goal = kinematics.solve(PROBLEM.t_base_tcp_goal, HOME_RAD)
    motion = time_path(JointPath([HOME_RAD, goal]), MotionLimits.scaled(0.3))
    trajectory = trajectory_message(motion)
    return SimpleNamespace(
        error_code=SimpleNamespace(val=code), planned_trajectory=SimpleNamespace(joint_trajectory=trajectory)
    )


def test_the_request_names_start_goal_speed_and_scene(monkeypatch):
    group = MoveGroup(result())
    plan = planner_with(monkeypatch, group).plan(PROBLEM)
    request, options = group.goal.request, group.goal.planning_options
    assert request.group_name == "xarm7" and request.max_velocity_scaling_factor == 0.3
    np.testing.assert_allclose(request.start_state.joint_state.position, HOME_RAD)
    wanted = [c.position for c in request.goal_constraints[0].joint_constraints]
    np.testing.assert_allclose(kinematics.forward(wanted), PROBLEM.t_base_tcp_goal, atol=1e-4)
    assert options.plan_only and options.planning_scene_diff.is_diff
    boxes = [box.id for box in options.planning_scene_diff.world.collision_objects]
    assert "table" in boxes and "keep_out" in boxes
    held = options.planning_scene_diff.robot_state.attached_collision_objects[0]
    assert held.link_name == "link_tcp" and "link6" not in held.touch_links
    assert plan.how == "moveit"
    np.testing.assert_allclose(plan.motion.positions_rad[-1], wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("group", "code"),
    [
        (MoveGroup(result(-1)), ErrorCode.PLAN_FAILED),
        (MoveGroup(result(), accepted=False), ErrorCode.PLAN_FAILED),
        (MoveGroup(result(), there=False), ErrorCode.NODE_LOST),
    ],
)
def test_what_move_group_refuses_is_told_with_a_code(monkeypatch, group, code):
    with pytest.raises(VitalError) as refusal:
        planner_with(monkeypatch, group).plan(PROBLEM)
    assert refusal.value.code is code


def test_a_trajectory_for_other_joints_is_refused(monkeypatch):
    wrong = result()
    wrong.planned_trajectory.joint_trajectory.joint_names = [*JOINT_NAMES[:-1], "elbow"]
    with pytest.raises(VitalError, match="elbow") as refusal:
        planner_with(monkeypatch, MoveGroup(wrong)).plan(PROBLEM)
    assert refusal.value.code is ErrorCode.PLAN_FAILED


def test_without_moveit_msgs_the_planner_is_refused(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(moveit_planner.importlib, "import_module", absent)
    with pytest.raises(VitalError, match=r"moveit_msgs.*planner:=embedded") as refusal:
        make_planner("moveit", None, 0.5)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_an_unknown_planner_is_refused_by_name():
    with pytest.raises(VitalError, match=r"'magic', expected one of embedded, moveit"):
        make_planner("magic", None, 0.5)
