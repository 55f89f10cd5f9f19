"""The action `/vital/execute_trajectory`: a planned joint trajectory through the gate, followed to its end."""

from collections.abc import Callable
from typing import Protocol

from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from vital_control.gate.execution import Execution
from vital_control.gate.trajectory_check import TrajectoryRequest
from vital_control.gate.verdict import Judgement
from vital_control.gate_messages import request_of
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode
from vital_interfaces.action import ExecuteTrajectory
from vital_ros.long_action import GoalEnd, LongAction


class CarriesOutTrajectories(Protocol):
    """A gate, as the action sees it; times are steady time in s unless they are named ros."""

    execution: Execution | None

    def settling(self, now_s: float) -> bool:
        """Whether an owner without commands has the arm and it is coming to rest."""

    def judge_trajectory(self, request: TrajectoryRequest, now_s: float, ros_now_s: float) -> Judgement:
        """When it is accepted, `execution` follows it."""

    def cancel_execution(self, now_s: float) -> None:
        """Stop the trajectory being carried out."""


class ExecuteTrajectoryAction:
    """Asks the gate, then waits for the gate's `execution` to end; one goal at a time.

    Every goal is taken, and judged as it begins, because only a result can carry the verdict's sentence. A goal
    that comes while the arm is just coming to rest after a change of hands waits for that.
    """

    def __init__(self, node: Node, gate: CarriesOutTrajectories, changed: Callable[[], None]) -> None:
        self._node, self._gate, self._changed = node, gate, changed
        self._goal: ServerGoalHandle | None = None
        self._waiting: list[ServerGoalHandle] = []
        self._action = LongAction(
            node, ExecuteTrajectory, "/vital/execute_trajectory", self._begin, cancel=self._cancel
        )

    def _begin(self, goal: ServerGoalHandle) -> None:
        if self._gate.settling(steady_s()):
            self._waiting.append(goal)
        else:
            self._judge(goal)

    def _judge(self, goal: ServerGoalHandle) -> None:
        ros_now_s = self._node.get_clock().now().nanoseconds * 1e-9
        judgement = self._gate.judge_trajectory(request_of(goal.request), steady_s(), ros_now_s)
        self._changed()
        if judgement.accepted:
            self._goal = goal
            return
        self._node.get_logger().warning(f"refused a trajectory, {judgement.verdict.name}: {judgement.text}")
        result = ExecuteTrajectory.Result(verdict=int(judgement.verdict))
        result.error_code, result.message = int(judgement.error_code), judgement.text
        self._action.finish(goal, GoalEnd.ABORTED, result)

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        if goal in self._waiting:
            self._waiting.remove(goal)
            result = ExecuteTrajectory.Result(error_code=int(ErrorCode.CANCELLED), message="cancelled before it began")
            self._action.finish(goal, GoalEnd.CANCELED, result)
            return CancelResponse.ACCEPT
        if self._goal is None or goal.goal_id != self._goal.goal_id:
            return CancelResponse.REJECT
        self._gate.cancel_execution(steady_s())
        self._changed()
        return CancelResponse.ACCEPT

    def follow(self, *, feedback: bool) -> None:
        """Pass on the end of the execution, or its progress when ``feedback``; called by the watchdog."""
        if self._waiting and not self._gate.settling(steady_s()):
            waiting, self._waiting = self._waiting, []
            for goal in waiting:
                self._judge(goal)
        execution = self._gate.execution
        if execution is None or self._goal is None:
            return
        if execution.running:
            if feedback:
                self._goal.publish_feedback(ExecuteTrajectory.Feedback(progress=execution.progress))
            return
        goal, self._goal = self._goal, None
        success = execution.code is ErrorCode.OK
        result = ExecuteTrajectory.Result(success=success, message=execution.text)
        result.error_code = int(execution.code or ErrorCode.OK)
        end = GoalEnd.SUCCEEDED if success else GoalEnd.CANCELED if goal.is_cancel_requested else GoalEnd.ABORTED
        self._action.finish(goal, end, result)
