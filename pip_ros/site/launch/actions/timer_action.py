"""TimerAction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.event import Event
from launch.event_handler import EventHandler
from launch.event_handlers import OnShutdown
from launch.events import TimerEvent
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import (
    is_true,
    normalize_bool,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class TimerAction(Action):
    """Visits actions once, after a period in seconds."""

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        cancel_on_shutdown: bool | SomeSubstitutionsType = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(period, bool):
            raise TypeError("TimerAction expected a number or substitutions for 'period', got a bool")
        self.period = str(period) if isinstance(period, int | float) else period
        self.actions = list(actions)
        self._cancel_on_shutdown = normalize_bool(cancel_on_shutdown)
        self._done: asyncio.Future[None] | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._canceled = False

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is done when the timer has run out or was canceled."""
        return self._done

    def describe_conditional_sub_entities(self) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        """Return the actions."""
        return [("After the timer expired", self.actions)]

    def cancel(self) -> None:
        """Stop the timer; its actions are not visited."""
        self._canceled = True
        if self._handle is not None:
            self._handle.cancel()
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def execute(self, context: LaunchContext) -> None:
        """Start the timer."""
        if self._canceled:
            return
        assert context.asyncio_loop is not None
        loop = context.asyncio_loop
        delay = float(perform_substitutions(context, normalize_to_list_of_substitutions(self.period)))
        if is_true(context, self._cancel_on_shutdown):
            context.register_event_handler(OnShutdown(on_shutdown=self._on_shutdown))
        context.register_event_handler(EventHandler(matcher=self._is_mine, entities=self.actions, handle_once=True))
        self._done = loop.create_future()
        self._handle = loop.call_later(delay, self._run_out, context)

    def _is_mine(self, event: Event) -> bool:
        return isinstance(event, TimerEvent) and event.timer_action is self

    def _run_out(self, context: LaunchContext) -> None:
        context.emit_event_sync(TimerEvent(timer_action=self))
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _on_shutdown(self, event: Event, context: LaunchContext) -> None:
        self.cancel()
