"""The planner that asks MoveIt, in a process of its own, by `/vital/plan_reach`; what comes back is checked."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from vital_core import pose as pose_of
from vital_core.arm.kinematics import forward
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.srv import PlanReach
from vital_ros.calls import call, checked
from vital_ros.conversions import base_pose_message, point_message, vector_message
from vital_vlm_reach.planning.box import Box
from vital_vlm_reach.planning.goal_states import check_in_workspace
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.planner import Cancelled, Plan, ReachProblem, check_wanted
from vital_vlm_reach.planning.robot_model import CollisionScene, RobotModel
from vital_vlm_reach.planning.state_check import StateCheck
from vital_vlm_reach.reach_messages import motion_of

Retreat = Callable[[ReachProblem], JointMotion | None]

SERVICE = "/vital/plan_reach"
PLANNING_S = 5.0
ATTEMPTS = 3
# MoveIt's own tolerances for a pose goal, with room for rounding.
GOAL_TOLERANCE_M, GOAL_TOLERANCE_RAD = 0.0015, 0.012
START_TOLERANCE_RAD = 1e-3
_ANSWER_S = 5.0
_CHECK_SPACING_S = 0.01


class MoveItPlanner:
    """See `vital_vlm_reach.planning.planner.Planner`. retreat: another planner's; MoveIt begins nowhere in contact."""

    def __init__(self, node: Node, speed_scale: float, retreat: Retreat) -> None:
        self._node, self._scale, self.retreat = node, speed_scale, retreat
        self._client = node.create_client(PlanReach, SERVICE)
        self._robot = RobotModel()

    def plan(self, problem: ReachProblem, cancelled: Cancelled = lambda: False) -> Plan:
        """As in `Planner.plan`. MoveIt knows no box for the TCP: a motion that leaves it is asked for again."""
        began_s = steady_s()
        check_in_workspace(problem.t_base_tcp_goal, problem.task)
        problem_found = ""
        for _ in range(ATTEMPTS):
            check_wanted(cancelled)
            answer = call(self._client, self._request(problem), PLANNING_S + _ANSWER_S, cancelled)
            motion = motion_of(checked(answer).trajectory)
            problem_found = self._problem(motion, problem)
            if not problem_found:
                return Plan(motion, "moveit", steady_s() - began_s)
        raise VitalError(
            ErrorCode.PLAN_FAILED, f"MoveIt's motion was refused {ATTEMPTS} times, the last one because {problem_found}"
        )

    def _request(self, problem: ReachProblem) -> PlanReach.Request:
        everything = problem.everything
        return PlanReach.Request(
            task=problem.task.name,
            goal=base_pose_message(problem.t_base_tcp_goal, self._node.get_clock().now().to_msg()),
            start_rad=[float(v) for v in problem.start_rad],
            tip_offset_m=problem.task.tip_offset_m,
            speed_scale=self._scale,
            time_s=PLANNING_S,
            obstacle_names=[o.name for o in everything],
            obstacle_centres=[point_message(o.centre_m) for o in everything],
            obstacle_sizes=[vector_message(o.size_m) for o in everything],
        )

    def _problem(self, motion: JointMotion, problem: ReachProblem) -> str:
        """Why a motion will not do, for an operator; empty when it will."""
        states = motion.sampled(_CHECK_SPACING_S)
        return _wrong_end(states, problem) or self._on_the_way(states, problem)

    def _on_the_way(self, states: NDArray[np.float64], problem: ReachProblem) -> str:
        scene = CollisionScene(self._robot, problem.everything, tip_offset_m=problem.task.tip_offset_m)
        check = StateCheck(scene, Box.of_task(problem.task), problem.start_rad)
        found = (check.problem(q) for q in states)
        return next(filter(None, found), "")


def _wrong_end(states: NDArray[np.float64], problem: ReachProblem) -> str:
    off_rad = float(np.abs(states[0] - problem.start_rad).max())
    if not off_rad <= START_TOLERANCE_RAD:
        return f"it starts {off_rad:.3f} rad from where the arm is"
    off_m, turned_rad = pose_of.distance(forward(states[-1]), problem.t_base_tcp_goal)
    if not (off_m <= GOAL_TOLERANCE_M and turned_rad <= GOAL_TOLERANCE_RAD):
        return f"it ends {1000 * off_m:.1f} mm and {turned_rad:.3f} rad from the goal"
    return ""
