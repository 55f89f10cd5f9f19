"""`/vital/run_task`: one sentence in, one skill carried out; one task at a time."""

import threading

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from vital_bringup import trial_message
from vital_bringup.ros_skills import RosSkills
from vital_bringup.task_run import run_task
from vital_bringup.trial import Phase, Trial
from vital_core.clock import steady_s
from vital_core.diagnostics import ERROR, OK, Diagnostics, Health
from vital_core.errors import VitalError
from vital_core.node_main import exit_with, run_node
from vital_core.task import load_task
from vital_interfaces.action import RunTask

# How long the task that runs may take to see that it is given up.
EXIT_S = 2.0


class TaskServer(Node):
    """Runs localise, reach and the local policy in turn, and says how each went."""

    def __init__(self) -> None:
        super().__init__("task_server")
        labeller = self.declare_parameter("labeller", "operator").value
        if labeller not in ("operator", "sim_truth"):
            self.get_logger().warning(f"labeller is '{labeller}', expected operator or sim_truth: operator it is")
        group = ReentrantCallbackGroup()
        self._skills = RosSkills(self, group, label_from_truth=labeller == "sim_truth")
        self._busy = threading.Lock()
        self._counts = {"tasks": 0, "successes": 0, "faults": 0}
        self._last = "no task yet"
        self._server = ActionServer(
            self,
            RunTask,
            "/vital/run_task",
            execute_callback=self._execute,
            goal_callback=self._judge_goal,
            cancel_callback=lambda _: CancelResponse.REJECT,
            callback_group=group,
        )
        self.create_service(Trigger, "/vital/label_success", self._on_label, callback_group=group)
        self._diagnostics = Diagnostics(self, self._health)

    def _judge_goal(self, goal: RunTask.Goal) -> GoalResponse:
        try:
            load_task(goal.task)
        except VitalError as error:
            self.get_logger().error(str(error))
            return GoalResponse.REJECT
        if self._busy.locked():
            self.get_logger().error("a task is running: one at a time, wait for it or stop it")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_label(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._skills.label.give()
        response.success, response.message = True, "the present episode is labelled a success"
        return response

    def _execute(self, handle: ServerGoalHandle) -> RunTask.Result:
        goal = handle.request
        start = steady_s()

        def tell(phase: Phase, message: str) -> None:
            handle.publish_feedback(RunTask.Feedback(phase=str(phase), message=message, elapsed_s=steady_s() - start))

        prompt = goal.prompt or load_task(goal.task).prompt
        with self._busy:
            done = run_task(self._skills, Trial(0, goal.seed, goal.task, prompt), tell)
        self._counts["tasks"] += 1
        self._counts["successes"] += done.success
        self._counts["faults"] += not done.completed
        self._last = done.line(1)
        handle.succeed()
        return RunTask.Result(success=done.success, report=trial_message.to_message(done))

    def on_exit(self) -> None:
        """Give up the task that runs: its thread must not outlive what it calls."""
        self._skills.stopping.set()
        if self._busy.acquire(timeout=EXIT_S):
            self._busy.release()

    def _health(self) -> Health:
        return Health(ERROR if self._counts["faults"] else OK, self._last, self._counts)


def main() -> None:
    """Entry point."""
    exit_with(run_node(TaskServer, make_executor=lambda: MultiThreadedExecutor(num_threads=4)))
