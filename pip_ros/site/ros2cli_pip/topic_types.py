"""A topic's message type, as the graph knows it."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from ros2cli_pip.graph import wait_until
from ros2cli_pip.messages import interface_type


def topic_types(node: Node, topic: str, timeout_s: float) -> list[str]:
    """Return a topic's type names, waiting a moment for its discovery; none if nobody knows it."""

    def types() -> list[str]:
        return next((found for name, found in node.get_topic_names_and_types() if name == topic), [])

    wait_until(node, lambda: bool(types()), timeout_s)
    return types()


def warn_unpublished(topic: str) -> None:
    """Say that nobody publishes a topic."""
    print(f"WARNING: topic [{topic}] does not appear to be published yet")


def topic_class(node: Node, topic: str, timeout_s: float, *, blocking: bool) -> Any:
    """Return a topic's message class; if nobody publishes it wait for ever when blocking, or else return None.

    Raises:
        RuntimeError: when the topic has more than one type.
    """
    types = topic_types(node, topic, timeout_s)
    if not types:
        warn_unpublished(topic)
        while blocking and not types:
            types = topic_types(node, topic, timeout_s)
    if len(types) > 1:
        raise RuntimeError(f"Cannot echo topic '{topic}', as it contains more than one type: [{', '.join(types)}]")
    return interface_type(types[0], "msg") if types else None
