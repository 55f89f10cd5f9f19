"""An action client that a test may ask from its own thread while an executor spins in another.

rclpy notes a request only after it has sent it: an answer that comes in between finds nobody waiting and is dropped.
Here an answer waits until the request is noted.
"""

import threading
from typing import Any

from rclpy.action import ActionClient


class SteadyActionClient(ActionClient):
    """See the module's docstring."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._noting = threading.RLock()
        super().__init__(*arguments, **named)

    def send_goal_async(self, *arguments: Any, **named: Any) -> Any:
        with self._noting:
            return super().send_goal_async(*arguments, **named)

    def _cancel_goal_async(self, goal_handle: Any) -> Any:
        with self._noting:
            return super()._cancel_goal_async(goal_handle)

    def _get_result_async(self, goal_handle: Any) -> Any:
        with self._noting:
            return super()._get_result_async(goal_handle)

    async def execute(self, taken_data: Any) -> None:
        with self._noting:
            pass
        await super().execute(taken_data)
