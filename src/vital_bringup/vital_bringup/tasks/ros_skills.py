"""The skills of a task as calls to the nodes that have them.

A task that is cancelled passes that on to the skill at work and waits for it: then the arm is at rest. A skill that
does not answer has the gate stop the arm.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.duration import Duration
from rclpy.node import Node

from vital_bringup.tasks.task_run import Located, PolicyRun, Reached
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import Labeller
from vital_core.task import load_task
from vital_interfaces.action import ReachTarget, RunPolicy
from vital_interfaces.msg import GateState, SimTruth
from vital_interfaces.srv import LocalizeTarget, Stop
from vital_ros.boundary import subscribe
from vital_ros.calls import Question, call, never, run_action
from vital_ros.conversions import array_of, point_message
from vital_ros.gate_watch import GateWatch
from vital_ros.target_message import target_message, target_of

# Success must last this long before a label is given, so that a plug bouncing in the opening is none.
SUCCESS_HELD_S = 0.5
# A skill that was cancelled comes to rest within this time, or the gate is told to stop.
REST_S = 0.8
# A goal that is begun later than this after it was sent was held up somewhere, and nobody waits for it any more.
GOAL_VALID_S = 2.0
LOCALIZE_S = 20.0


class SuccessLabel:
    """Whether the present episode has succeeded: an operator's word, or the simulator's truth as labeller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._labelled = False
        self._since_s: float | None = None

    def clear(self) -> None:
        """A new episode: nothing has been said yet."""
        with self._lock:
            self._labelled, self._since_s = False, None

    def give(self) -> None:
        """An operator says that it has succeeded."""
        with self._lock:
            self._labelled = True

    def observe(self, success: bool) -> None:
        """The simulator's present truth; counts once it has held for `SUCCESS_HELD_S`."""
        with self._lock:
            if not success:
                self._since_s = None
            elif self._since_s is None:
                self._since_s = steady_s()
            elif steady_s() - self._since_s >= SUCCESS_HELD_S:
                self._labelled = True

    def given(self) -> bool:
        """Whether success has been labelled."""
        with self._lock:
            return self._labelled


class TaskCancel:
    """Whether the present task was cancelled, and whether what it was doing should have ended by then."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def set(self) -> None:
        """Cancel the task."""
        self._since_s = self._since_s or steady_s()

    def clear(self) -> None:
        """A new task."""
        self._since_s = None

    def is_set(self) -> bool:
        """Whether the task was cancelled."""
        return self._since_s is not None

    def overdue(self) -> bool:
        """Whether that was longer ago than `REST_S`."""
        since_s = self._since_s
        return since_s is not None and steady_s() - since_s > REST_S


class RosSkills:
    """Calls `/vital/localize_target`, `/vital/reach_target` and `/vital/run_policy` of a running system."""

    def __init__(self, node: Node, labeller: Labeller, watch: GateWatch, is_stopping: Question = never) -> None:
        self._node = node
        self.label = SuccessLabel()
        self._is_stopping = is_stopping
        self.cancelled = TaskCancel()
        self._truth: SimTruth | None = None
        self._localize = node.create_client(LocalizeTarget, "/vital/localize_target")
        self._reach = ActionClient(node, ReachTarget, "/vital/reach_target")
        self._policy = ActionClient(node, RunPolicy, "/vital/run_policy")
        self._stop = node.create_client(Stop, "/vital/stop")
        self.watch = watch
        if labeller is Labeller.SIM_TRUTH:
            subscribe(node, SimTruth, "/sim/truth", self._on_truth, 1)

    def _on_truth(self, message: SimTruth) -> None:
        self._truth = message
        self.label.observe(message.success)

    def missing(self) -> list[str]:
        """Which of localisation and reach do not answer yet."""
        missing = [] if self._localize.service_is_ready() else ["pointing"]
        return missing if self._reach.server_is_ready() else [*missing, "reach"]

    def missing_policy(self) -> list[str]:
        """The local policy, where it does not answer yet."""
        return [] if self._policy.server_is_ready() else ["policy"]

    def learn(self, name: str, seed: int, located: Located, over: Question) -> Any:
        """Run the local policy as something to learn from until ``over`` or its time is up; the action's result.

        Where it is to end follows from where the target was ``located``, and how it is turned.
        """
        task = load_task(name)
        self.label.clear()
        target = located.target
        t_base_target = target.frame(target.yaw_for(0.0))
        finish = [point_message((t_base_target @ np.append(task.finish_m, 1.0))[:3])]
        goal = RunPolicy.Goal(task=name, duration_s=task.episode_s, learn=True, seed=seed, finish=finish)
        return self._carry_out(self._policy, goal, task.episode_s + 10.0, over)

    def localize(self, prompt: str, task: str) -> Located:
        """Ask the pointing node where a ``task``'s target is. Raises VitalError with its code."""
        request = LocalizeTarget.Request(prompt=prompt, task=task)
        answer = call(self._localize, request, timeout_s=LOCALIZE_S, abandon=self._given_up)
        if not answer.success:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.INTERNAL), answer.message)
        return Located((answer.pixel_u, answer.pixel_v), target_of(answer.target), answer.message)

    def reach(self, task: str, located: Located, seed: int) -> Reached:
        """Bring the held object's tip into the hover region over where the target was ``located``, turned as it is.

        Raises VitalError with the reach node's code.
        """
        target = target_message(located.target, self._node.get_clock().now().to_msg())
        result = self._carry_out(self._reach, ReachTarget.Goal(task=task, target=target, seed=seed), 60.0)
        if self.cancelled.is_set():
            raise VitalError(ErrorCode.CANCELLED, result.message or "cancelled")
        if not result.success:
            raise VitalError(ErrorCode.told(result.error_code, ErrorCode.INTERNAL), result.message)
        p = result.goal.pose.position
        return Reached(np.array([p.x, p.y, p.z]), result.error_m, result.yaw_rad)

    def run_policy(self, task: str) -> PolicyRun:
        """Run the local policy until success is labelled or its time is up."""
        episode_s = load_task(task).episode_s
        before = self.watch.state
        self.label.clear()
        goal = RunPolicy.Goal(task=task, duration_s=episode_s)
        r = self._carry_out(self._policy, goal, episode_s + 10.0, self.label.given)
        after = self.watch.state
        success = self.label.given()
        code, message = self._end_of_policy(r, after, success)
        return PolicyRun(
            success=success,
            error_code=code,
            message=message,
            commands_sent=r.commands_sent,
            commands_rejected=_grown(before, after, "rejected"),
            commands_projected=_grown(before, after, "projected"),
            tick_median_ms=r.tick_median_ms,
            tick_p99_ms=r.tick_p99_ms,
            jitter_p99_ms=r.jitter_p99_ms,
        )

    def _given_up(self) -> bool:
        return self._is_stopping() or self.cancelled.is_set()

    def _carry_out(self, client: ActionClient, goal: Any, timeout_s: float, over: Question = never) -> Any:
        """The result of a skill that moves the arm; cancelled, and waited for, when it is ``over``."""
        self.watch.wait(abandon=self._given_up)
        if self.cancelled.is_set():
            raise VitalError(ErrorCode.CANCELLED, "cancelled before it began")
        lost: list[VitalError] = []

        def to_be_ended() -> bool:
            lost.extend(filter(None, [self.watch.lost()]))
            return bool(lost) or self.cancelled.is_set() or over()

        valid_until = self._node.get_clock().now() + Duration(seconds=GOAL_VALID_S)
        goal.valid_until = valid_until.to_msg()
        try:
            _, result = run_action(
                client,
                goal,
                timeout_s=timeout_s,
                cancel_when=to_be_ended,
                abandon=lambda: self._is_stopping() or self.cancelled.overdue(),
            )
        except VitalError as error:
            if lost:
                raise lost[0] from error
            if self.cancelled.overdue() or error.code is ErrorCode.TIMEOUT:
                raise self._stopped(error) from error
            raise
        if lost:
            raise lost[0]
        return result

    def _stopped(self, error: VitalError) -> VitalError:
        """Nobody can tell whether the arm still moves for a skill that does not answer: the gate stops it."""
        if self._stop.service_is_ready():
            self._stop.call_async(Stop.Request(reason=f"the skill at work does not answer: {error.message}"))
        return VitalError(error.code, f"{error.message}; it did not answer, and the gate was told to stop")

    def _end_of_policy(self, result: Any, gate: GateState | None, success: bool) -> tuple[ErrorCode, str]:
        """The gate's word on why the arm stands still outranks the policy's."""
        if success:
            return ErrorCode.OK, ""
        if self.cancelled.is_set():
            return ErrorCode.CANCELLED, "cancelled while the policy acted; the arm is at rest"
        if gate is not None and gate.mode == GateState.LATCHED:
            return ErrorCode.told(gate.stop_code, ErrorCode.STOPPED), gate.stop_reason
        if result.completed:
            return ErrorCode.GIVE_UP, "the time limit came before success"
        return ErrorCode.told(result.error_code, ErrorCode.INTERNAL), result.message

    def true_target_m(self) -> NDArray[np.float64] | None:
        """As in `task_run.Skills`."""
        return None if self._truth is None else array_of(self._truth.target.position)

    def true_tcp_m(self) -> NDArray[np.float64] | None:
        """As in `task_run.Skills`."""
        return None if self._truth is None else array_of(self._truth.tcp.position)


def _grown(before: GateState | None, after: GateState | None, counter: str) -> int:
    if before is None or after is None:
        return 0
    return int(getattr(after, counter) - getattr(before, counter))
