"""The output of processes under test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from launch.actions import ExecuteProcess
from launch.events.process import ProcessIO

from launch_testing.asserts import assertInStream
from launch_testing.util import NoMatchingProcessException, resolveProcesses


class IoHandler:
    """Output in the order in which it came; an item is the output of one process or process name."""

    def __init__(self) -> None:
        self._events: list[ProcessIO] = []
        self._by_process: dict[ExecuteProcess, list[ProcessIO]] = {}

    def track(self, process: ExecuteProcess) -> None:
        """Know a process although it has not written anything."""
        self._by_process.setdefault(process, [])

    def append(self, event: ProcessIO) -> None:
        """Record output."""
        self._events.append(event)
        self._by_process.setdefault(event.action, []).append(event)

    def __iter__(self) -> Iterator[ProcessIO]:
        return iter(list(self._events))

    def processes(self) -> list[ExecuteProcess]:
        """Return the actions of all known processes."""
        return list(self._by_process)

    def process_names(self) -> list[str]:
        """Return the names of all known processes."""
        return [str(process.name) for process in self._by_process]

    def __getitem__(self, key: ExecuteProcess | str) -> list[ProcessIO]:
        if isinstance(key, ExecuteProcess):
            return list(self._by_process[key])
        for process, events in self._by_process.items():
            if process.name == key:
                return list(events)
        raise KeyError(key)

    def text(self, process: ExecuteProcess, stream: str) -> str:
        """Return all that a process has written to 'stdout' or 'stderr'."""
        fd = 1 if stream == "stdout" else 2
        data = b"".join(event.text for event in self._by_process.get(process, []) if event.fd == fd)
        return data.decode(errors="replace").replace("\r\n", "\n")


class ActiveIoHandler:
    """The output of processes that are still running: can be waited for, from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.io_handler = IoHandler()

    def track(self, process: ExecuteProcess) -> None:
        """Know a process although it has not written anything."""
        with self._changed:
            self.io_handler.track(process)

    def append(self, event: ProcessIO) -> None:
        """Record output."""
        with self._changed:
            self.io_handler.append(event)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[ProcessIO]:
        with self._changed:
            return iter(self.io_handler)

    def processes(self) -> list[ExecuteProcess]:
        """Return the actions of all known processes."""
        with self._changed:
            return self.io_handler.processes()

    def process_names(self) -> list[str]:
        """Return the names of all known processes."""
        with self._changed:
            return self.io_handler.process_names()

    def __getitem__(self, key: ExecuteProcess | str) -> list[ProcessIO]:
        with self._changed:
            return self.io_handler[key]

    def text(self, process: ExecuteProcess, stream: str) -> str:
        """Return all that a process has written so far to 'stdout' or 'stderr'."""
        with self._changed:
            return self.io_handler.text(process, stream)

    def waitFor(
        self,
        expected_output: Any,
        process: ExecuteProcess | str | None = None,
        cmd_args: Any = None,
        *,
        timeout: float = 10,
        stream: str = "stderr",
        **options: Any,
    ) -> bool:
        """Wait for output, on standard error unless told otherwise, and return whether it came.

        Raises:
            Exception: when no process matches at the end.
        """

        def has_come() -> bool:
            try:
                assertInStream(self.io_handler, expected_output, process, cmd_args, stream=stream, **options)
            except (NoMatchingProcessException, AssertionError):
                return False
            return True

        with self._changed:
            success = self._changed.wait_for(has_come, timeout=timeout)
        if not success:
            self._check_process(process, cmd_args)
        return success

    def _check_process(self, process: ExecuteProcess | str | None, cmd_args: Any) -> None:
        try:
            resolveProcesses(self, process=process, cmd_args=cmd_args, strict_proc_matching=False)
        except NoMatchingProcessException as error:
            raise Exception(
                f"After timeout, found no processes matching '{process}'  It either doesn't exist, "
                "was never launched, or didn't generate any output"
            ) from error

    def assertWaitFor(self, *args: Any, **kwargs: Any) -> None:
        """Wait for output as `waitFor` does and fail if it does not come."""
        assert self.waitFor(*args, **kwargs), "Waiting for output timed out"
