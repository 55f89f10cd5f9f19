"""The campaign's own node: it brings tasks to the stack, and has the publishers and clients that faults need."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vital_core.clock import steady_s, wait_until
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.action import ReachTarget, RunPolicy, RunTask
from vital_interfaces.msg import GateState, TactileArray
from vital_interfaces.srv import AcquireControl, ClearStop, LocalizeTarget, ResetScene, Stop
from vital_ros.calls import call, in_executor, send_goal
from vital_ros.qos import LATCHED, NEWEST

# What the campaign makes up bears this name, among the joints or as its frame.
LIE = "made_up_by_chaos"
# Ends of a task that are no fault of the system.
IN_ORDER = (ErrorCode.OK, ErrorCode.GIVE_UP)


@dataclass
class Goal:
    """A task that was asked for. status: of the action, UNKNOWN while it runs; ended_s: steady time."""

    handle: Any
    begun_s: float
    phase: str = ""
    status: int = GoalStatus.STATUS_UNKNOWN
    report: Any = None
    ended_s: float = 0.0

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status == GoalStatus.STATUS_UNKNOWN

    @property
    def code(self) -> ErrorCode:
        """With which it ended."""
        return ErrorCode.INTERNAL if self.report is None else ErrorCode(self.report.error_code)

    def words(self) -> str:
        """How it stands."""
        if self.running:
            return f"runs in phase {self.phase or 'none'}"
        return f"ended with {self.code.name}: {'' if self.report is None else self.report.message}"


class Driver:
    """A node in a context of its own, spun in a thread."""

    def __init__(self, domain: int, task: str) -> None:
        self.task = task
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("chaos", context=self._context)
        # Nobody spins it: its publishers may go while the other node's executor waits.
        self._sender = Node("chaos_sender", context=self._context)
        self.goal: Goal | None = None
        self.gate: GateState | None = None
        self.joints: JointState | None = None
        self.tactile: TactileArray | None = None
        self.diagnostics: dict[str, str] = {}
        self._publishers: dict[str, Any] = {}
        node = self.node
        self._run_task = ActionClient(node, RunTask, "/vital/run_task")
        self._others = (
            ActionClient(node, ReachTarget, "/vital/reach_target"),
            ActionClient(node, RunPolicy, "/vital/run_policy"),
        )
        self._localize = node.create_client(LocalizeTarget, "/vital/localize_target")
        self._reset = node.create_client(ResetScene, "/vital/reset_scene")
        self._clear = node.create_client(ClearStop, "/vital/clear_stop")
        self._stop = node.create_client(Stop, "/vital/stop")
        self._acquire = node.create_client(AcquireControl, "/vital/acquire_control")
        node.create_subscription(GateState, "/vital/gate_state", self._keep("gate"), LATCHED)
        node.create_subscription(JointState, "/joint_states", self._on_joints, NEWEST)
        node.create_subscription(TactileArray, "/anyskin/tactile", self._on_tactile, NEWEST)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown(timeout_sec=1.0)
        self._context.try_shutdown()
        self._thread.join(2.0)
        self._sender.destroy_node()
        self.node.destroy_node()

    def _keep(self, name: str) -> Callable[[Any], None]:
        return lambda message: setattr(self, name, message)

    def _on_joints(self, message: JointState) -> None:
        if LIE not in message.name:
            self.joints = message

    def _on_tactile(self, message: TactileArray) -> None:
        # What the campaign makes up has another number of magnetometers, or says so by its frame.
        if message.header.frame_id != LIE:
            self.tactile = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = ", ".join(f"{v.key} {v.value}" for v in status.values)
            self.diagnostics[status.name] = f"{status.message}; {values}"

    # What is asked of the stack.

    def missing(self) -> list[str]:
        """Parts that do not answer yet."""
        servers = {"task server": self._run_task, "reach": self._others[0], "policy": self._others[1]}
        missing = [name for name, client in servers.items() if not client.server_is_ready()]
        services = {"pointing": self._localize, "simulator": self._reset, "gate": self._acquire}
        missing += [name for name, client in services.items() if not client.service_is_ready()]
        if self.gate is None or not 0.0 <= self.gate.joint_state_age_s < 0.5 or self.joints is None:
            missing.append("joint states")
        return missing

    def publisher(self, kind: type, topic: str, qos: Any = 10) -> Any:
        """A publisher, made once."""
        if topic not in self._publishers:
            self._publishers[topic] = self._sender.create_publisher(kind, topic, qos)
            # Discovery: what is sent before the subscriber is known is lost.
            publisher = self._publishers[topic]
            wait_until(lambda: publisher.get_subscription_count() > 1, steady_s() + 1.0)
        return self._publishers[topic]

    def withdraw(self) -> None:
        """Take back all publishers: what they offered once must not be seen by whoever comes later."""
        for publisher in self._publishers.values():
            self._sender.destroy_publisher(publisher)
        self._publishers.clear()

    def acquire(self, owner: str, *, take_over: bool = False) -> int | None:
        """The token of a granted acquisition, None when it was refused."""
        request = AcquireControl.Request(owner=owner, task=self.task, take_over=take_over)
        answer = call(self._acquire, request, timeout_s=3.0)
        return answer.token if answer.granted else None

    def release(self, owner: str, token: int) -> None:
        """Give the arm back."""
        call(self._acquire, AcquireControl.Request(owner=owner, token=token, release=True), timeout_s=3.0)

    def stop(self) -> None:
        """Stop the arm."""
        call(self._stop, Stop.Request(reason="between two faults of a campaign"), timeout_s=3.0)

    def fresh_scene(self, seed: int) -> None:
        """Clear a stop and lay a new scene. Raises VitalError when that cannot be done."""
        if self.gate is not None and self.gate.mode == GateState.LATCHED:
            answer = call(self._clear, ClearStop.Request(operator_name="chaos in simulation"), timeout_s=3.0)
            if not answer.success:
                raise VitalError(ErrorCode.STOPPED, f"the stop cannot be cleared: {answer.message}")
        answer = call(self._reset, ResetScene.Request(task=self.task, seed=seed), timeout_s=15.0)
        if not answer.success:
            raise VitalError(ErrorCode(answer.error_code), answer.message)

    def begin(self, seed: int) -> Goal:
        """Ask for the task. Raises VitalError when it is refused."""
        request = RunTask.Goal(task=self.task, seed=seed)
        phases: list[str] = []
        handle = send_goal(self._run_task, request, lambda message: phases.append(message.feedback.phase))
        if not handle.accepted:
            raise VitalError(ErrorCode.BUSY, "the task was refused: does the one before still run?")
        goal = self.goal = Goal(handle, steady_s())
        result = in_executor(self._run_task, handle.get_result_async, what="/vital/run_task")

        def ended(future: Any) -> None:
            answer = future.result()
            goal.ended_s, goal.report = steady_s(), answer.result.report
            goal.status = answer.status

        result.add_done_callback(ended)
        return goal

    def cancel(self, goal: Goal) -> Any:
        """Ask for the end of a task; the future of the answer."""
        return in_executor(self._run_task, goal.handle.cancel_goal_async, what="/vital/run_task")

    @property
    def owned(self) -> bool:
        """Whether somebody has the arm."""
        return self.gate is not None and bool(self.gate.owner)
