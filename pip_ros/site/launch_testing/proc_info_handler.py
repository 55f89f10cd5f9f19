"""The start and end of processes under test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from launch.actions import ExecuteProcess
from launch.events.process import ProcessExited, RunningProcessEvent

from launch_testing.util import NoMatchingProcessException, resolveProcesses


class ProcInfoHandler:
    """The last event, start or exit, of each process."""

    def __init__(self) -> None:
        self._events: dict[ExecuteProcess, RunningProcessEvent] = {}

    def append(self, event: RunningProcessEvent) -> None:
        """Record a start or an exit."""
        self._events[event.action] = event

    def __iter__(self) -> Iterator[RunningProcessEvent]:
        return iter(list(self._events.values()))

    def processes(self) -> list[ExecuteProcess]:
        """Return the actions of all recorded processes."""
        return list(self._events)

    def process_names(self) -> list[str]:
        """Return the names of all recorded processes."""
        return [str(process.name) for process in self._events]

    def __getitem__(self, key: ExecuteProcess | str) -> Any:
        if isinstance(key, ExecuteProcess):
            return self._events[key]
        for process, event in self._events.items():
            if key in str(process.name):
                return event
        raise KeyError(key)


class ActiveProcInfoHandler:
    """Start and end of processes that are still running: can be waited for, from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.proc_info_handler = ProcInfoHandler()

    def append(self, event: RunningProcessEvent) -> None:
        """Record a start or an exit."""
        with self._changed:
            self.proc_info_handler.append(event)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[RunningProcessEvent]:
        with self._changed:
            return iter(self.proc_info_handler)

    def processes(self) -> list[ExecuteProcess]:
        """Return the actions of all recorded processes."""
        with self._changed:
            return self.proc_info_handler.processes()

    def process_names(self) -> list[str]:
        """Return the names of all recorded processes."""
        with self._changed:
            return self.proc_info_handler.process_names()

    def __getitem__(self, key: ExecuteProcess | str) -> Any:
        with self._changed:
            return self.proc_info_handler[key]

    def _wait(
        self,
        condition: Callable[[RunningProcessEvent], bool],
        process: ExecuteProcess | str,
        cmd_args: Any,
        timeout: float,
    ) -> bool:
        def holds() -> bool:
            try:
                found = resolveProcesses(self.proc_info_handler, process=process, cmd_args=cmd_args)
            except NoMatchingProcessException:
                return False
            return condition(self.proc_info_handler[found[0]])

        with self._changed:
            return self._changed.wait_for(holds, timeout=timeout)

    def assertWaitForStartup(self, process: ExecuteProcess | str, cmd_args: Any = None, *, timeout: float = 10) -> None:
        """Wait for the start of a process and fail if it does not come."""
        success = self._wait(lambda event: True, process, cmd_args, timeout)
        assert success, f"Timed out waiting for process '{process}' to start"

    def assertWaitForShutdown(
        self, process: ExecuteProcess | str, cmd_args: Any = None, *, timeout: float = 10
    ) -> None:
        """Wait for the end of a process and fail if it does not come."""
        success = self._wait(lambda event: isinstance(event, ProcessExited), process, cmd_args, timeout)
        assert success, f"Timed out waiting for process '{process}' to finish"
