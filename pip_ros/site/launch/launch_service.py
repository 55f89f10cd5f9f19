"""LaunchService: the event loop of a launch."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import launch.logging
from launch.event import Event
from launch.event_handlers import OnIncludeLaunchDescription, OnShutdown
from launch.events import IncludeLaunchDescription, Shutdown
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.utilities import normalize_entities, visit_all_entities_and_collect_futures


class LaunchService:
    """Visits launch descriptions and handles events until the launch is shut down and all work has ended."""

    def __init__(
        self, *, argv: Iterable[str] | None = None, noninteractive: bool | None = None, debug: bool = False
    ) -> None:
        launch.logging.launch_config.set_level(logging.DEBUG if debug else logging.INFO)
        self._debug = debug
        self._logger = launch.logging.get_logger("launch")
        self._context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self._context.register_event_handler(OnIncludeLaunchDescription())
        self._context.register_event_handler(OnShutdown(on_shutdown=self._on_shutdown))
        self._futures: list[asyncio.Future[None]] = []
        self._shutting_down = False
        self._sigint_received = False
        self._return_code = 0

    @property
    def context(self) -> LaunchContext:
        """The state of this launch."""
        return self._context

    @property
    def event_loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop while running."""
        return self._context.asyncio_loop

    def emit_event(self, event: Event) -> None:
        """Queue an event, from any thread."""
        self._context.emit_event_sync(event)

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Have a launch description visited, from any thread."""
        self.emit_event(IncludeLaunchDescription(launch_description))

    def shutdown(self, force_sync: bool = False) -> None:
        """Shut the running launch down, from any thread; `run` then returns. Does nothing if not running."""
        if self._context.asyncio_loop is not None:
            self._shutdown("LaunchService.shutdown() called")

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        """Run until shut down, in the main thread, and return the exit code: 1 if anything raised, or else 0."""
        return asyncio.run(self.run_async(shutdown_when_idle=shutdown_when_idle), debug=self._debug)

    async def run_async(self, *, shutdown_when_idle: bool = True) -> int:
        """Run in the event loop of the main thread; see `run`.

        Raises:
            RuntimeError: in another thread, or while running already.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("LaunchService can only be run in the main thread.")
        if self._context.asyncio_loop is not None:
            raise RuntimeError("LaunchService cannot be run multiple times concurrently.")
        loop = asyncio.get_running_loop()
        self._return_code = 0
        self._context.wake = asyncio.Event()
        self._context.asyncio_loop = loop
        loop.set_exception_handler(self._on_task_exception)
        try:
            with self._interrupt_shuts_down(loop):
                launch.logging.log_launch_config(logger=self._logger)
                await self._process_events(shutdown_when_idle)
        finally:
            self._context.asyncio_loop = None
            self._shutting_down = False
        return self._return_code

    async def _process_events(self, shutdown_when_idle: bool) -> None:
        while True:
            self._context.wake.clear()
            self._futures = [future for future in self._futures if not future.done()]
            try:
                if self._context.events:
                    self._process(self._context.events.popleft())
                    await asyncio.sleep(0)
                elif self._futures or (not self._shutting_down and not shutdown_when_idle):
                    await self._wait()
                elif self._shutting_down:
                    return
                else:
                    self._shutdown("idle")
            except Exception as error:
                self._fail(error)

    async def _wait(self) -> None:
        """Wait for an event or for the end of any work."""
        event: asyncio.Future[Any] = asyncio.ensure_future(self._context.wake.wait())
        try:
            done, _ = await asyncio.wait({event, *self._futures}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            event.cancel()
        for future in done - {event}:
            if not future.cancelled() and (error := future.exception()) is not None:
                raise error

    def _process(self, event: Event) -> None:
        self._logger.debug("processing event: '%s'", event)
        for handler in tuple(self._context.event_handlers):
            if not handler.matches(event):
                continue
            self._context.push_locals()
            try:
                for entity in normalize_entities(handler.handle(event, self._context)):
                    self._visit(entity)
            finally:
                self._context.pop_locals()

    def _visit(self, entity: Any) -> None:
        if entity is None:
            return
        if not isinstance(entity, LaunchDescriptionEntity):
            raise RuntimeError(f"expected a LaunchDescriptionEntity from event_handler, got '{entity}'")
        pairs = visit_all_entities_and_collect_futures(entity, self._context)
        self._futures.extend(future for _, future in pairs)

    def _fail(self, error: Exception) -> None:
        message = f"Caught exception in launch (see debug for traceback): {error}"
        self._logger.debug("%s", "".join(traceback.format_exception(error)))
        self._logger.error(message)
        self._return_code = 1
        self._shutdown(message)

    def _shutdown(self, reason: str, due_to_sigint: bool = False) -> None:
        if not self._shutting_down:
            self.emit_event(Shutdown(reason=reason, due_to_sigint=due_to_sigint))
        self._shutting_down = True
        self._context.is_shutdown = True

    def _on_shutdown(self, event: Event, context: LaunchContext) -> None:
        self._shutting_down = True
        context.is_shutdown = True

    def _on_task_exception(self, loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
        self._return_code = 1
        loop.default_exception_handler(details)

    def _on_sigint(self) -> None:
        message = "user interrupted with ctrl-c (SIGINT)"
        if self._sigint_received:
            self._logger.warning(f"{message} again, ignoring...")
            return
        self._sigint_received = True
        self._logger.warning(message)
        self._shutdown("ctrl-c (SIGINT)", due_to_sigint=True)

    @contextmanager
    def _interrupt_shuts_down(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Let SIGINT shut the launch down; an ignored SIGINT stays ignored, and SIGTERM kills, as in the real one."""
        previous = signal.getsignal(signal.SIGINT)
        if previous is signal.SIG_IGN:
            yield
            return
        self._sigint_received = False
        loop.add_signal_handler(signal.SIGINT, self._on_sigint)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, previous)
