"""The command gate's heartbeat, for everybody who depends on it: `/vital/gate_state` comes ten times a second.

A gate that is silent for a second cannot be told from one that is gone: whoever commands stops, says so, and takes up
again with the next goal. A stall of the listener itself is not held against the gate.
"""

import math
import time
from collections.abc import Callable

from rclpy.node import Node

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import GateState
from vital_ros.boundary import subscribe
from vital_ros.calls import Question, never
from vital_ros.message_check import known_gate_state
from vital_ros.qos import LATCHED

SILENT_S = 1.0
FIRST_S = 3.0
FREE_S = 2.0
JOINTS_KNOWN_S = 0.5
BEAT_S = 0.1
# A listener that has not run for so long was itself frozen.
FROZEN_S = 0.5


class Heartbeat:
    """When something was last heard, by steady time, as a listener can tell who is not always awake."""

    def __init__(self, now: Callable[[], float] = steady_s) -> None:
        self._now = now
        self._heard_s = -math.inf
        self._awake_s = self._woke_s = now()

    def heard(self) -> None:
        """A sign of life has come."""
        self._heard_s = self._now()

    def wake(self) -> float:
        """The listener runs; the time now."""
        now_s = self._now()
        if now_s - self._awake_s > FROZEN_S:
            self._woke_s = now_s
        self._awake_s = now_s
        return now_s

    def silent_s(self) -> float:
        """For how long nothing came while the listener was awake."""
        return self.wake() - max(self._heard_s, self._woke_s)


def asked_for(stop: GateState) -> str:
    """Why somebody asked for a stop; empty for one of the gate's own."""
    return stop.stop_reason or "no reason given" if stop.stop_code == ErrorCode.STOPPED else ""


class GateWatch:
    """Keeps the newest state of the gate and tells whether it still comes; ``hear`` gets every one.

    Safe to ask from any thread.
    """

    def __init__(self, node: Node, hear: Callable[[GateState], None] = lambda _: None) -> None:
        self._hear, self._heartbeat = hear, Heartbeat()
        self.state: GateState | None = None
        subscribe(node, GateState, "/vital/gate_state", self._on_gate_state, LATCHED, read=known_gate_state)
        node.create_timer(BEAT_S, self._heartbeat.wake)

    def _on_gate_state(self, message: GateState) -> None:
        self.state = message
        self._heartbeat.heard()
        self._hear(message)

    def lost(self) -> VitalError | None:
        """NODE_LOST once the gate has been silent for `SILENT_S`."""
        silent_s = self._heartbeat.silent_s()
        if silent_s < SILENT_S:
            return None
        return VitalError(
            ErrorCode.NODE_LOST, f"the command gate does not answer for {silent_s:.1f} s: is its node running?"
        )

    def check(self) -> None:
        """Raises VitalError(NODE_LOST) once the gate has been silent for `SILENT_S`."""
        if (error := self.lost()) is not None:
            raise error

    def wait(self, timeout_s: float = FIRST_S, abandon: Question = never) -> None:
        """Wait until the gate is heard, as it may not be right after the start; for a thread beside the executor.

        Raises VitalError: NODE_LOST after ``timeout_s``, CANCELLED once ``abandon`` says so.
        """
        deadline_s = steady_s() + timeout_s
        while self.state is None or self.lost() is not None:
            if abandon():
                raise VitalError(ErrorCode.CANCELLED, "stopped while waiting for the command gate")
            if steady_s() > deadline_s:
                raise self.lost() or VitalError(ErrorCode.NODE_LOST, "nothing was heard of the command gate")
            time.sleep(BEAT_S / 2)

    def wait_until_free(self, timeout_s: float = FREE_S) -> None:
        """Wait until nobody owns the arm: owners give it back without waiting for an answer, and a scene that is laid
        under an owner stops the gate. For a thread beside the executor; returns in any case."""
        deadline_s = steady_s() + timeout_s
        while self.state is not None and self.state.owner and steady_s() < deadline_s:
            time.sleep(BEAT_S / 2)

    @property
    def knows_the_arm(self) -> bool:
        """Whether the gate answers and hears joint states."""
        state = self.state
        return state is not None and self.lost() is None and 0.0 <= state.joint_state_age_s < JOINTS_KNOWN_S

    @property
    def stop(self) -> GateState | None:
        """The last state, where it said that the gate is stopped: reason and number of one and the same stop."""
        state = self.state
        return state if state is not None and state.mode == GateState.LATCHED else None

    @property
    def stopped_by(self) -> str:
        """Why somebody asked for the stop that is latched; empty where nobody did."""
        stop = self.stop
        return "" if stop is None else asked_for(stop)
