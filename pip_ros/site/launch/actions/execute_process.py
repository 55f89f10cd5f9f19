"""ExecuteProcess: a process with its output, its signals, its end and its respawning."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import launch.logging
from launch.action import Action
from launch.actions._process_command import Pairs, ProcessCommand
from launch.actions._process_output import LoggedStream
from launch.actions._process_shutdown import Escalation
from launch.actions._process_transport import RunningProcess, start_process
from launch.actions.simple import OpaqueFunction
from launch.event import Event
from launch.event_handler import BaseEventHandler, EventHandler
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events import Shutdown
from launch.events.process import (
    ProcessExited,
    ProcessStarted,
    ProcessStderr,
    ProcessStdout,
    ShutdownProcess,
    SignalProcess,
)
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitutions import LaunchConfiguration
from launch.utilities import is_true, normalize_bool, normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class ExecuteProcess(Action):
    """Starts a process and follows it to its end.

    `output` says where its output goes: 'log' (all to launch.log, standard error also to the screen),
    'screen', 'both', 'own_log', 'full' or a dict. On shutdown the process gets SIGINT, after
    `sigterm_timeout` seconds SIGTERM, and `sigkill_timeout` seconds later SIGKILL. With `respawn` it is
    started again after every exit. `on_exit` holds entities, or a function of the event and the context.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        prefix: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Pairs = None,
        additional_env: Pairs = None,
        shell: bool = False,
        sigterm_timeout: SomeSubstitutionsType = LaunchConfiguration("sigterm_timeout", default=5),  # noqa: B008
        sigkill_timeout: SomeSubstitutionsType = LaunchConfiguration("sigkill_timeout", default=5),  # noqa: B008
        emulate_tty: bool = False,
        output: Any = "log",
        output_format: str = "[{this.process_description.final_name}] {line}",
        cached_output: bool = False,
        log_cmd: bool = False,
        on_exit: Any = None,
        respawn: bool | SomeSubstitutionsType = False,
        respawn_delay: float | None = None,
        respawn_max_retries: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.process_description = ProcessCommand(
            cmd=cmd, prefix=prefix, name=name, cwd=cwd, env=env, additional_env=additional_env
        )
        self.shell = shell
        self.sigterm_timeout = normalize_to_list_of_substitutions(sigterm_timeout)
        self.sigkill_timeout = normalize_to_list_of_substitutions(sigkill_timeout)
        self.emulate_tty = emulate_tty
        output = os.environ.get("OVERRIDE_LAUNCH_PROCESS_OUTPUT", output)
        self.output = output if isinstance(output, dict) else normalize_to_list_of_substitutions(output)
        self._output_format = output_format
        self._cached_output = cached_output
        self._log_cmd = log_cmd
        self._on_exit = on_exit
        self._respawn = normalize_bool(respawn)
        self._respawn_delay_s = respawn_delay or 0.0
        self._respawns_left = respawn_max_retries
        self._details: dict[str, Any] | None = None
        self._process: RunningProcess | None = None
        self._starting = False
        self._deferred_shutdown: bool | None = None
        self._escalation: Escalation | None = None
        self._completed: asyncio.Future[None] | None = None
        self._shutdown_begun: asyncio.Future[None] | None = None
        self._streams: dict[int, LoggedStream] = {}
        self._logger: logging.Logger | None = None

    @property
    def process_details(self) -> dict[str, Any] | None:
        """Name, cmd, cwd, env and, when started, pid; None before execution."""
        return self._details

    @property
    def name(self) -> str | None:
        """The process's name with its number; None before execution."""
        return self.process_description.final_name

    @property
    def cmd(self) -> Any:
        """The command, as text once executed."""
        return self.process_description.final_cmd or self.process_description.cmd

    @property
    def return_code(self) -> int | None:
        """The process's return code; None while it runs."""
        return None if self._process is None else self._process.returncode

    def get_stdout(self) -> str:
        """Return all standard output so far.

        Raises:
            RuntimeError: unless `cached_output` was asked for.
        """
        return self._cached_text(1, "stdout")

    def get_stderr(self) -> str:
        """Return all standard error so far.

        Raises:
            RuntimeError: unless `cached_output` was asked for.
        """
        return self._cached_text(2, "stderr")

    def _cached_text(self, fd: int, stream: str) -> str:
        if not self._cached_output:
            raise RuntimeError(f"cached output must be true to be able to get {stream}, proc '{self.name}'")
        return self._streams[fd].text or "" if fd in self._streams else ""

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities to visit on exit, if they are a list."""
        return self._on_exit if isinstance(self._on_exit, list) else []

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is done when the process has ended for good."""
        return self._completed

    def prepare(self, context: LaunchContext) -> None:
        """Perform the substitutions of the command."""
        self.process_description.resolve(context)

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Start the process.

        Raises:
            RuntimeError: when this action was executed before.
        """
        self.prepare(context)
        if self._details is not None:
            raise RuntimeError(f"ExecuteLocal action '{self.name}': executed more than once: {self.describe()}")
        self._details = self.process_description.details(self)
        self._respawn = is_true(context, self._respawn)
        if context.is_shutdown:
            return None
        assert self.name is not None and context.asyncio_loop is not None
        self._logger = launch.logging.get_logger(self.name)
        self._make_streams(context)
        for handler in self._event_handlers():
            context.register_event_handler(handler)
        self._completed = context.asyncio_loop.create_future()
        self._shutdown_begun = context.asyncio_loop.create_future()
        self._task = context.asyncio_loop.create_task(self._run(context))
        return None

    def _make_streams(self, context: LaunchContext) -> None:
        output = self.output if isinstance(self.output, dict) else perform_substitutions(context, self.output)
        assert self.name is not None
        for fd, logger in enumerate(launch.logging.get_output_loggers(self.name, output), start=1):
            self._streams[fd] = LoggedStream(logger, self._format_line, self._cached_output)

    def _format_line(self, line: str) -> str:
        return self._output_format.format(line=line, this=self)

    def _event_handlers(self) -> list[BaseEventHandler]:
        def on_event(event_type: type[Event], function: Any) -> BaseEventHandler:
            return EventHandler(
                matcher=lambda event: isinstance(event, event_type) and event.process_matcher(self),  # type: ignore[attr-defined]
                entities=OpaqueFunction(function=function),
            )

        return [
            on_event(ShutdownProcess, lambda context: self._begin_shutdown(context, send_sigint=True)),
            on_event(SignalProcess, lambda context: self._send_signal(context.locals.event.signal)),
            OnShutdown(on_shutdown=self._on_shutdown),
            OnProcessExit(target_action=self, on_exit=self._on_exit),
        ]

    # The process's life

    async def _run(self, context: LaunchContext) -> None:
        assert self._completed is not None and self._shutdown_begun is not None
        try:
            while not self._shutdown_begun.done() and await self._run_once(context):
                if not self._is_to_respawn(context):
                    break
                self._respawns_left -= 1
                if self._respawn_delay_s > 0.0:
                    await asyncio.wait({self._shutdown_begun}, timeout=self._respawn_delay_s)
        finally:
            if self._escalation is not None:
                self._escalation.cancel()
            self._completed.set_result(None)

    def _is_to_respawn(self, context: LaunchContext) -> bool:
        assert self._shutdown_begun is not None
        wanted = self._respawn is True and self._respawns_left != 0
        return wanted and not context.is_shutdown and not self._shutdown_begun.done()

    async def _run_once(self, context: LaunchContext) -> bool:
        """Run the process to its end; return False if it could not be started."""
        assert self._details is not None and self._logger is not None
        self._starting = True
        try:
            process = await self._start(context)
        except Exception:
            self._logger.error(f"exception occurred while executing process:\n{traceback.format_exc()}")
            return False
        finally:
            self._starting = False
        returncode = await process.wait()
        for stream in self._streams.values():
            stream.flush()
        self._log_exit(process.pid, returncode)
        context.emit_event_sync(ProcessExited(returncode=returncode, **self._details))
        return True

    async def _start(self, context: LaunchContext) -> RunningProcess:
        assert self._details is not None and self._logger is not None
        cmd, cwd, env = (self._details[key] for key in ("cmd", "cwd", "env"))
        if self._log_cmd:
            custom_env = self.process_description.has_own_environment
            self._logger.info(f"process details: cmd='{' '.join(cmd)}', cwd='{cwd}', custom_env?={custom_env}")
        emulate_tty = self.emulate_tty
        if "emulate_tty" in context.launch_configurations:
            value = normalize_to_list_of_substitutions(context.launch_configurations["emulate_tty"])
            emulate_tty = is_true(context, value)
        return await start_process(
            cmd,
            cwd=cwd,
            env=env,
            shell=self.shell,
            emulate_tty=emulate_tty,
            on_start=lambda process: self._on_started(context, process),
            on_output=lambda fd, data: self._on_output(context, fd, data),
        )

    def _on_started(self, context: LaunchContext, process: RunningProcess) -> None:
        assert self._details is not None and self._logger is not None
        self._process = process
        self._starting = False
        self._details["pid"] = process.pid
        self._logger.info(f"process started with pid [{process.pid}]")
        context.emit_event_sync(ProcessStarted(**self._details))
        if self._deferred_shutdown is not None:
            self._begin_shutdown(context, send_sigint=self._deferred_shutdown)

    def _on_output(self, context: LaunchContext, fd: int, data: bytes) -> None:
        assert self._details is not None
        self._streams[fd].feed(data)
        event = (ProcessStdout if fd == 1 else ProcessStderr)(text=data, **self._details)
        if context.would_handle_event(event):
            context.emit_event_sync(event)

    def _log_exit(self, pid: int, returncode: int) -> None:
        assert self._logger is not None and self._details is not None
        if returncode == 0:
            self._logger.info(f"process has finished cleanly [pid {pid}]")
        else:
            cmd = " ".join(part for part in self._details["cmd"] if part.strip())
            self._logger.error(f"process has died [pid {pid}, exit code {returncode}, cmd '{cmd}'].")

    # Signals

    def _on_shutdown(self, event: Event, context: LaunchContext) -> None:
        assert isinstance(event, Shutdown)
        # After Ctrl-C in a terminal the process has had its SIGINT from there.
        self._begin_shutdown(context, send_sigint=not event.due_to_sigint or context.noninteractive)

    def _begin_shutdown(self, context: LaunchContext, *, send_sigint: bool) -> None:
        assert self._shutdown_begun is not None and self._logger is not None and self.name is not None
        if self._shutdown_begun.done():
            return
        if self._starting:
            self._deferred_shutdown = send_sigint
            return
        self._shutdown_begun.set_result(None)
        if self._process is None:
            return
        if self._process.returncode is not None:
            return
        self._escalation = Escalation(
            process_name=self.name,
            logger=self._logger,
            send_signal=self._send_signal,
            sigterm_timeout_s=perform_substitutions(context, self.sigterm_timeout),
            sigkill_timeout_s=perform_substitutions(context, self.sigkill_timeout),
        )
        if send_sigint:
            self._send_signal(signal.SIGINT)

    def _send_signal(self, number: signal.Signals) -> None:
        assert self._logger is not None
        if self._process is None:
            raise RuntimeError("Signal event received before execution.")
        if self._process.returncode is None:
            self._logger.info(f"sending signal '{number.name}' to process[{self.name}]")
            self._process.send_signal(number)
