"""The base of all event handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from launch.event import Event
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.utilities import normalize_entities

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class BaseEventHandler:
    """Matches events and turns them into entities to visit."""

    def __init__(self, *, matcher: Callable[[Event], bool], handle_once: bool = False) -> None:
        self._matcher = matcher
        self.handle_once = handle_once

    def matches(self, event: Event) -> bool:
        """Return whether this handler wants the event."""
        return self._matcher(event)

    def describe_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities that handling will yield, as far as known before launching."""
        return []

    def handle(self, event: Event, context: LaunchContext) -> Any:
        """Return the entities to visit because of the event."""
        context.extend_locals({"event": event})
        if self.handle_once:
            context.unregister_event_handler(self)
        return None


class EventHandler(BaseEventHandler):
    """An event handler with fixed entities."""

    def __init__(
        self,
        *,
        matcher: Callable[[Event], bool],
        entities: LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None = None,
        handle_once: bool = False,
    ) -> None:
        super().__init__(matcher=matcher, handle_once=handle_once)
        self.entities = normalize_entities(entities)

    def describe_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the fixed entities."""
        return self.entities

    def handle(self, event: Event, context: LaunchContext) -> Any:
        """Return the fixed entities."""
        super().handle(event, context)
        return self.entities
