"""The same interface over MoveIt's move_group, for a ROS installation that has it.

A client of its action `/move_action`: goal as joint positions, plan only, so that the motion still goes through
the command gate. Needs moveit_msgs, which is imported only here.
"""

import importlib
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose as PoseMessage
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.node import Node
from shape_msgs.msg import SolidPrimitive

from vital_core.arm import kinematics
from vital_core.arm.urdf import BODIES
from vital_core.arm.xarm7 import BASE_FRAME, HOME_RAD, JOINT_NAMES, TCP_FRAME
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.planning.goal_states import check_in_workspace
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.planner import TABLE, Cancelled, Plan, ReachProblem, check_wanted
from vital_vlm_reach.planning.robot_model import HELD_OBJECT, HELD_RADIUS_M, Obstacle
from vital_vlm_reach.reach_messages import motion_of

Retreat = Callable[[ReachProblem], JointMotion | None]

GROUP = "xarm7"
PLANNING_S = 5.0
ATTEMPTS = 4
JOINT_TOLERANCE_RAD = 1e-4
_SERVER_S = 5.0
_POLL_S = 0.05
ARM_LINKS = (BASE_FRAME, *(f"link{i}" for i in range(1, 8)))
_TABLE_GAP_M = 0.005
_ADD = b"\x00"  # moveit_msgs/CollisionObject.ADD


def moveit_messages() -> tuple[ModuleType, ModuleType]:
    """`moveit_msgs.msg` and `moveit_msgs.action`. Raises VitalError(BAD_PARAMETER) where they are absent."""
    try:
        return importlib.import_module("moveit_msgs.msg"), importlib.import_module("moveit_msgs.action")
    except ImportError as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            "planner 'moveit' needs the package moveit_msgs: source a ROS installation with MoveIt 2, "
            "or use planner:=embedded",
        ) from error


class MoveItPlanner:
    """See `vital_vlm_reach.planning.planner.Planner`. retreat: another planner's; MoveIt begins nowhere in contact."""

    def __init__(self, node: Node, speed_scale: float, retreat: Retreat) -> None:
        self._msg, action = moveit_messages()
        self._goal_type, self._scale = action.MoveGroup.Goal, speed_scale
        self._client = ActionClient(node, action.MoveGroup, "/move_action")
        self.retreat = retreat

    def plan(self, problem: ReachProblem, cancelled: Cancelled = lambda: False) -> Plan:
        """As in `Planner.plan`."""
        began_s = steady_s()
        check_in_workspace(problem.t_base_tcp_goal, problem.task)
        goal = kinematics.solve(problem.t_base_tcp_goal, problem.start_rad, posture_rad=HOME_RAD)
        if goal is None:
            raise VitalError(ErrorCode.UNREACHABLE, "no joint positions bring the TCP to the goal")
        if not self._client.wait_for_server(timeout_sec=_SERVER_S):
            raise VitalError(ErrorCode.NODE_LOST, "nobody offers /move_action: is move_group running?")
        check_wanted(cancelled)
        handle = _wait(self._client.send_goal_async(self._request(problem, goal)))
        if not handle.accepted:
            raise VitalError(ErrorCode.PLAN_FAILED, "move_group did not take the planning request")
        result = self._result(handle, cancelled)
        if result.error_code.val != self._msg.MoveItErrorCodes.SUCCESS:
            raise VitalError(ErrorCode.PLAN_FAILED, f"move_group found no plan, its error code {result.error_code.val}")
        motion = motion_of(result.planned_trajectory.joint_trajectory)
        return Plan(motion, "moveit", steady_s() - began_s)

    def _result(self, handle: Any, cancelled: Cancelled) -> Any:
        future = handle.get_result_async()
        try:
            return _wait(future, cancelled).result
        except VitalError:
            handle.cancel_goal_async()
            raise

    def _request(self, problem: ReachProblem, goal_rad: NDArray[np.float64]) -> Any:
        msg = self._msg
        request = msg.MotionPlanRequest(
            group_name=GROUP,
            num_planning_attempts=ATTEMPTS,
            allowed_planning_time=PLANNING_S,
            max_velocity_scaling_factor=self._scale,
            max_acceleration_scaling_factor=self._scale,
        )
        request.start_state.joint_state.name = list(JOINT_NAMES)
        request.start_state.joint_state.position = [float(v) for v in problem.start_rad]
        constraints = msg.Constraints()
        for name, position in zip(JOINT_NAMES, goal_rad, strict=True):
            constraints.joint_constraints.append(
                msg.JointConstraint(
                    joint_name=name,
                    position=float(position),
                    tolerance_above=JOINT_TOLERANCE_RAD,
                    tolerance_below=JOINT_TOLERANCE_RAD,
                    weight=1.0,
                )
            )
        request.goal_constraints = [constraints]
        options = msg.PlanningOptions(plan_only=True)
        options.planning_scene_diff.is_diff = True
        options.planning_scene_diff.robot_state.is_diff = True
        boxes = [self._obstacle(o) for o in problem.everything]
        options.planning_scene_diff.world.collision_objects = boxes
        held = self._held_object(problem.task.tip_offset_m)
        options.planning_scene_diff.robot_state.attached_collision_objects = [held]
        return self._goal_type(request=request, planning_options=options)

    def _obstacle(self, obstacle: Obstacle) -> Any:
        dimensions, centre = list(obstacle.size_m), np.array(obstacle.centre_m)
        if obstacle is TABLE:
            # move_group also checks the base, which stands on it.
            centre = centre - (0.0, 0.0, _TABLE_GAP_M)
        return self._collision_object(obstacle.name, BASE_FRAME, SolidPrimitive.BOX, dimensions, centre)

    def _held_object(self, tip_offset_m: float) -> Any:
        dimensions = [tip_offset_m, HELD_RADIUS_M]
        centre = np.array([0.0, 0.0, tip_offset_m / 2])
        shape = self._collision_object(HELD_OBJECT, TCP_FRAME, SolidPrimitive.CYLINDER, dimensions, centre)
        touch = [link for link in BODIES if link not in ARM_LINKS]
        return self._msg.AttachedCollisionObject(link_name=TCP_FRAME, object=shape, touch_links=touch)

    def _collision_object(
        self, name: str, frame: str, kind: int, dimensions: list[float], centre_m: NDArray[np.float64]
    ) -> Any:
        message = self._msg.CollisionObject(id=name, operation=_ADD)
        message.header.frame_id = frame
        message.primitives = [SolidPrimitive(type=kind, dimensions=dimensions)]
        pose = PoseMessage()
        pose.position.x, pose.position.y, pose.position.z = map(float, centre_m)
        pose.orientation.w = 1.0
        message.primitive_poses = [pose]
        return message


def _wait(future: Any, cancelled: Cancelled = lambda: False) -> Any:
    answered = threading.Event()
    future.add_done_callback(lambda _: answered.set())
    deadline_s = steady_s() + PLANNING_S + _SERVER_S
    while not answered.wait(_POLL_S):
        check_wanted(cancelled)
        if steady_s() > deadline_s:
            raise VitalError(ErrorCode.TIMEOUT, f"move_group did not answer within {PLANNING_S + _SERVER_S:g} s")
    return future.result()
