"""What the gate says about itself: `/vital/gate_state`, `/diagnostics` and one log line per event that matters."""

from collections import Counter, deque

import numpy as np
from rclpy.node import Node

from vital_control.gate.ownership import Answer
from vital_control.gate.report import GateReport, Reporting
from vital_control.gate.verdict import Mode
from vital_control.gate_messages import state_message
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode
from vital_interfaces.msg import GateState
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from vital_ros.qos import LATCHED

# One arm has one of each; a second one lies, or commands past the gate.
ONE_PUBLISHER = ("/joint_states", "/anyskin/tactile", "/xarm7_traj_controller/joint_trajectory")


def crowd_of(node: Node) -> str:
    """Topics with more publishers than one arm has, and nodes of one name: as a sentence, empty when there are none."""
    topics = [(topic, node.count_publishers(topic)) for topic in ONE_PUBLISHER]
    names = Counter(f"{space.rstrip('/')}/{name}" for name, space in node.get_node_names_and_namespaces())
    said = [f"{count} publishers on {topic}, expected one" for topic, count in topics if count > 1]
    said += [f"{count} nodes are called {name}" for name, count in sorted(names.items()) if count > 1]
    return f"{'; '.join(said)}: is a second robot in this domain?" if said else ""


class GateReports:
    """Publishes the state when it has changed and whenever it is asked to, and the counters once a second."""

    def __init__(self, node: Node, gate: Reporting) -> None:
        self._node, self._gate = node, gate
        self._last = gate.report(steady_s())
        self._crowd = ""
        self._said: tuple[object, ...] = ()
        self._judging_s: deque[float] = deque(maxlen=200)
        self._publisher = node.create_publisher(GateState, "/vital/gate_state", LATCHED)
        self._diagnostics = Diagnostics(node, self._health)
        self.say_state()

    def judged(self, owner: str, took_s: float) -> None:
        """A command has been judged, and its motion issued, in ``took_s``."""
        self._judging_s.append(took_s)
        self.say_change()
        last = self._last.last
        if last.projected:
            text = f"command {self._last.last_judged_seq} of '{owner}' is {last.text}"
            self._node.get_logger().info(text, throttle_duration_sec=5.0)
        if not last.accepted:
            text = f"refused command {self._last.last_judged_seq} of '{owner}', {last.verdict.name}: {last.text}"
            self._node.get_logger().warning(text, throttle_duration_sec=1.0)

    def answered(self, answer: Answer) -> None:
        """A request has been granted or refused."""
        if answer.granted:
            self._node.get_logger().info(answer.text)
        else:
            self._node.get_logger().warning(f"{answer.code.name}: {answer.text}")
        self.say_change()

    def say_change(self) -> None:
        """Publish the state if it is another than the one published last."""
        if self._gate.essence != self._said:
            self.say_state()

    def say_state(self) -> None:
        """Publish the state, and say in the log what is new."""
        before, self._last, self._said = self._last, self._gate.report(steady_s()), self._gate.essence
        self._log_mode(before, self._last)
        self._log_gap(before, self._last)
        self._log_strays(before, self._last)
        self._publisher.publish(state_message(self._last, self._node.get_clock().now().to_msg()))

    def _log_mode(self, before: GateReport, now: GateReport) -> None:
        log = self._node.get_logger()
        if now.mode is before.mode:
            return
        if now.mode is Mode.LATCHED:
            log.error(f"arm stopped, {now.stop_code.name}: {now.stop_reason}")
        elif now.mode is Mode.HOLDING and before.mode is Mode.MOVING:
            text = f"arm held for '{now.owner}': {now.hold_reason}"
            if now.hold_code in (ErrorCode.OK, ErrorCode.CANCELLED):
                log.info(text)
            else:
                log.warning(f"{text} ({now.hold_code.name})")
        elif before.mode is Mode.LATCHED:
            log.info("arm no longer stopped")

    def _log_gap(self, before: GateReport, now: GateReport) -> None:
        if now.gaps != before.gaps:
            self._node.get_logger().error(f"the gate itself stood still for {now.last_gap_s:.1f} s")

    def _log_strays(self, before: GateReport, now: GateReport) -> None:
        """Readings that were not believed: without a stop nobody else would hear of them."""
        if now.stray_readings != before.stray_readings:
            text = f"joint states apart from where the arm was sent are not followed ({now.stray_readings} so far)"
            self._node.get_logger().warning(text, throttle_duration_sec=2.0)

    def _log_crowd(self) -> str:
        """One line when somebody else is at work whom this robot should not have; returns who."""
        crowd = crowd_of(self._node)
        if crowd and crowd != self._crowd:
            self._node.get_logger().error(crowd)
        self._crowd = crowd
        return crowd

    def _health(self) -> Health:
        gate = self._gate.report(steady_s())
        level, text = OK, f"{gate.mode.name.lower()}, owner {gate.owner or 'none'}"
        if gate.mode is Mode.LATCHED:
            level, text = ERROR, f"stopped, {gate.stop_code.name}: {gate.stop_reason}"
        elif crowd := self._log_crowd():
            level, text = WARN, crowd
        elif not gate.joints_seen:
            level, text = WARN, "no joint states: is the arm connected?"
        elif gate.touch_fault:
            level, text = WARN, gate.touch_fault
        return Health(level, text, self._figures(gate))

    def _figures(self, gate: GateReport) -> dict[str, object]:
        judging_ms = np.array(self._judging_s or [0.0]) * 1000
        return {
            **gate.counts,
            "joint state age s": gate.joint_state_age_s,
            "tactile age s": gate.tactile_age_s,
            "tactile peak µT": gate.tactile_peak_ut,
            "judging median ms": float(np.median(judging_ms)),
            "judging largest ms": float(judging_ms.max()),
        }
