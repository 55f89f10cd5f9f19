"""The local policy as a ROS node: `/vital/run_policy` runs it at the task's control rate.

Sensors in, one `/vital/command` and one `/vital/policy_state` a tick. The ticks have a thread of their own, so
that no callback delays them; the gate holds the arm when they stop.
"""

import threading

import torch
from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError
from vital_core.owner import Owner
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import GateState
from vital_rl.acting import policy_messages
from vital_rl.acting.episode import EpisodeEnd
from vital_rl.acting.episode_services import EpisodeServices
from vital_rl.acting.policy_parameters import PolicyParameters
from vital_rl.acting.policy_run import PolicyRun, RunCounts, RunParts
from vital_rl.acting.policy_sensors import PolicySensors
from vital_rl.acting.replay_client import ReplayClient
from vital_rl.acting.run_goal import episode_length_s
from vital_rl.acting.tick import PolicyTick
from vital_rl.acting.tick_publisher import TickPublisher
from vital_rl.acting.weights_inbox import WeightsInbox
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.expiry import check_in_time
from vital_ros.gate_watch import GateWatch
from vital_ros.long_action import GoalEnd, LongAction
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import raise_priority

JOIN_S = 2.0
PRIORITY = 1
NOT_LEARNING = "this node was not started to learn: start it with learn:=true"


class PolicyNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("policy_node")
        torch.set_num_threads(1)
        given = declare(self, PolicyParameters)
        self._task, self._give_up_after_s = given.load_task(), given.give_up_after_s
        path, residual = given.checkpoint_path, given.residual_path
        self._policy = given.load_policy()
        self._inbox = WeightsInbox(self, self._policy) if given.learn else None
        self._run: PolicyRun | None = None
        self._thread: threading.Thread | None = None
        self._gate_owner, self._counts, self._last = Owner.NOBODY, RunCounts(), "no episode yet"
        self._parts = self._make_parts(given)
        self._action = LongAction(self, RunPolicy, "/vital/run_policy", self._begin, cancel=self._on_cancel)
        self._diagnostics = Diagnostics(self, self._health)
        beside = "" if residual is None else f" with {residual.name}"
        known_by, runtime = self._policy.checkpoint.sha256[:12], self._policy.base.runtime
        self.get_logger().info(f"{self._task.name}: {path.name} {known_by}{beside} in {runtime}, ready")

    def _make_parts(self, given: PolicyParameters) -> RunParts:
        sensors, services = PolicySensors(self, learning=given.learn), EpisodeServices(self)
        return RunParts(
            task=self._task,
            policy=self._policy,
            tick=PolicyTick(self._policy, sensors.readings, given.max_age_s, sensors.t_base_tcp),
            sensors=sensors,
            services=services,
            watch=GateWatch(self, self._on_gate),
            replay=ReplayClient(self),
            publisher=TickPublisher(self, services, self._task, self._policy.checkpoint.sha256),
            now_ns=lambda: int(self.get_clock().now().nanoseconds),
        )

    def _on_cancel(self, _handle: ServerGoalHandle) -> CancelResponse:
        if self._run is not None:
            self._run.episode.cancel()
        return CancelResponse.ACCEPT

    def _on_gate(self, gate: GateState) -> None:
        self._gate_owner = gate.owner
        if self._run is not None:
            self._run.on_gate(gate)

    def _begin(self, handle: ServerGoalHandle) -> None:
        try:
            check_in_time(self, handle.request.valid_until)
            duration_s = episode_length_s(handle.request, self._task, busy=self._run is not None)
            if handle.request.learn:
                if self._inbox is None:
                    raise VitalError(ErrorCode.BAD_PARAMETER, NOT_LEARNING)
                self._inbox.check_ready()
        except VitalError as error:
            self.get_logger().error(str(error))
            self._action.finish(handle, GoalEnd.ABORTED, policy_messages.refusal(error))
            return
        self._run = run = PolicyRun(self._parts, handle.request, self._give_up_after_s, self._gate_owner)
        self._thread = threading.Thread(target=self._carry_through, args=(run, handle, duration_s), daemon=True)
        self._thread.start()

    def _carry_through(self, run: PolicyRun, handle: ServerGoalHandle, duration_s: float) -> None:
        """The run's own thread; what it came to is told by the executor's."""
        end, took_s = run.run(duration_s, lambda ticks: handle.publish_feedback(RunPolicy.Feedback(ticks=ticks)))
        if self.executor is not None:
            self.executor.create_task(self._finish, handle, run, end, took_s)

    def _finish(self, handle: ServerGoalHandle, run: PolicyRun, end: EpisodeEnd, took_s: float) -> None:
        self._run, figures = None, run.episode.figures
        self._counts.note(figures)
        self._last = f"{end.message}; {figures.summary(self._task.period_s)}"
        if end.code is ErrorCode.NODE_LOST:
            self.get_logger().error(str(VitalError(end.code, end.message)))
        self.get_logger().info(self._last)
        result = policy_messages.result_of(end, figures, took_s, self._task.period_s, run.replay_episode)
        self._action.finish(handle, GoalEnd.SUCCEEDED if end.completed else GoalEnd.ABORTED, result)

    def _health(self) -> Health:
        run, counts = self._run, {"runtime": self._policy.base.runtime, **self._counts.to_dict()}
        counts["arm_late_ticks"] = self._parts.tick.late_ticks
        if self._inbox is not None:
            counts |= {"weights_refused": self._inbox.refused, "weights_age_s": self._inbox.age_s}
            if self._inbox.problem:
                return Health(WARN, self._inbox.problem, counts)
        if run is None:
            return Health(OK, self._last, counts)
        refused = run.episode.figures.refused_in_a_row
        return Health(WARN if refused else OK, "running", {**counts, "refused_in_a_row": refused})

    def on_exit(self) -> None:
        """End the episode: no command follows, and the arm is given back."""
        if self._run is not None and self._thread is not None:
            self._run.episode.cancel()
            self._thread.join(JOIN_S)


def main(args: list[str] | None = None) -> None:
    """Run the local policy until SIGINT or SIGTERM."""
    raise_priority(PRIORITY)
    exit_with(run_node(PolicyNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
