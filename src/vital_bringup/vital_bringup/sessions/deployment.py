"""A deployment: a number of trials, each told to the operator, and the report of them."""

import errno
import threading
from typing import Any, Protocol

from vital_bringup.sessions import report
from vital_bringup.sessions.session_parameters import DeployParameters
from vital_bringup.tasks.trial import Trial
from vital_core.errors import ErrorCode, VitalError
from vital_ros.process.client_main import EXIT_FAULT

EXIT_OK = 0
# After these nothing further can go well: the remaining trials are not tried.
FATAL = frozenset({ErrorCode.NO_CHECKPOINT, ErrorCode.BAD_CHECKPOINT})
# After these the remaining trials are tried if the system is whole again after a while.
LOST = frozenset({ErrorCode.NODE_LOST, ErrorCode.TIMEOUT})


class Deployment(Protocol):
    """What the trials ask of the client of the system."""

    parameters: DeployParameters

    def get_logger(self) -> Any:
        """Where the operator reads."""

    def wait_for_parts(self, stopping: threading.Event) -> None:
        """Wait until every part answers. Raises VitalError."""

    def becomes_whole(self) -> bool:
        """Whether every part answers after a while."""

    def run_trial(self, number: int) -> Trial:
        """One trial; a fault ends up in its record."""


def run_trials(client: Deployment, stopping: threading.Event) -> int:
    """All trials; returns the exit code."""
    asked = client.parameters
    client.wait_for_parts(stopping)
    say = client.get_logger().info
    say(f"'{asked.sentence}' ({asked.task}), {asked.trials} trial{'s' * (asked.trials > 1)} from seed {asked.seed}")
    trials: list[Trial] = []
    kept = True
    for number in range(asked.trials):
        trial = client.run_trial(number)
        if stopping.is_set():
            break
        trials.append(trial)
        # rclpy's loggers allow one severity per line of code.
        if trial.completed:
            say(trial.line(asked.trials))
        else:
            client.get_logger().error(trial.line(asked.trials))
        kept = keep_report(client, trials)
        if trial.error_code in FATAL or (trial.error_code in LOST and not client.becomes_whole()):
            untried = asked.trials - len(trials)
            client.get_logger().error(f"{untried} further trials not tried: the system is not whole")
            break
    if trials:
        where = f", report in {asked.report_path}" if asked.report_path and kept else ""
        say(report.closing_line(trials) + where)
    whole = len(trials) == asked.trials and all(t.completed for t in trials) and kept
    return EXIT_OK if whole or stopping.is_set() else EXIT_FAULT


def keep_report(client: Deployment, trials: list[Trial]) -> bool:
    """Write the report of the trials so far; whether it could be. A disk that fills up costs no trial."""
    asked = client.parameters
    if asked.report_path is None:
        return True
    settings = {"task": asked.task, "prompt": asked.sentence, "hardware": asked.hardware, "seed": asked.seed}
    settings["pointing"] = asked.pointing
    try:
        report.write(asked.report_path, settings, trials)
    except OSError as error:
        code = ErrorCode.DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else ErrorCode.INTERNAL
        what = f"the report cannot be written to {asked.report_path}: {error.strerror}; the trials go on without"
        client.get_logger().error(str(VitalError(code, what)))
        return False
    return True
