"""`/diagnostics` at 1 Hz from every node: what is well, what is not, and the counters behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from vital_ros.boundary import refusals_of

OK, WARN, ERROR, STALE = 0, 1, 2, 3


@dataclass(frozen=True)
class Health:
    """One component's state: level (OK, WARN, ERROR, STALE), a sentence, and figures by name."""

    level: int
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Diagnostics:
    """Publishes what ``read`` returns once a second, under the node's own name, with what was refused of what came."""

    def __init__(self, node: Node, read: Callable[[], Health]) -> None:
        self._node, self._read = node, read
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(1.0, self.publish)

    def publish(self) -> None:
        """Publish the present state once."""
        health = self.now()
        status = DiagnosticStatus(
            level=bytes([health.level]), name=self._node.get_fully_qualified_name(), message=health.message
        )
        status.values = [KeyValue(key=k, value=_text(v)) for k, v in health.values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def now(self) -> Health:
        """The present state."""
        return self._with_refusals(self._read())

    def _with_refusals(self, health: Health) -> Health:
        refusals = refusals_of(self._node)
        counts = {f"refused {name}": count for name, count in refusals.counts.items()}
        message, level = health.message, health.level
        if refusals.recent and level == OK:
            message, level = f"{message}; {refusals.recent}" if message else refusals.recent, WARN
        return Health(level, message, {**health.values, **counts})
