"""Runs a number of trials through `/vital/run_task`, tells the operator about each, and writes the report.

Exit code 0 when every trial completed its phases (success or an honest give-up), 1 on a fault, 2 when
something that was asked for does not exist.
"""

import errno
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node

from vital_bringup.sessions import report
from vital_bringup.tasks import trial_message
from vital_bringup.tasks.trial import Trial
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_interfaces.action import ReachTarget, RunPolicy, RunTask
from vital_interfaces.srv import AcquireControl, ClearStop, LocalizeTarget, ResetScene
from vital_ros.calls import call, run_action
from vital_ros.diagnostics import OK, Diagnostics, Health
from vital_ros.gate_watch import GateWatch
from vital_ros.parameters import declare
from vital_ros.process.client_main import EXIT_FAULT, run_client, wait_until_ready, whole_again

# After these nothing further can go well: the remaining trials are not tried.
FATAL = frozenset({ErrorCode.NO_CHECKPOINT, ErrorCode.BAD_CHECKPOINT})
# After these the remaining trials are tried if the system is whole again after a while.
LOST = frozenset({ErrorCode.NODE_LOST, ErrorCode.TIMEOUT})


@dataclass(frozen=True)
class Settings:
    """What a deployment was asked to do; report is empty or `none` for none."""

    task: Annotated[str, Meta(description="the task of every trial")] = "usb_insertion"
    prompt: Annotated[str, Meta(description="what the camera looks for; empty: the task's own prompt")] = ""
    trials: Annotated[int, Meta(ge=1, le=10**6, description="how many, one after the other")] = 1
    seed: Annotated[int, Meta(ge=0, le=2**53, description="of the first trial; the next one's is 1 more")] = 1000
    report: Annotated[str, Meta(description="JSON file for what came of them; empty or none: none is written")] = ""
    hardware: Annotated[str, Meta(description="sim, mock or robot; sim: a new scene for each trial")] = "sim"
    pointing: Annotated[str, Meta(description="what finds the named thing, for the report")] = "embedded"
    start_timeout_s: Annotated[float, Meta(ge=0.1, le=3600.0, description="for every part to answer, s")] = 90.0

    def __post_init__(self) -> None:
        load_task(self.task)
        if self.trials < 1:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"trials is {self.trials}, expected at least 1")
        if self.report_path is not None:
            report.check_writable(self.report_path, f"report:={self.report}")

    @property
    def report_path(self) -> Path | None:
        """Where the report goes."""
        return None if self.report in ("", "none") else Path(self.report)

    @property
    def simulated(self) -> bool:
        """Whether a simulator can be told to lay a new scene."""
        return self.hardware == "sim"


class Deployment(Node):
    """The client of a running system."""

    def __init__(self) -> None:
        super().__init__("deploy")
        given = declare(self, Settings)
        self.settings = replace(given, prompt=given.prompt or load_task(given.task).prompt)
        self._run_task = ActionClient(self, RunTask, "/vital/run_task")
        self._parts: dict[str, ActionClient | Client] = {
            "task server": self._run_task,
            "reach": ActionClient(self, ReachTarget, "/vital/reach_target"),
            "policy": ActionClient(self, RunPolicy, "/vital/run_policy"),
            "pointing": self.create_client(LocalizeTarget, "/vital/localize_target"),
            "gate": self.create_client(AcquireControl, "/vital/acquire_control"),
        }
        self._clear_stop = self.create_client(ClearStop, "/vital/clear_stop")
        self._reset_scene = self.create_client(ResetScene, "/vital/reset_scene")
        if self.settings.simulated:
            self._parts["simulator"] = self._reset_scene
        self._stopping = threading.Event()
        self._watch = GateWatch(self)
        self._diagnostics = Diagnostics(self, lambda: Health(OK, f"{self.settings.trials} trials of {given.task}"))

    def wait_for_parts(self, stopping: threading.Event) -> None:
        """Wait until every part answers. Raises VitalError(NODE_LOST) naming those that do not."""
        self._stopping = stopping
        wait_until_ready(self, self._missing, stopping, self.settings.start_timeout_s)

    def whole_again(self) -> bool:
        """Whether every part answers after a while."""
        return whole_again(self, self._missing, self._stopping)

    def _missing(self) -> list[str]:
        missing = [
            name
            for name, client in self._parts.items()
            if not (client.server_is_ready() if isinstance(client, ActionClient) else client.service_is_ready())
        ]
        return missing if self._watch.knows_the_arm else [*missing, "joint states"]

    def run_trial(self, number: int) -> Trial:
        """One trial, from a fresh scene where there is a simulator; a fault ends up in the record."""
        s = self.settings
        trial = Trial(number, s.seed + number, s.task, s.prompt)
        start = steady_s()
        try:
            if s.simulated:
                self._fresh_scene(trial.seed)
            goal = RunTask.Goal(task=s.task, prompt=s.prompt, seed=trial.seed)
            _, result = run_action(self._run_task, goal, timeout_s=180.0, abandon=self._stopping.is_set)
        except VitalError as error:
            return replace(trial.failed(error.code, error.message), duration_s=steady_s() - start)
        return replace(trial_message.from_message(result.report), trial=number)

    def _fresh_scene(self, seed: int) -> None:
        if self._watch.latched:
            call(self._clear_stop, ClearStop.Request(operator_name="deploy in simulation"))
        self._watch.wait_until_free()
        answer = call(self._reset_scene, ResetScene.Request(task=self.settings.task, seed=seed), timeout_s=30.0)
        if not answer.success:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.INTERNAL), answer.message)


def run_trials(node: Deployment, stopping: threading.Event) -> int:
    """All trials; returns the exit code."""
    s = node.settings
    node.wait_for_parts(stopping)
    say = node.get_logger().info
    say(f"'{s.prompt}' ({s.task}), {s.trials} trial{'s' * (s.trials > 1)} from seed {s.seed}")
    trials: list[Trial] = []
    kept = True
    for number in range(s.trials):
        trial = node.run_trial(number)
        if stopping.is_set():
            break
        trials.append(trial)
        # rclpy's loggers allow one severity per line of code.
        if trial.completed:
            say(trial.line(s.trials))
        else:
            node.get_logger().error(trial.line(s.trials))
        kept = keep(node, trials)
        if trial.error_code in FATAL or (trial.error_code in LOST and not node.whole_again()):
            node.get_logger().error(f"{s.trials - len(trials)} further trials not tried: the system is not whole")
            break
    if trials:
        say(report.closing_line(trials) + (f", report in {s.report_path}" if s.report_path and kept else ""))
    whole = len(trials) == s.trials and all(t.completed for t in trials) and kept
    return 0 if whole or stopping.is_set() else EXIT_FAULT


def keep(node: Deployment, trials: list[Trial]) -> bool:
    """Write the report of the trials so far; whether it could be. A disk that fills up costs no trial."""
    s = node.settings
    if s.report_path is None:
        return True
    settings = {"task": s.task, "prompt": s.prompt, "hardware": s.hardware, "pointing": s.pointing, "seed": s.seed}
    try:
        report.write(s.report_path, settings, trials)
    except OSError as error:
        code = ErrorCode.DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else ErrorCode.INTERNAL
        what = f"the report cannot be written to {s.report_path}: {error.strerror}; the trials go on without"
        node.get_logger().error(str(VitalError(code, what)))
        return False
    return True


def main() -> None:
    """Entry point."""
    run_client(Deployment, run_trials, "deploy")


if __name__ == "__main__":
    main()
