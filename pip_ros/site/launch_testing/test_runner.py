"""Runs a launch in the main thread while its active tests run in another, and then the post-shutdown tests."""

from __future__ import annotations

import threading
import unittest
from collections.abc import Mapping
from typing import Any

from launch import LaunchDescription, LaunchDescriptionSource, LaunchService
from launch.actions import IncludeLaunchDescription, RegisterEventHandler
from launch.event import Event
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart
from launch.events.process import ProcessExited, ProcessStarted

from launch_testing.io_handler import ActiveIoHandler
from launch_testing.loader import TestRun
from launch_testing.proc_info_handler import ActiveProcInfoHandler


class LaunchDied(Exception):
    """The launch ended before the active tests did."""


class RunWorker:
    """Runs one launch with its tests."""

    def __init__(self, test_run: TestRun, launch_arguments: Mapping[str, str], debug: bool = False) -> None:
        self._test_run = test_run
        self._launch_arguments = dict(launch_arguments)
        self._service = LaunchService(noninteractive=True, debug=debug)
        self._ready = threading.Event()
        self._completed = threading.Event()
        self._proc_info = ActiveProcInfoHandler()
        self._proc_output = ActiveIoHandler()
        self._active_result = unittest.TestResult()
        self._reason = "Launch stopped before the active tests finished."

    def run(self) -> list[unittest.TestResult]:
        """Return the results of the active and of the post-shutdown tests.

        Raises:
            LaunchDied: when the launch ended before the active tests did.
            unittest.SkipTest: when `generate_test_description` raised it.
        """
        description, context = self._test_run.describe(on_ready=self._ready.set)
        self._bind(context)
        self._service.include_launch_description(self._wrapped(description))
        thread = threading.Thread(target=self._run_active_tests, name="test_runner_thread", daemon=True)
        thread.start()
        self._service.run(shutdown_when_idle=not self._test_run.keep_alive)
        if not self._completed.is_set():
            self._ready.set()
            raise LaunchDied(f"{self._reason}\n{self._output_of_failed_processes()}".rstrip())
        thread.join()
        post_result = unittest.TextTestRunner(verbosity=2).run(self._test_run.post_shutdown_tests)
        return [self._active_result, post_result]

    def _bind(self, context: Mapping[str, Any]) -> None:
        common = {**context, **self._test_run.arguments, "test_args": self._launch_arguments}
        active = {
            "proc_info": self._proc_info,
            "proc_output": self._proc_output,
            "launch_service": self._service,
        }
        after = {
            "proc_info": self._proc_info.proc_info_handler,
            "proc_output": self._proc_output.io_handler,
        }
        self._test_run.bind(self._test_run.active_tests, {**common, **active})
        self._test_run.bind(self._test_run.post_shutdown_tests, {**common, **after})

    def _wrapped(self, description: LaunchDescription) -> LaunchDescription:
        """Return the description behind handlers that record its processes."""

        def on_start(event: Event, _: Any) -> None:
            assert isinstance(event, ProcessStarted)
            self._proc_info.append(event)

        def on_exit(event: Event, _: Any) -> None:
            assert isinstance(event, ProcessExited)
            self._proc_info.append(event)
            self._proc_output.track(event.action)

        record = self._proc_output.append
        return LaunchDescription(
            [
                RegisterEventHandler(OnProcessStart(on_start=on_start)),
                RegisterEventHandler(OnProcessExit(on_exit=on_exit)),
                RegisterEventHandler(OnProcessIO(on_stdout=record, on_stderr=record)),
                IncludeLaunchDescription(
                    LaunchDescriptionSource(description), launch_arguments=self._launch_arguments.items()
                ),
            ]
        )

    def _run_active_tests(self) -> None:
        if not self._ready.wait(timeout=self._test_run.ready_timeout_s):
            self._reason = (
                f"Timed out waiting for processes to start up: no ReadyToTest within "
                f"{self._test_run.ready_timeout_s:g} s"
            )
            self._service.shutdown()
            return
        if self._service.event_loop is None:
            return
        try:
            self._active_result = unittest.TextTestRunner(verbosity=2).run(self._test_run.active_tests)
        finally:
            self._completed.set()
            self._service.shutdown()

    def _output_of_failed_processes(self) -> str:
        parts = []
        for event in self._proc_info:
            if isinstance(event, ProcessExited) and event.returncode != 0:
                parts.append(f"Process '{event.process_name}' exited with {event.returncode}")
                handler = self._proc_output.io_handler
                parts += [handler.text(event.action, stream) for stream in ("stdout", "stderr")]
        return "\n".join(parts)
