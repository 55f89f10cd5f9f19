"""In the place of `Ears`: what is opened is heard from a recording, checked and read as from the graph."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile

from vital_core.errors import VitalError
from vital_data.recording.recorded_topics import whole_message
from vital_monitor.recorded.player import Player
from vital_ros.boundary import receiver

# States are old after a moment of silence; while the recording stands, they are said again, in turns.
AGAIN = 15


class RecordedEars:
    """See the module. told: hears, once, of a file that is broken."""

    def __init__(self, node: Node, player: Player, told: Callable[[str, bool], None]) -> None:
        self._node, self._player, self._told, self._turn = node, player, told, 0
        self._heard: dict[str, tuple[type, Callable[[Any], None]]] = {}
        self._last: dict[str, bytes] = {}

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
        """As of `Ears`; what was said last comes at once."""

        def whole(data: bytes) -> Any:
            return read(whole_message(data, kind))

        if topic not in self._heard:
            self._heard[topic] = kind, receiver(self._node, topic, take, read=whole, raw=True)
            self._say(topic)

    def close(self, topic: str) -> None:
        """Hear it no longer."""
        self._heard.pop(topic, None)

    def listen(self, turn: int) -> None:
        """Take what is due."""
        self._turn += 1
        try:
            due = self._player.due()
        except VitalError as error:
            self._told(str(error), True)
            return
        for said in due:
            self._last[said.topic] = said.data
            self._say(said.topic)
        if self._turn % AGAIN == 0 and not self._player.playing:
            for topic in self._last:
                self._say(topic)

    def _say(self, topic: str) -> None:
        if topic in self._heard and topic in self._last:
            self._heard[topic][1](self._last[topic])
