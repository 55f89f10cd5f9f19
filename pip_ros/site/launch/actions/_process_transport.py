"""Starting a process in the event loop, with pipes or with a pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import pty
from collections.abc import Callable
from typing import Any

# Grandchildren may keep a dead process's output open: how long its last lines are waited for.
LAST_OUTPUT_TIMEOUT_S = 0.2

OnStart = Callable[["RunningProcess"], None]
OnOutput = Callable[[int, bytes], None]


class _TerminalReader(asyncio.Protocol):
    """Reads one pseudo-terminal."""

    def __init__(self, process: RunningProcess, fd: int) -> None:
        self._process = process
        self._fd = fd

    def data_received(self, data: bytes) -> None:
        self._process.pipe_data_received(self._fd, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.pipe_connection_lost(self._fd, exc)


class RunningProcess(asyncio.SubprocessProtocol):
    """A process under way."""

    def __init__(self, on_start: OnStart, on_output: OnOutput) -> None:
        self._on_start = on_start
        self._on_output = on_output
        self._open_streams = {1, 2}
        loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.SubprocessTransport | None = None
        self.terminal_transports: list[asyncio.ReadTransport] = []

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.transport is not None
        return self.transport.get_pid()

    @property
    def returncode(self) -> int | None:
        """The return code, a signal's as its negative number; None while running."""
        return None if self.transport is None else self.transport.get_returncode()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._on_start(self)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._on_output(fd, data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open_streams.discard(fd)
        if not self._open_streams and not self._closed.done():
            self._closed.set_result(None)

    def process_exited(self) -> None:
        if not self._exited.done():
            self._exited.set_result(None)

    async def wait(self) -> int:
        """Return the return code after the process has ended and its output has been read."""
        await self._exited
        await asyncio.wait({self._closed}, timeout=LAST_OUTPUT_TIMEOUT_S)
        returncode = self.returncode
        assert self.transport is not None and returncode is not None
        self.transport.close()
        for transport in self.terminal_transports:
            transport.close()
        return returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None and self.transport is not None:
            self.transport.send_signal(number)


async def start_process(
    cmd: list[str],
    *,
    cwd: str | None,
    env: dict[str, str] | None,
    shell: bool,
    emulate_tty: bool,
    on_start: OnStart,
    on_output: OnOutput,
) -> RunningProcess:
    """Start a process in this process's group.

    Raises:
        OSError: when it cannot be started.
    """
    process = RunningProcess(on_start, on_output)
    if emulate_tty:
        await _start_with_terminals(process, cmd, cwd, env, shell)
    else:
        await _start(process, cmd, shell, cwd=cwd, env=env)
    return process


async def _start(process: RunningProcess, cmd: list[str], shell: bool, **options: Any) -> None:
    loop = asyncio.get_running_loop()
    if shell:
        await loop.subprocess_shell(lambda: process, " ".join(cmd), **options)
    else:
        await loop.subprocess_exec(lambda: process, *cmd, **options)


async def _start_with_terminals(
    process: RunningProcess, cmd: list[str], cwd: str | None, env: dict[str, str] | None, shell: bool
) -> None:
    loop = asyncio.get_running_loop()
    terminals = {fd: pty.openpty() for fd in (1, 2)}
    try:
        await _start(process, cmd, shell, cwd=cwd, env=env, stdout=terminals[1][1], stderr=terminals[2][1])
    except BaseException:
        for master, _ in terminals.values():
            os.close(master)
        raise
    finally:
        for _, slave in terminals.values():
            os.close(slave)
    for fd, (master, _) in terminals.items():
        transport, _ = await loop.connect_read_pipe(
            lambda fd=fd: _TerminalReader(process, fd),  # type: ignore[misc]
            os.fdopen(master, "rb", 0),
        )
        process.terminal_transports.append(transport)
