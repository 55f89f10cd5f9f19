"""Runs a number of trials through `/vital/run_task`, tells the operator about each, and writes the report.

Exit code 0 when every trial completed its phases (success or an honest give-up), 1 on a fault, 2 when
something that was asked for does not exist.
"""

from dataclasses import replace

from rclpy.action import ActionClient

from vital_bringup.sessions.deployment import run_trials
from vital_bringup.sessions.session_client import SessionClient
from vital_bringup.sessions.session_parameters import DeployParameters
from vital_bringup.tasks import trial_message
from vital_bringup.tasks.trial import Trial
from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_interfaces.action import ReachTarget, RunPolicy, RunTask
from vital_interfaces.srv import AcquireControl, LocalizeTarget
from vital_ros.calls import run_action
from vital_ros.diagnostics import OK, Health
from vital_ros.process.client_main import run_client

TRIAL_S = 180.0


class DeployNode(SessionClient[DeployParameters]):
    """The client of a running system."""

    def __init__(self) -> None:
        super().__init__("deploy", DeployParameters)
        self._run_task = ActionClient(self, RunTask, "/vital/run_task")
        self.parts = {
            "task server": self._run_task,
            "reach": ActionClient(self, ReachTarget, "/vital/reach_target"),
            "policy": ActionClient(self, RunPolicy, "/vital/run_policy"),
            "pointing": self.create_client(LocalizeTarget, "/vital/localize_target"),
            "gate": self.create_client(AcquireControl, "/vital/acquire_control"),
        }

    def health(self) -> Health:
        """As in `SessionClient`."""
        return Health(OK, f"{self.parameters.trials} trials of {self.task.name}")

    def missing(self) -> list[str]:
        """As in `SessionClient`."""
        return super().missing() if self.watch.knows_the_arm else [*super().missing(), "joint states"]

    def run_trial(self, number: int) -> Trial:
        """One trial, from a fresh scene where there is a simulator; a fault ends up in the record."""
        asked = self.parameters
        trial = Trial(number, asked.seed + number, asked.task, asked.sentence)
        start = steady_s()
        try:
            if asked.simulated:
                self.lay_scene(trial.seed, "deploy in simulation")
            goal = RunTask.Goal(task=asked.task, prompt=asked.sentence, seed=trial.seed)
            _, result = run_action(self._run_task, goal, timeout_s=TRIAL_S, abandon=self.stopping.is_set)
        except VitalError as error:
            return replace(trial.failed(error.code, error.message), duration_s=steady_s() - start)
        return replace(trial_message.from_message(result.report), trial=number)


def main() -> None:
    """Entry point."""
    run_client(DeployNode, run_trials, "deploy")


if __name__ == "__main__":
    main()
