"""What entities see while launching: configurations, environment, event handlers and the event queue."""

from __future__ import annotations

import asyncio
import collections
import os
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from launch.substitution import Substitution

if TYPE_CHECKING:
    from launch.event import Event
    from launch.event_handler import BaseEventHandler


class _Locals:
    """Attribute access to the context's local and global variables."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._variables:
            raise AttributeError(f"context does not contain local variable '{name}'")
        return self._variables[name]


class LaunchContext:
    """The state of one launch, shared by all its entities."""

    def __init__(self, *, argv: Iterable[str] | None = None, noninteractive: bool | None = None) -> None:
        self.argv = list(argv or [])
        self.noninteractive = not sys.stdin.isatty() if noninteractive is None else noninteractive
        self.launch_configurations: dict[str, Any] = {}
        self.is_shutdown = False
        self.asyncio_loop: asyncio.AbstractEventLoop | None = None
        self.event_handlers: collections.deque[BaseEventHandler] = collections.deque()
        self.events: collections.deque[Event] = collections.deque()
        self.wake = asyncio.Event()
        self._globals: dict[str, Any] = {}
        self._locals: dict[str, Any] = {}
        self._locals_stack: list[dict[str, Any]] = []
        self._configurations_stack: list[dict[str, Any]] = []
        self._environment_stack: list[dict[str, str]] = []
        self._initial_environment = dict(os.environ)

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment that processes get: this process's own."""
        return os.environ

    @property
    def locals(self) -> _Locals:
        """The variables of the event being handled and of the launch file being read, by attribute."""
        return _Locals(self.get_locals_as_dict())

    def get_locals_as_dict(self) -> dict[str, Any]:
        """Return local variables laid over global ones."""
        return {**self._globals, **self._locals}

    def extend_globals(self, extension: Mapping[str, Any]) -> None:
        """Add variables that stay for the whole launch."""
        self._globals.update(extension)

    def extend_locals(self, extension: Mapping[str, Any]) -> None:
        """Add variables that stay while the current event is handled.

        Raises:
            RuntimeError: when a global variable has the same name.
        """
        for name in extension:
            if name in self._globals:
                raise RuntimeError(f"local variable '{name}' would hide a global variable")
        self._locals.update(extension)

    def push_locals(self) -> None:
        """Set the local variables aside until `pop_locals`."""
        self._locals_stack.append(dict(self._locals))

    def pop_locals(self) -> None:
        """Bring back the local variables last set aside."""
        self._locals = self._locals_stack.pop()

    def push_configurations(self) -> None:
        """Remember the launch configurations until `pop_configurations`."""
        self._configurations_stack.append(dict(self.launch_configurations))

    def pop_configurations(self) -> None:
        """Restore the launch configurations last remembered, in place."""
        self._replace(self.launch_configurations, self._configurations_stack.pop())

    def push_environment(self) -> None:
        """Remember the environment until `pop_environment`."""
        self._environment_stack.append(dict(os.environ))

    def pop_environment(self) -> None:
        """Restore the environment last remembered."""
        self._replace(os.environ, self._environment_stack.pop())

    def reset_environment(self) -> None:
        """Go back to the environment that the launch started with."""
        self._replace(os.environ, self._initial_environment)

    @staticmethod
    def _replace(target: MutableMapping[str, Any], content: Mapping[str, Any]) -> None:
        target.clear()
        target.update(content)

    def register_event_handler(self, event_handler: BaseEventHandler) -> None:
        """Add an event handler; the last one added is asked first."""
        self.event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler: BaseEventHandler) -> None:
        """Remove an event handler.

        Raises:
            ValueError: when it is not registered.
        """
        self.event_handlers.remove(event_handler)

    def would_handle_event(self, event: Event) -> bool:
        """Return whether any registered handler matches the event."""
        return any(handler.matches(event) for handler in self.event_handlers)

    def emit_event_sync(self, event: Event) -> None:
        """Queue an event, from any thread."""
        self.events.append(event)
        if self.asyncio_loop is not None:
            self.asyncio_loop.call_soon_threadsafe(self.wake.set)

    async def emit_event(self, event: Event) -> None:
        """Queue an event."""
        self.emit_event_sync(event)

    def perform_substitution(self, sub: Substitution) -> str:
        """Return the text of a substitution in this context."""
        return sub.perform(self)
