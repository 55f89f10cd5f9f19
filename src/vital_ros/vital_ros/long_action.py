"""An action whose goals take their time, for nodes on rclpy's EventsExecutor.

A coroutine that waits keeps that executor at a full core (it is posted again until it is done). So nothing waits
here: a goal is begun when it is accepted, and finished from wherever its work ends.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from vital_core.errors import VitalError
from vital_ros.boundary import refusals_of
from vital_ros.message_check import sound


class GoalEnd(Enum):
    """The state in which a goal ends."""

    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    CANCELED = "canceled"


class LongAction:
    """Serves an action. ``begin`` is called in the executor's thread with every accepted goal and returns at once;
    `finish` must follow, once for each goal, from any thread. ``judge`` may turn a request down, ``cancel`` answers
    a request to cancel. A goal that is not `sound` is turned down and counted as any other message."""

    def __init__(
        self,
        node: Node,
        kind: type,
        name: str,
        begin: Callable[[ServerGoalHandle], None],
        *,
        cancel: Callable[[ServerGoalHandle], CancelResponse] = lambda _: CancelResponse.REJECT,
        judge: Callable[[Any], GoalResponse] = lambda _: GoalResponse.ACCEPT,
    ) -> None:
        self._node, self._name, self._judge = node, name, judge
        self._outcomes: dict[bytes, tuple[GoalEnd, Any]] = {}
        self._server = ActionServer(
            node,
            kind,
            name,
            self._conclude,
            handle_accepted_callback=begin,
            goal_callback=self._judge_sound,
            cancel_callback=cancel,
        )

    def _judge_sound(self, goal: Any) -> GoalResponse:
        try:
            sound(goal)
        except VitalError as error:
            refusals_of(self._node).note(self._name, error)
            return GoalResponse.REJECT
        return self._judge(goal)

    def finish(self, goal: ServerGoalHandle, end: GoalEnd, result: Any) -> None:
        """End a goal with its result; a goal that was asked to cancel ends as canceled unless it was aborted."""
        if goal.is_cancel_requested and end is not GoalEnd.ABORTED:
            end = GoalEnd.CANCELED
        self._outcomes[bytes(goal.goal_id.uuid)] = end, result
        if self._node.executor is not None:
            self._node.executor.create_task(goal.execute)

    def _conclude(self, goal: ServerGoalHandle) -> Any:
        end, result = self._outcomes.pop(bytes(goal.goal_id.uuid))
        if end is GoalEnd.SUCCEEDED:
            goal.succeed()
        elif end is GoalEnd.CANCELED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result
