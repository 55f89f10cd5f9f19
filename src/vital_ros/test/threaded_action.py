"""An action of a test's own, whose work may wait: it runs in a thread beside the executor.

rclpy's executor of several threads stalls now and then with what else its node does; one thread and this do not.
"""

import threading
from collections.abc import Callable
from typing import Any

from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from vital_ros.long_action import GoalEnd, LongAction

Work = Callable[[ServerGoalHandle], tuple[GoalEnd, Any]]


class ThreadedAction:
    """Serves an action whose goals and cancels are all accepted; `work` returns how a goal ends, and its result."""

    def __init__(self, node: Node, kind: type, name: str, work: Work) -> None:
        self._work = work
        self._action = LongAction(node, kind, name, self._begin, cancel=lambda _: CancelResponse.ACCEPT)

    def _begin(self, goal: ServerGoalHandle) -> None:
        threading.Thread(target=self._run, args=(goal,), daemon=True).start()

    def _run(self, goal: ServerGoalHandle) -> None:
        self._action.finish(goal, *self._work(goal))
