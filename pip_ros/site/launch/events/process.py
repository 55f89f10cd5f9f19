"""Events about processes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch import _needs_ros
from launch.event import Event

if TYPE_CHECKING:
    from launch.actions import ExecuteProcess

ProcessMatcher = Callable[["ExecuteProcess"], bool]


class RunningProcessEvent(Event):
    """Something happened to a process that was started."""

    name = "launch.events.process.RunningProcessEvent"

    def __init__(
        self,
        *,
        action: ExecuteProcess,
        name: str,
        cmd: list[str],
        cwd: str | None,
        env: dict[str, str] | None,
        pid: int,
    ) -> None:
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.cwd = cwd
        self.env = env
        self.pid = pid


class ProcessStarted(RunningProcessEvent):
    """A process has started."""

    name = "launch.events.process.ProcessStarted"


class ProcessExited(RunningProcessEvent):
    """A process has ended; a signal's return code is its negative number."""

    name = "launch.events.process.ProcessExited"

    def __init__(self, *, returncode: int, **process: Any) -> None:
        super().__init__(**process)
        self.returncode = returncode


class ProcessIO(RunningProcessEvent):
    """A process has written bytes."""

    name = "launch.events.process.ProcessIO"

    def __init__(self, *, text: bytes, fd: int, **process: Any) -> None:
        super().__init__(**process)
        self.text = text
        self.fd = fd

    from_stdin = property(lambda self: self.fd == 0)
    from_stdout = property(lambda self: self.fd == 1)
    from_stderr = property(lambda self: self.fd == 2)


class ProcessStdout(ProcessIO):
    """A process has written to its standard output."""

    name = "launch.events.process.ProcessStdout"

    def __init__(self, *, text: bytes, **process: Any) -> None:
        super().__init__(text=text, fd=1, **process)


class ProcessStderr(ProcessIO):
    """A process has written to its standard error."""

    name = "launch.events.process.ProcessStderr"

    def __init__(self, *, text: bytes, **process: Any) -> None:
        super().__init__(text=text, fd=2, **process)


class ProcessTargetedEvent(Event):
    """Something is to happen to the processes that the matcher picks."""

    name = "launch.events.process.ProcessTargetedEvent"

    def __init__(self, *, process_matcher: ProcessMatcher) -> None:
        self.process_matcher = process_matcher


class ShutdownProcess(ProcessTargetedEvent):
    """Processes are to be shut down: SIGINT, then SIGTERM, then SIGKILL."""

    name = "launch.events.process.ShutdownProcess"


class SignalProcess(ProcessTargetedEvent):
    """A signal is to be sent to processes."""

    name = "launch.events.process.SignalProcess"

    def __init__(self, *, signal_number: str | int, process_matcher: ProcessMatcher) -> None:
        super().__init__(process_matcher=process_matcher)
        if isinstance(signal_number, str):
            self.signal = signal.Signals[signal_number]
        else:
            self.signal = signal.Signals(signal_number)
        self.signal_name = self.signal.name


def matches_pid(pid: int) -> ProcessMatcher:
    """Return a matcher for the process with this id."""
    return lambda action: (action.process_details or {}).get("pid") == pid


def matches_name(name: str) -> ProcessMatcher:
    """Return a matcher for the process with this name."""
    return lambda action: (action.process_details or {}).get("name") == name


__all__ = [
    "ProcessExited",
    "ProcessIO",
    "ProcessStarted",
    "ProcessStderr",
    "ProcessStdout",
    "RunningProcessEvent",
    "ShutdownProcess",
    "SignalProcess",
    "matches_name",
    "matches_pid",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
