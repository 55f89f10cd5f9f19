"""What the monitor hears, at its own pace: the executor never wakes for a message, however often messages come.

Each topic keeps a few of the newest messages in the middleware; `listen` takes them. A topic that nobody sends on costs
nothing, and one that sends a thousand times a second costs no more than one that sends thirty times.
"""

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from vital_ros.boundary import subscribe


class Unheard(CallbackGroup):
    """Of what the executor is not to wait for."""

    def can_execute(self, entity: Any) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing has begun."""


class Ears:
    """Subscriptions of a node that are listened to by hand, in the executor's thread."""

    def __init__(self, node: Node) -> None:
        self._node, self._group = node, Unheard()
        self._heard: dict[str, tuple[Subscription, int]] = {}

    def open(
        self,
        kind: type,
        topic: str,
        take: Callable[[Any], None],
        qos: QoSProfile,
        read: Callable[[Any], Any],
        *,
        every: int = 1,
    ) -> None:
        """Begin to hear a topic, as `vital_ros.boundary.subscribe`, in every so many turns."""
        if topic not in self._heard:
            heard = subscribe(self._node, kind, topic, take, qos, read=read, group=self._group)
            self._heard[topic] = heard, every

    def close(self, topic: str) -> None:
        """Hear it no longer."""
        if topic in self._heard:
            self._node.destroy_subscription(self._heard.pop(topic)[0])

    def listen(self, turn: int) -> None:
        """Take what has come, at most as many messages a topic as its queue is deep."""
        for heard, every in list(self._heard.values()):
            if turn % every == 0:
                self._take_from(heard)

    @staticmethod
    def _take_from(heard: Subscription) -> None:
        for _ in range(max(1, heard.qos_profile.depth)):
            with heard.handle:
                taken = heard.handle.take_message(heard.msg_type, heard.raw)
            if taken is None:
                return
            heard.callback(taken[0])
