"""The skills of a task as calls to the nodes that have them."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.node import Node

from vital_bringup.task_run import Located, PolicyRun, Reached
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.ros_calls import call, run_action
from vital_core.ros_qos import LATCHED
from vital_core.task import load_task
from vital_interfaces.action import ReachTarget, RunPolicy
from vital_interfaces.msg import GateState, SimTruth
from vital_interfaces.srv import LocalizeTarget

# Success must last this long before a label is given, so that a plug bouncing in the opening is none.
SUCCESS_HELD_S = 0.5


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


class RosSkills:
    """Calls `/vital/localize_target`, `/vital/reach_target` and `/vital/run_policy` of a running system."""

    def __init__(self, node: Node, *, label_from_truth: bool) -> None:
        self._node = node
        self.label = SuccessLabel()
        self.stopping = threading.Event()
        self._label_from_truth = label_from_truth
        self._truth: SimTruth | None = None
        self._gate: GateState | None = None
        self._localize = node.create_client(LocalizeTarget, "/vital/localize_target")
        self._reach = ActionClient(node, ReachTarget, "/vital/reach_target")
        self._policy = ActionClient(node, RunPolicy, "/vital/run_policy")
        node.create_subscription(GateState, "/vital/gate_state", self._on_gate, LATCHED)
        if label_from_truth:
            node.create_subscription(SimTruth, "/sim/truth", self._on_truth, 1)

    def _on_gate(self, message: GateState) -> None:
        self._gate = message

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

    def learn(self, name: str, seed: int, located: Located, over: Callable[[], bool]) -> Any:
        """Run the local policy as something to learn from until ``over`` or its time is up; the action's result.

        Where it is to end follows from where the target was ``located``.
        """
        task = load_task(name)
        self.label.clear()
        x, y, z = (located.point_m + task.finish_m).tolist()
        finish = [Point(x=x, y=y, z=z)]
        goal = RunPolicy.Goal(task=name, duration_s=task.episode_s, learn=True, seed=seed, finish=finish)
        limit_s = task.episode_s + 10.0
        _, result = run_action(self._policy, goal, timeout_s=limit_s, cancel_when=over, abandon=self.stopping)
        return result

    def localize(self, prompt: str) -> Located:
        """Ask the pointing node. Raises VitalError with its code."""
        answer = call(self._localize, LocalizeTarget.Request(prompt=prompt), timeout_s=15.0, abandon=self.stopping)
        if not answer.success:
            raise VitalError(ErrorCode(answer.error_code), answer.message)
        point = answer.point.point
        self._point = answer.point
        return Located((answer.pixel_u, answer.pixel_v), np.array([point.x, point.y, point.z]), answer.message)

    def reach(self, task: str, located: Located, seed: int) -> Reached:
        """Bring the held object's tip into the hover region. Raises VitalError with the reach node's code."""
        goal = ReachTarget.Goal(task=task, point=self._point, seed=seed)
        _, result = run_action(self._reach, goal, timeout_s=60.0, abandon=self.stopping)
        if not result.success:
            raise VitalError(ErrorCode(result.error_code or ErrorCode.INTERNAL), result.message)
        p = result.goal.pose.position
        return Reached(np.array([p.x, p.y, p.z]), result.error_m)

    def run_policy(self, task: str) -> PolicyRun:
        """Run the local policy until success is labelled or its time is up."""
        episode_s = load_task(task).episode_s
        before = self._gate
        self.label.clear()
        _, r = run_action(
            self._policy,
            RunPolicy.Goal(task=task, duration_s=episode_s),
            timeout_s=episode_s + 10.0,
            cancel_when=self.label.given,
            abandon=self.stopping,
        )
        after = self._gate
        success = self.label.given()
        code, message = self._end_of_policy(r, after, success)
        return PolicyRun(
            success=success,
            error_code=code,
            message=message,
            commands_sent=r.commands_sent,
            commands_rejected=_grown(before, after, "rejected"),
            commands_clipped=_grown(before, after, "clipped"),
            tick_median_ms=r.tick_median_ms,
            tick_p99_ms=r.tick_p99_ms,
            jitter_p99_ms=r.jitter_p99_ms,
        )

    @staticmethod
    def _end_of_policy(result: Any, gate: GateState | None, success: bool) -> tuple[ErrorCode, str]:
        """The gate's word on why the arm stands still outranks the policy's."""
        if success:
            return ErrorCode.OK, ""
        if gate is not None and gate.mode == GateState.LATCHED:
            return ErrorCode(gate.stop_code or ErrorCode.STOPPED), gate.stop_reason
        if result.completed:
            return ErrorCode.GIVE_UP, "the time limit came before success"
        return ErrorCode(result.error_code or ErrorCode.INTERNAL), result.message

    def true_target_m(self) -> NDArray[np.float64] | None:
        """As in `task_run.Skills`."""
        return None if self._truth is None else _position(self._truth.target)

    def true_tcp_m(self) -> NDArray[np.float64] | None:
        """As in `task_run.Skills`."""
        return None if self._truth is None else _position(self._truth.tcp)


def _position(pose: Any) -> NDArray[np.float64]:
    return np.array([pose.position.x, pose.position.y, pose.position.z])


def _grown(before: GateState | None, after: GateState | None, counter: str) -> int:
    if before is None or after is None:
        return 0
    return int(getattr(after, counter) - getattr(before, counter))
