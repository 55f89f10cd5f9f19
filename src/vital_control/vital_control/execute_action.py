"""The action `/vital/execute_trajectory`: a planned joint trajectory through the gate, followed to its end."""

from collections.abc import Callable

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from vital_control.gate import Gate
from vital_control.messages import request_of
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode
from vital_interfaces.action import ExecuteTrajectory


class ExecuteTrajectoryAction:
    """Asks the gate, then waits for the gate's `execution` to end; one goal at a time.

    Every goal is taken and judged when it is executed, because only a result can carry the verdict's sentence.
    A goal that comes while the arm is just coming to rest after a change of hands waits for that.
    """

    def __init__(self, node: Node, gate: Gate, changed: Callable[[], None]) -> None:
        self._node, self._gate, self._changed = node, gate, changed
        self._goal: ServerGoalHandle | None = None
        self._ended: Future | None = None
        self._waiting: list[Future] = []
        self._server = ActionServer(
            node,
            ExecuteTrajectory,
            "/vital/execute_trajectory",
            self._execute,
            goal_callback=lambda _: GoalResponse.ACCEPT,
            cancel_callback=self._cancel,
        )

    async def _execute(self, goal: ServerGoalHandle) -> ExecuteTrajectory.Result:
        if self._gate.settling(steady_s()):
            settled = Future()
            self._waiting.append(settled)
            await settled
        judgement = self._gate.judge_trajectory(request_of(goal.request.owner, goal.request.trajectory), steady_s())
        self._changed()
        result = ExecuteTrajectory.Result(verdict=int(judgement.verdict))
        if not judgement.accepted:
            self._node.get_logger().warning(f"refused a trajectory, {judgement.verdict.name}: {judgement.text}")
            goal.abort()
            result.error_code, result.message = int(judgement.error_code), judgement.text
            return result
        self._goal, self._ended = goal, Future()
        code, result.message = await self._ended
        result.success, result.error_code = code is ErrorCode.OK, int(code)
        if result.success:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        if self._goal is None or goal.goal_id != self._goal.goal_id:
            return CancelResponse.REJECT
        self._gate.cancel_execution(steady_s())
        self._changed()
        return CancelResponse.ACCEPT

    def follow(self, *, feedback: bool) -> None:
        """Pass on the end of the execution, or its progress when ``feedback``; called by the watchdog."""
        if self._waiting and not self._gate.settling(steady_s()):
            settled, self._waiting = self._waiting, []
            for future in settled:
                future.set_result(None)
        execution = self._gate.execution
        if execution is None or self._ended is None or self._goal is None or self._ended.done():
            return
        if not execution.running:
            self._ended.set_result((execution.code, execution.text))
        elif feedback:
            progress = execution.progress(steady_s())
            self._goal.publish_feedback(ExecuteTrajectory.Feedback(progress=progress))
