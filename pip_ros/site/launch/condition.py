"""The base of all conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class Condition:
    """Says whether an action is executed."""

    def __init__(self, *, predicate: Callable[[LaunchContext], bool] | None = None) -> None:
        self._predicate = predicate
        self._last_evaluation: bool | None = None

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether the action is to be executed."""
        self._last_evaluation = self._predicate(context) if self._predicate is not None else False
        return self._last_evaluation
