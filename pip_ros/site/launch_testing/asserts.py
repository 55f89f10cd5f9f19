"""Assertions about output and exit codes of processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from launch import _needs_ros
from launch.actions import ExecuteProcess

from launch_testing.util import NO_CMD_ARGS, resolveProcesses

if TYPE_CHECKING:
    from launch_testing.io_handler import IoHandler
    from launch_testing.proc_info_handler import ProcInfoHandler

EXIT_OK = 0
# What a shell makes of these signals; a process started by launch itself has the negative signal number.
EXIT_SIGINT = 130
EXIT_SIGQUIT = 131
EXIT_SIGKILL = 137
EXIT_SIGSEGV = 139

_ANSI_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")

Expected = str | re.Pattern[str] | Sequence[str] | Sequence[re.Pattern[str]]


def _is_found(expected: Any, text: str) -> bool:
    """Return whether a text holds a string, a pattern, or all lines or patterns of a sequence in order."""
    if isinstance(expected, str):
        return expected in text
    if hasattr(expected, "search"):
        return expected.search(text) is not None
    if not isinstance(expected, list | tuple) or not expected:
        raise ValueError("Unknown format for expected output")
    if isinstance(expected[0], str):
        lines = iter(text.splitlines())
        return all(any(line == wanted for line in lines) for wanted in expected)
    start = 0
    for pattern in expected:
        match = pattern.search(text, start)
        if match is None:
            return False
        start = match.end()
    return True


def assertInStream(
    proc_output: IoHandler,
    expected_output: Expected,
    process: ExecuteProcess | str | None,
    cmd_args: Any = None,
    *,
    output_filter: Callable[[str], str] | None = None,
    strict_proc_matching: bool = True,
    strip_ansi_escape_sequences: bool = True,
    stream: str = "stderr",
) -> None:
    """Assert that a process has written something to 'stdout' or 'stderr'.

    `expected_output` is a text, a pattern, or a sequence of lines or of patterns to be found in order.

    Raises:
        AssertionError: when it has not.
        launch_testing.util.NoMatchingProcessException: when no process matches.
        ValueError: for another stream, or for an expectation of another kind.
    """
    if stream not in ("stdout", "stderr"):
        raise ValueError(f"expected 'stdout' or 'stderr' for stream, got '{stream}'")
    processes = resolveProcesses(
        proc_output, process=process, cmd_args=cmd_args, strict_proc_matching=strict_proc_matching
    )
    for one in processes:
        text = proc_output.text(one, stream)
        if strip_ansi_escape_sequences:
            text = _ANSI_ESCAPE.sub("", text)
        if output_filter is not None:
            text = output_filter(text)
        if _is_found(expected_output, text):
            return
    names = ", ".join(sorted(str(one.name) for one in processes))
    raise AssertionError(f"Did not find '{expected_output}' in output for any of the matching processes: {names}")


def assertInStdout(
    proc_output: IoHandler,
    expected_output: Expected,
    process: ExecuteProcess | str | None,
    cmd_args: Any = None,
    **options: Any,
) -> None:
    """Assert that a process has written something to standard output; see `assertInStream`."""
    assertInStream(proc_output, expected_output, process, cmd_args, stream="stdout", **options)


def assertInStderr(
    proc_output: IoHandler,
    expected_output: Expected,
    process: ExecuteProcess | str | None,
    cmd_args: Any = None,
    **options: Any,
) -> None:
    """Assert that a process has written something to standard error; see `assertInStream`."""
    assertInStream(proc_output, expected_output, process, cmd_args, stream="stderr", **options)


class SequentialTextChecker:
    """Checks that texts appear in order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def assertInText(self, msg: str) -> bool:
        """Assert that a text comes after the last one found."""
        position = self._text.find(msg, self._position)
        assert position >= 0, f"'{msg}' not found after position {self._position}"
        self._position = position + len(msg)
        return True

    assertInStdout = assertInText


@contextmanager
def assertSequentialStdout(
    proc_output: IoHandler, process: ExecuteProcess | str, cmd_args: Any = None
) -> Iterator[SequentialTextChecker]:
    """Yield a checker for the order of a process's standard output."""
    (one,) = resolveProcesses(proc_output, process=process, cmd_args=cmd_args)
    yield SequentialTextChecker(proc_output.text(one, "stdout"))


def assertExitCodes(
    proc_info: ProcInfoHandler,
    allowable_exit_codes: Sequence[int] = (EXIT_OK,),
    process: ExecuteProcess | str | None = None,
    cmd_args: Any = None,
    *,
    strict_proc_matching: bool = True,
) -> None:
    """Assert that a process, or every process, has ended with an allowable exit code.

    Raises:
        AssertionError: naming the first one that has not.
    """
    processes = resolveProcesses(
        proc_info, process=process, cmd_args=cmd_args, strict_proc_matching=strict_proc_matching
    )
    for one in processes:
        info = proc_info[one]
        returncode = getattr(info, "returncode", None)
        assert returncode in allowable_exit_codes, f"Proc {info.process_name} exited with code {returncode}"


__all__ = [
    "EXIT_OK",
    "EXIT_SIGINT",
    "EXIT_SIGKILL",
    "EXIT_SIGQUIT",
    "EXIT_SIGSEGV",
    "NO_CMD_ARGS",
    "SequentialTextChecker",
    "assertExitCodes",
    "assertInStderr",
    "assertInStdout",
    "assertInStream",
    "assertSequentialStdout",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
