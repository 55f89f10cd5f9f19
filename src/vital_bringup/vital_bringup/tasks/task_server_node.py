"""`/vital/run_task`: one sentence in, one skill carried out; one task at a time, until it is cancelled."""

import threading
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from rclpy.action import CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from vital_bringup.tasks import trial_message
from vital_bringup.tasks.ros_skills import RosSkills
from vital_bringup.tasks.task_run import run_task
from vital_bringup.tasks.trial import Phase, Trial
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import Labeller, read_labeller
from vital_core.task import load_task
from vital_interfaces.action import RunTask
from vital_interfaces.msg import TrialReport
from vital_ros.boundary import serve
from vital_ros.diagnostics import ERROR, OK, Diagnostics, Health
from vital_ros.gate_watch import GateWatch
from vital_ros.long_action import GoalEnd, LongAction
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import LATCHED

# How long the task that runs may take to see that it is given up.
EXIT_S = 2.0


@dataclass(frozen=True)
class TaskServerParameters:
    """Who says whether a task has succeeded."""

    labeller: Annotated[str, Meta(description="sim_truth or operator")] = str(Labeller.OPERATOR)


class TaskServer(Node):
    """Runs localise, reach and the local policy in turn, and says how each went."""

    def __init__(self) -> None:
        super().__init__("task_server")
        self._stopping = threading.Event()
        self._skills = RosSkills(self, self._choose_labeller(), GateWatch(self), self._stopping.is_set)
        self._thread: threading.Thread | None = None
        self._goal: ServerGoalHandle | None = None
        self._counts = {"tasks": 0, "successes": 0, "faults": 0, "cancelled": 0}
        self._last = "no task yet"
        self._action = LongAction(
            self, RunTask, "/vital/run_task", self._begin, cancel=self._on_cancel, judge=self._judge_goal
        )
        self._report = self.create_publisher(TrialReport, "/vital/trial_report", LATCHED)
        serve(self, Trigger, "/vital/label_success", self._on_label)
        self._diagnostics = Diagnostics(self, self._health)

    def _choose_labeller(self) -> Labeller:
        try:
            return read_labeller(declare(self, TaskServerParameters).labeller)
        except VitalError as error:
            self.get_logger().warning(f"{error.message}: {Labeller.OPERATOR} it is")
            return Labeller.OPERATOR

    def _judge_goal(self, goal: RunTask.Goal) -> GoalResponse:
        try:
            load_task(goal.task)
        except VitalError as error:
            self.get_logger().error(str(error))
            return GoalResponse.REJECT
        if self._goal is not None:
            self.get_logger().error("a task is running: one at a time, wait for it or cancel it")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_label(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._skills.label.give()
        response.success, response.message = True, "the present episode is labelled a success"
        return response

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        """The skill at work hears of it from the task's thread, which waits for the arm to rest."""
        if self._goal is None or handle.goal_id != self._goal.goal_id:
            return CancelResponse.REJECT
        self._skills.cancelled.set()
        return CancelResponse.ACCEPT

    def _begin(self, handle: ServerGoalHandle) -> None:
        self._goal = handle
        self._skills.cancelled.clear()
        self._thread = threading.Thread(target=self._run, args=(handle,), daemon=True)
        self._thread.start()

    def _run(self, handle: ServerGoalHandle) -> None:
        """The task's own thread: its calls wait for the other nodes."""
        goal, start = handle.request, steady_s()

        def tell(phase: Phase, message: str) -> None:
            handle.publish_feedback(RunTask.Feedback(phase=str(phase), message=message, elapsed_s=steady_s() - start))

        prompt = goal.prompt or load_task(goal.task).prompt
        done = run_task(self._skills, Trial(0, goal.seed, goal.task, prompt), tell)
        self._counts["tasks"] += 1
        self._counts["successes"] += done.success
        cancelled = done.error_code is ErrorCode.CANCELLED
        self._counts["cancelled"] += cancelled
        self._counts["faults"] += not (done.completed or cancelled)
        self._last = done.line(1)
        if done.error_code is ErrorCode.NODE_LOST:
            self.get_logger().error(self._last)
        elif not (done.completed or cancelled):
            self.get_logger().warning(self._last)
        report = trial_message.to_message(done)
        self._report.publish(report)
        result = RunTask.Result(success=done.success, report=report)
        self._goal = None
        self._action.finish(handle, GoalEnd.CANCELED if cancelled else GoalEnd.SUCCEEDED, result)

    def on_exit(self) -> None:
        """Give up the task that runs: its thread must not outlive what it calls."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(EXIT_S)

    def _health(self) -> Health:
        return Health(ERROR if self._counts["faults"] else OK, self._last, self._counts)


def main() -> None:
    """Entry point."""
    exit_with(run_node(TaskServer, make_executor=EventsExecutor))
