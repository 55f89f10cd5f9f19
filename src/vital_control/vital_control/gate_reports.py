"""What the gate says about itself: `/vital/gate_state`, `/diagnostics` and one log line per event that matters."""

from collections import Counter, deque

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from vital_control.gate.gate import Gate
from vital_control.gate.verdict import Mode, Verdict
from vital_control.gate_messages import state_message
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode
from vital_interfaces.msg import GateState
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health

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

    def __init__(self, node: Node, gate: Gate) -> None:
        self._node, self._gate = node, gate
        self._mode, self._gaps, self._strays, self._crowd = gate.mode, gate.gaps, 0, ""
        self._said: tuple[object, ...] = ()
        self._judging_s: deque[float] = deque(maxlen=200)
        latest = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._publisher = node.create_publisher(GateState, "/vital/gate_state", latest)
        self._diagnostics = Diagnostics(node, self._health)
        self.say_state()

    def judged(self, owner: str, took_s: float) -> None:
        """A command has been judged, and its motion issued, in ``took_s``."""
        self._judging_s.append(took_s)
        last = self._gate.last
        if not last.accepted:
            text = f"refused command {self._gate.last_judged_seq} of '{owner}', {last.verdict.name}: {last.text}"
            self._node.get_logger().warning(text, throttle_duration_sec=1.0)
        self.say_change()

    def say_change(self) -> None:
        """Publish the state if it is another than the one published last."""
        if self._essence() != self._said:
            self.say_state()

    def say_state(self) -> None:
        """Publish the state."""
        self._log_mode()
        self._log_gap()
        self._log_strays()
        self._said = self._essence()
        now = self._node.get_clock().now().to_msg()
        self._publisher.publish(state_message(self._gate, steady_s(), now))

    def _essence(self) -> tuple[object, ...]:
        gate = self._gate
        return gate.mode, gate.owner, gate.stop_code, gate.accepted, gate.rejected, gate.gaps

    def _log_mode(self) -> None:
        gate = self._gate
        if gate.mode is self._mode:
            return
        if gate.mode is Mode.LATCHED:
            self._node.get_logger().error(f"arm stopped, {gate.stop_code.name}: {gate.stop_reason}")
        elif gate.mode is Mode.HOLDING and self._mode is Mode.MOVING:
            text = f"arm held for '{gate.owner}': {gate.hold_reason}"
            if gate.hold_code in (ErrorCode.OK, ErrorCode.CANCELLED):
                self._node.get_logger().info(text)
            else:
                self._node.get_logger().warning(f"{text} ({gate.hold_code.name})")
        elif self._mode is Mode.LATCHED:
            self._node.get_logger().info("arm no longer stopped")
        self._mode = gate.mode

    def _log_gap(self) -> None:
        if self._gate.gaps != self._gaps:
            self._gaps = self._gate.gaps
            self._node.get_logger().error(f"the gate itself stood still for {self._gate.last_gap_s:.1f} s")

    def _log_strays(self) -> None:
        """Readings that were not believed: without a stop nobody else would hear of them."""
        if self._gate.arm.stray_readings == self._strays:
            return
        self._strays = self._gate.arm.stray_readings
        text = f"joint states apart from where the arm was sent are not followed ({self._strays} so far)"
        self._node.get_logger().warning(text, throttle_duration_sec=2.0)

    def _log_crowd(self) -> str:
        """One line when somebody else is at work whom this robot should not have; returns who."""
        crowd = crowd_of(self._node)
        if crowd and crowd != self._crowd:
            self._node.get_logger().error(crowd)
        self._crowd = crowd
        return crowd

    def _health(self) -> Health:
        gate, now_s = self._gate, steady_s()
        level, text = OK, f"{gate.mode.name.lower()}, owner {gate.owner or 'none'}"
        if gate.mode is Mode.LATCHED:
            level, text = ERROR, f"stopped, {gate.stop_code.name}: {gate.stop_reason}"
        elif crowd := self._log_crowd():
            level, text = WARN, crowd
        elif not gate.arm.seen(now_s):
            level, text = WARN, "no joint states: is the arm connected?"
        elif (fault := gate.touch.blind(now_s) or gate.touch.loaded()) is not None:
            level, text = WARN, fault.text
        return Health(level, text, self._figures(now_s))

    def _figures(self, now_s: float) -> dict[str, object]:
        gate = self._gate
        judging_ms = np.array(self._judging_s or [0.0]) * 1000
        refused = {f"refused {v.name}": gate.verdicts[v] for v in Verdict if v is not Verdict.ACCEPTED}
        return {
            "accepted": gate.accepted,
            "rejected": gate.rejected,
            **{name: count for name, count in refused.items() if count},
            "holds": gate.holds,
            "stalls gone on from": gate.stalls,
            "gaps of the gate itself": gate.gaps,
            "scene resets followed": gate.resets.followed,
            "scene resets ignored": gate.resets.ignored,
            "baselines refused": gate.touch.baselines_refused,
            "unusable joint states": gate.arm.unusable_readings,
            "stray joint states": gate.arm.stray_readings,
            "unusable tactile readings": gate.touch.unusable_readings,
            "joint state age s": gate.arm.age_s(now_s),
            "tactile age s": gate.touch.age_s(now_s),
            "tactile peak µT": gate.touch.peak_ut,
            "judging median ms": float(np.median(judging_ms)),
            "judging largest ms": float(judging_ms.max()),
        }
