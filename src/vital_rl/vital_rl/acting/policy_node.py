"""The local policy as a ROS node: `/vital/run_policy` runs it at the task's control rate.

Sensors in, one `/vital/command` and one `/vital/policy_state` a tick. The ticks have a thread of their own, so
that no callback delays them; the gate holds the arm when they stop.
"""

import contextlib
import threading
from collections.abc import Callable

import torch
from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.stall import wait_out_a_stall
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import EndEffectorDelta, GateState, PolicyState
from vital_policy.inference import LocalPolicy
from vital_rl.acting import policy_messages
from vital_rl.acting.episode import Episode, EpisodeEnd, TickTimes
from vital_rl.acting.episode_services import OWNER, EpisodeServices
from vital_rl.acting.learning_episode import LearningEpisode
from vital_rl.acting.policy_parameters import declare
from vital_rl.acting.policy_sensors import PolicySensors
from vital_rl.acting.replay_client import ReplayClient
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.run_goal import episode_length_s, finish_of
from vital_rl.acting.tick import EpisodeFigures, Noise, PolicyTick, TickResult
from vital_rl.acting.weights_inbox import WeightsInbox
from vital_rl.replay.step import PERSON
from vital_rl.residual.residual import load_residual
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.expiry import check_in_time
from vital_ros.gate_watch import GateWatch
from vital_ros.long_action import GoalEnd, LongAction
from vital_ros.message_check import stamp_ns
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import raise_priority
from vital_ros.qos import LATCHED

JOIN_S = 2.0
PRIORITY = 1
FIRST_READINGS_S = 2.0
POLL_S = 0.05
NOBODY = ""
Act = Callable[[TickResult, TickTimes], bool]


class PolicyNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("policy_node")
        torch.set_num_threads(1)
        given = declare(self)
        self._task, self._give_up_after_s = given.task, given.give_up_after_s
        path = given.checkpoint
        base = LocalPolicy.load(path, task=self._task.name, rate_hz=self._task.control_rate_hz)
        self._policy = ResidualPolicy(base)
        if given.residual is not None:
            self._policy.residual = load_residual(given.residual, self._policy.checkpoint)
        self._sensors = PolicySensors(self, learning=given.learn)
        self._inbox = WeightsInbox(self, self._policy, LATCHED) if given.learn else None
        self._replay = ReplayClient(self)
        self._learning: LearningEpisode | None = None
        self._tick = PolicyTick(self._policy, self._sensors.readings, given.max_age_s)
        self._episode: Episode | None = None
        self._thread: threading.Thread | None = None
        self._owner_since_ns: int | None = None
        self._seq, self._gate_owner = 0, NOBODY
        self._counts = {"episodes": 0, "commands": 0, "observations_refused": 0}
        self._last = "no episode yet"
        self._command = self.create_publisher(EndEffectorDelta, "/vital/command", 1)
        self._state = self.create_publisher(PolicyState, "/vital/policy_state", 10)
        self._ask = EpisodeServices(self)
        self._watch = GateWatch(self, self._on_gate)
        self._action = LongAction(self, RunPolicy, "/vital/run_policy", self._begin, cancel=self._on_cancel)
        self._diagnostics = Diagnostics(self, self._health)
        beside = "" if given.residual is None else f" with {given.residual.name}"
        self.get_logger().info(f"{self._task.name}: {path.name} {self._policy.checkpoint.sha256[:12]}{beside}, ready")

    def _on_cancel(self, _handle: ServerGoalHandle) -> CancelResponse:
        if self._episode is not None:
            self._episode.cancel()
        return CancelResponse.ACCEPT

    def _on_gate(self, gate: GateState) -> None:
        """End the episode at once when the gate has stopped, or the arm has another owner."""
        self._gate_owner = gate.owner
        episode, since_ns = self._episode, self._owner_since_ns
        if episode is None or since_ns is None or stamp_ns(gate.header.stamp) < since_ns:
            return
        if gate.mode == GateState.LATCHED:
            episode.end(EpisodeEnd(False, ErrorCode.told(gate.stop_code, ErrorCode.STOPPED), gate.stop_reason))
        elif self._learning is not None and gate.owner in (OWNER, PERSON, NOBODY):
            self._learning.owned_by(gate.owner)
        elif gate.owner != OWNER:
            episode.end(EpisodeEnd(False, ErrorCode.NOT_OWNER, f"'{gate.owner or 'nobody'}' has the arm now"))

    def _begin(self, handle: ServerGoalHandle) -> None:
        try:
            check_in_time(self, handle.request.valid_until)
            duration_s = episode_length_s(handle.request, self._task, busy=self._episode is not None)
            if handle.request.learn:
                self._check_ready_to_learn()
        except VitalError as error:
            self.get_logger().error(str(error))
            self._action.finish(handle, GoalEnd.ABORTED, policy_messages.refusal(error))
            return
        self._episode = episode = Episode(
            self._tick, self._task.period_s, self._give_up_after_s, fault=self._watch.lost
        )
        self._thread = threading.Thread(target=self._run, args=(episode, handle, duration_s), daemon=True)
        self._thread.start()

    def _check_ready_to_learn(self) -> None:
        if self._inbox is None:
            raise VitalError(ErrorCode.BAD_PARAMETER, "this node was not started to learn: start it with learn:=true")
        if not self._inbox.ready:
            raise VitalError(ErrorCode.NO_CHECKPOINT, "no learner has sent weights yet: is the learner node running?")

    def _run(self, episode: Episode, handle: ServerGoalHandle, duration_s: float) -> None:
        """The episode's own thread: baseline, control, ticks, and control given back."""
        start_s, replay_episode = steady_s(), -1

        def act(result: TickResult, times: TickTimes) -> bool:
            sent = self._carry_out(result, times)
            handle.publish_feedback(RunPolicy.Feedback(ticks=episode.figures.ticks + 1))
            return sent

        try:
            self._watch.wait(abandon=lambda: episode.ended)
            baseline = wait_out_a_stall(
                lambda: self._ask.take_baseline(abandon=lambda: episode.ended), lambda: episode.ended
            )
            self._sensors.begin(baseline)
            if handle.request.learn:
                self._learning = self._open_replay(handle.request, episode)
                replay_episode = self._learning.episode
            end = self._tick_with_control(episode, duration_s, act)
            if self._learning is not None:
                self._learning.finish(end)
        except VitalError as error:
            end = EpisodeEnd(error.code is ErrorCode.CANCELLED, error.code, error.message)
        self._learning = None
        if self.executor is not None:
            self.executor.create_task(self._end, handle, episode, end, steady_s() - start_s, replay_episode)

    def _tick_with_control(self, episode: Episode, duration_s: float, act: Act) -> EpisodeEnd:
        wait_out_a_stall(lambda: self._ask.acquire(self._task.name), lambda: episode.ended)
        self._owner_since_ns = self.get_clock().now().nanoseconds
        try:
            self._wait_for_readings(episode)
            return episode.run(duration_s, act)
        except VitalError as error:
            return EpisodeEnd(False, error.code, error.message)
        finally:
            self._owner_since_ns = None
            self._ask.release()

    def _wait_for_readings(self, episode: Episode) -> None:
        deadline_s = steady_s() + FIRST_READINGS_S
        while not (self._sensors.readings.wait(POLL_S) or episode.ended) and steady_s() < deadline_s:
            pass

    def _open_replay(self, goal: RunPolicy.Goal, episode: Episode) -> LearningEpisode:
        def failed(error: VitalError) -> None:
            episode.end(EpisodeEnd(False, error.code, error.message))

        residual = self._policy.residual
        assert residual is not None
        about = {"task": self._task.name, "checkpoint": self._policy.checkpoint.sha256}
        replay, before = self._replay.open(self._task.name, goal.seed, about, failed)
        noise = Noise(residual.exploration.noise, residual.exploration.generator(goal.seed), before)
        return LearningEpisode(replay, self._tick, noise, self._sensors, finish_of(goal))

    def _carry_out(self, result: TickResult, times: TickTimes) -> bool:
        """Publish a tick and, unless a person has the arm, its command; whether that was sent."""
        learning = self._learning
        mine = learning is None or learning.owner == OWNER
        self._publish(result, times, command=mine)
        if learning is not None:
            learning.note(result)
            if not mine and self._gate_owner == NOBODY:
                with contextlib.suppress(VitalError):  # the person was quicker; the next tick asks again
                    self._ask.acquire(self._task.name)
        return mine

    def _end(
        self, handle: ServerGoalHandle, episode: Episode, end: EpisodeEnd, took_s: float, replay_episode: int
    ) -> None:
        self._episode = None
        self._note(episode.figures, end)
        result = policy_messages.result_of(end, episode.figures, took_s, self._task.period_s, replay_episode)
        self._action.finish(handle, GoalEnd.SUCCEEDED if end.completed else GoalEnd.ABORTED, result)

    def _publish(self, result: TickResult, times: TickTimes, *, command: bool) -> None:
        self._seq += 1
        now_ns = self.get_clock().now().nanoseconds
        if command and result.action is not None:
            period_s = self._task.period_s
            self._command.publish(
                policy_messages.command(result.action, self._ask.token, self._seq, result.stamp_ns, now_ns, period_s)
            )
        sha256 = self._policy.checkpoint.sha256
        self._state.publish(policy_messages.state(self._task.name, self._seq, now_ns, sha256, result, times))

    def _note(self, figures: EpisodeFigures, end: EpisodeEnd) -> None:
        self._counts["episodes"] += 1
        self._counts["commands"] += figures.sent
        self._counts["observations_refused"] += figures.refused
        self._last = f"{end.message}; {figures.summary(self._task.period_s)}"
        if end.code is ErrorCode.NODE_LOST:
            self.get_logger().error(str(VitalError(end.code, end.message)))
        self.get_logger().info(self._last)

    def _health(self) -> Health:
        episode = self._episode
        counts: dict[str, object] = dict(self._counts)
        if self._inbox is not None:
            counts |= {"weights_refused": self._inbox.refused, "weights_age_s": self._inbox.age_s}
            if self._inbox.problem:
                return Health(WARN, self._inbox.problem, counts)
        if episode is None:
            return Health(OK, self._last, counts)
        refused = episode.figures.refused_in_a_row
        return Health(WARN if refused else OK, "running", {**counts, "refused_in_a_row": refused})

    def on_exit(self) -> None:
        """End the episode: no command follows, and the arm is given back."""
        if self._episode is not None and self._thread is not None:
            self._episode.cancel()
            self._thread.join(JOIN_S)


def main(args: list[str] | None = None) -> None:
    """Run the local policy until SIGINT or SIGTERM."""
    raise_priority(PRIORITY)
    exit_with(run_node(PolicyNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
