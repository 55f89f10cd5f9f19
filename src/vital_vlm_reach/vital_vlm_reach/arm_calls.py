"""The arm as the reach sees it: joint readings, control from the gate, a trajectory carried out by the gate.

The calls block and are for a thread beside the spinning executor; each has a time limit.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.owner import Owner
from vital_core.stall import RETRY_S, STALL_S
from vital_interfaces.action import ExecuteTrajectory
from vital_interfaces.msg import GateState
from vital_ros.arm_control import ANSWER_S, ArmControl
from vital_ros.boundary import subscribe
from vital_ros.calls import Cancelling, in_executor, send_goal
from vital_ros.gate_watch import GateWatch
from vital_ros.message_check import joint_positions
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.reach_messages import trajectory_message

OWNER = Owner.REACH
CANCEL_S = 3.0
GOAL_VALID_S = 2.0
EXTRA_MOTION_S = 5.0
_POLL_S = 0.02
# Verdicts on a trajectory that was not begun because a sensor is silent just then.
STALLED = (GateState.NO_JOINT_STATE, GateState.NO_TACTILE)


class JointReadings:
    """Newest joint positions while it listens; make and close it in the executor's thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._changed = threading.Condition()
        self._count, self._positions = 0, np.zeros(7)
        self._subscription = subscribe(
            node, JointState, "/joint_states", self._on_joints, qos_profile_sensor_data, read=joint_positions
        )

    def _on_joints(self, positions: NDArray[np.float64]) -> None:
        with self._changed:
            self._positions = positions
            self._count += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)

    def next(self, timeout_s: float = ANSWER_S) -> NDArray[np.float64]:
        """(7,) rad, the next reading. Raises VitalError(SENSOR_FAULT)."""
        with self._changed:
            seen = self._count
            if not self._changed.wait_for(lambda: self._count > seen, timeout_s):
                raise VitalError(
                    ErrorCode.SENSOR_FAULT,
                    f"nothing on /joint_states with joint1 to joint7 within {timeout_s:g} s: is the arm connected?",
                )
            return self._positions

    def settled(self, *, within_rad: float = 3e-4, for_s: float = 0.1, timeout_s: float = 2.0) -> NDArray[np.float64]:
        """(7,) rad once no joint has moved by more than ``within_rad`` over ``for_s``, at the latest after
        ``timeout_s``."""
        deadline_s = steady_s() + timeout_s
        reference, since_s = self.next(), steady_s()
        while steady_s() < deadline_s and steady_s() - since_s < for_s:
            reading = self.next()
            if np.abs(reading - reference).max() > within_rad:
                reference, since_s = reading, steady_s()
        return self.next()


class GateCalls(ArmControl):
    """The command gate's service and action."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, OWNER)
        self._clock = node.get_clock()
        self._execute = ActionClient(node, ExecuteTrajectory, "/vital/execute_trajectory")
        self.watch = GateWatch(node)

    def execute(self, motion: JointMotion, cancelled: threading.Event, on_progress: Callable[[float], None]) -> None:
        """Carry out a motion to its end; one that a sensor's stall keeps from beginning is tried again for a while.

        Raises VitalError: CANCELLED, TRAJECTORY_REFUSED, the gate's code, REACH_TIMEOUT, NODE_LOST.
        """
        deadline_s = steady_s() + STALL_S
        result = self._carried_out(motion, cancelled, on_progress)
        while result.verdict in STALLED and steady_s() < deadline_s and not cancelled.wait(RETRY_S):
            result = self._carried_out(motion, cancelled, on_progress)
        if result.success:
            return
        if cancelled.is_set():
            raise VitalError(ErrorCode.CANCELLED, "cancelled while moving; the arm is at rest")
        code = ErrorCode.told(result.error_code, ErrorCode.GATE_REFUSED)
        if result.verdict != GateState.ACCEPTED and code is ErrorCode.GATE_REFUSED:
            code = ErrorCode.TRAJECTORY_REFUSED
        raise VitalError(code, f"the gate did not carry out the trajectory: {result.message}")

    def _carried_out(
        self, motion: JointMotion, cancelled: threading.Event, on_progress: Callable[[float], None]
    ) -> ExecuteTrajectory.Result:
        name = "/vital/execute_trajectory"
        if not self._execute.wait_for_server(timeout_sec=ANSWER_S):
            raise VitalError(ErrorCode.NODE_LOST, f"nobody offers {name}: is the command gate running?")
        goal = ExecuteTrajectory.Goal(owner=OWNER, token=self.token, trajectory=trajectory_message(motion))
        goal.valid_until = (self._clock.now() + Duration(seconds=GOAL_VALID_S)).to_msg()
        handle = send_goal(self._execute, goal, lambda m: on_progress(m.feedback.progress), ANSWER_S)
        if not handle.accepted:
            raise VitalError(ErrorCode.TRAJECTORY_REFUSED, f"{name} did not take the trajectory: see the gate's log")
        return self._follow(handle, motion.duration_s + EXTRA_MOTION_S, cancelled)

    def _follow(self, handle: Any, timeout_s: float, cancelled: threading.Event) -> Any:
        """The action's result; asks the gate to stop on a cancel, or when the time is up."""
        name = "/vital/execute_trajectory"
        future = in_executor(self._execute, handle.get_result_async, what=name)
        deadline_s = steady_s() + timeout_s
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not ended.wait(_POLL_S):
            late = steady_s() > deadline_s
            if not (late or cancelled.is_set()):
                if not self._execute.server_is_ready():
                    raise VitalError(ErrorCode.NODE_LOST, "the command gate went away while the arm was moving")
                if (lost := self.watch.lost()) is not None:
                    handle.cancel_goal_async()  # for when it answers again
                    raise lost
                continue
            stopped = self._cancel(handle, ended)
            if late or not stopped:
                raise VitalError(
                    ErrorCode.REACH_TIMEOUT,
                    f"the gate did not finish within {timeout_s:.1f} s"
                    + ("" if stopped else f" nor stop within {CANCEL_S:g} s of being asked"),
                )
        return future.result().result

    def _cancel(self, handle: Any, ended: threading.Event) -> bool:
        """Whether the trajectory ended, the arm at rest, within `CANCEL_S`."""
        cancelling, deadline_s = Cancelling(self._execute, handle), steady_s() + CANCEL_S
        while not ended.wait(_POLL_S) and steady_s() < deadline_s:
            cancelling.ask_again()
        return ended.is_set()
