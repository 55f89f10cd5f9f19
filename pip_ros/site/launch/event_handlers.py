"""Event handlers for processes, shutdown and finished actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch import _needs_ros
from launch.action import Action
from launch.event import Event
from launch.event_handler import BaseEventHandler
from launch.events import ExecutionComplete, IncludeLaunchDescription, Shutdown
from launch.events.process import ProcessExited, ProcessIO, ProcessStarted
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.utilities import normalize_entities

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

TargetAction = Action | Callable[[Action], bool] | None


def _matcher(event_type: type[Event], target: TargetAction) -> Callable[[Event], bool]:
    def matches(event: Event) -> bool:
        if not isinstance(event, event_type):
            return False
        action = getattr(event, "action", None)
        if target is None or target is action:
            return True
        return not isinstance(target, Action) and target(action)  # type: ignore[arg-type]

    return matches


class _OnEvent(BaseEventHandler):
    """Handles events of one type by entities, or by a function of the event and the context."""

    def __init__(self, matcher: Callable[[Event], bool], on_event: Any, handle_once: bool) -> None:
        super().__init__(matcher=matcher, handle_once=handle_once)
        is_function = callable(on_event) and not isinstance(on_event, LaunchDescriptionEntity)
        self._function: Callable[[Event, LaunchContext], Any] | None = on_event if is_function else None
        self.entities = [] if is_function else normalize_entities(on_event)

    def describe_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the fixed entities; none for a function."""
        return self.entities

    def handle(self, event: Event, context: LaunchContext) -> Any:
        """Return the fixed entities, or what the function returns."""
        super().handle(event, context)
        return self.entities if self._function is None else self._function(event, context)


def _check_target(target: TargetAction, handler: BaseEventHandler) -> None:
    if target is not None and not isinstance(target, Action) and not callable(target):
        raise ValueError(f"{type(handler).__name__} requires an action or a function as target_action")


class OnProcessStart(_OnEvent):
    """Handles the start of a process; respawning starts it anew."""

    def __init__(self, *, target_action: TargetAction = None, on_start: Any, handle_once: bool = False) -> None:
        _check_target(target_action, self)
        super().__init__(_matcher(ProcessStarted, target_action), on_start, handle_once)


class OnProcessExit(_OnEvent):
    """Handles every exit of a process."""

    def __init__(self, *, target_action: TargetAction = None, on_exit: Any, handle_once: bool = False) -> None:
        _check_target(target_action, self)
        super().__init__(_matcher(ProcessExited, target_action), on_exit, handle_once)


class OnExecutionComplete(_OnEvent):
    """Handles the end of an action."""

    def __init__(self, *, target_action: TargetAction = None, on_completion: Any, handle_once: bool = False) -> None:
        _check_target(target_action, self)
        super().__init__(_matcher(ExecutionComplete, target_action), on_completion, handle_once)


class OnShutdown(_OnEvent):
    """Handles the shutdown of the launch."""

    def __init__(self, *, on_shutdown: Any, handle_once: bool = False) -> None:
        super().__init__(_matcher(Shutdown, None), on_shutdown, handle_once)


class OnProcessIO(BaseEventHandler):
    """Handles output of a process by functions of the event."""

    def __init__(
        self,
        *,
        target_action: TargetAction = None,
        on_stdin: Callable[[ProcessIO], Any] | None = None,
        on_stdout: Callable[[ProcessIO], Any] | None = None,
        on_stderr: Callable[[ProcessIO], Any] | None = None,
        handle_once: bool = False,
    ) -> None:
        _check_target(target_action, self)
        super().__init__(matcher=_matcher(ProcessIO, target_action), handle_once=handle_once)
        self._functions = {0: on_stdin, 1: on_stdout, 2: on_stderr}

    def handle(self, event: Event, context: LaunchContext) -> Any:
        """Return what the function for the event's stream returns."""
        super().handle(event, context)
        assert isinstance(event, ProcessIO)
        function = self._functions[event.fd]
        return None if function is None else function(event)


class OnIncludeLaunchDescription(BaseEventHandler):
    """Visits launch descriptions that the launch service is given."""

    def __init__(self) -> None:
        super().__init__(matcher=lambda event: isinstance(event, IncludeLaunchDescription))

    def handle(self, event: Event, context: LaunchContext) -> Any:
        """Return the launch description."""
        super().handle(event, context)
        assert isinstance(event, IncludeLaunchDescription)
        return event.launch_description


__all__ = [
    "OnExecutionComplete",
    "OnIncludeLaunchDescription",
    "OnProcessExit",
    "OnProcessIO",
    "OnProcessStart",
    "OnShutdown",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
