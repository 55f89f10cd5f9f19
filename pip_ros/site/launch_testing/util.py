"""Finding processes by name, and a process that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any, Protocol

from launch import _needs_ros
from launch.actions import ExecuteProcess

NO_CMD_ARGS = object()


class NoMatchingProcessException(Exception):
    """No recorded process matches."""


class HasProcesses(Protocol):
    """Anything that has recorded processes."""

    def processes(self) -> Collection[ExecuteProcess]:
        """Return the actions of the recorded processes."""


def _in_words(process: ExecuteProcess) -> str:
    details = process.process_details or {"name": "a process that was not launched", "cmd": []}
    return " ".join([str(details["name"]), *details["cmd"][1:]])


def _matches(process: ExecuteProcess, name: str, cmd_args: Any) -> bool:
    details = process.process_details or {"name": "", "cmd": []}
    if name not in details["name"]:
        return False
    if cmd_args is NO_CMD_ARGS:
        return len(details["cmd"]) == 1
    wanted = [cmd_args] if isinstance(cmd_args, str) else cmd_args or []
    return all(arg in details["cmd"][1:] for arg in wanted)


def resolveProcesses(
    info_obj: HasProcesses,
    *,
    process: ExecuteProcess | str | None = None,
    cmd_args: str | Sequence[str] | object | None = None,
    strict_proc_matching: bool = True,
) -> list[ExecuteProcess]:
    """Return the recorded processes that are meant: an action, a part of a name, or None for all.

    Raises:
        NoMatchingProcessException: when there is none.
        Exception: when a name matches several and matching is strict.
        TypeError: when `process` is something else.
    """
    recorded = list(info_obj.processes())
    if process is None:
        if not recorded:
            raise NoMatchingProcessException("No data recorded for any process")
        return recorded
    if isinstance(process, ExecuteProcess):
        if process not in recorded:
            raise NoMatchingProcessException(f"No data recorded for proc {_in_words(process)}")
        return [process]
    if not isinstance(process, str):
        raise TypeError(f"proc argument must be 'ExecuteProcess' or 'str' not {type(process)}")
    matches = [one for one in recorded if _matches(one, process, cmd_args)]
    names = ", ".join(sorted(_in_words(one) for one in recorded))
    if not matches:
        raise NoMatchingProcessException(
            f"Did not find any processes matching name '{process}' and args '{cmd_args}'. Procs: {names}"
        )
    if strict_proc_matching and len(matches) > 1:
        raise Exception(f"Found multiple processes matching name '{process}' and cmd_args '{cmd_args}'. Procs: {names}")
    return matches


class KeepAliveProc(ExecuteProcess):
    """A process that waits for SIGINT, to keep a launch alive."""

    def __init__(self) -> None:
        script = "import signal\ntry:\n    signal.pause()\nexcept KeyboardInterrupt:\n    pass\n"
        super().__init__(cmd=[sys.executable, "-u", "-c", script])


__getattr__ = _needs_ros.lazy_attribute(__name__)
