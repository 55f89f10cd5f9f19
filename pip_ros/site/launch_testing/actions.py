"""ReadyToTest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch import _needs_ros
from launch.action import Action

if TYPE_CHECKING:
    from launch import LaunchContext


class ReadyToTest(Action):
    """Tells that the active tests may start."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._callbacks: list[Callable[[], None]] = []

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Have a function called when this action is executed."""
        self._callbacks.append(callback)

    def execute(self, context: LaunchContext) -> None:
        """Call the functions."""
        for callback in self._callbacks:
            callback()


__getattr__ = _needs_ros.lazy_attribute(__name__)
