"""The device in the operator's hand, as the teleoperation node tells of it."""

from collections.abc import Callable

from rclpy.node import Node

from vital_interfaces.msg import TeleopState
from vital_ros.boundary import subscribe

# A person first has to take the device, or to open a page.
PATIENCE_S = 600.0
WANTED = "take the device, or the keys of the page: the session begins with the first sign of life from it"


class OperatorHand:
    """Whether the device gives signs of life. lost: called once each time when they end."""

    def __init__(self, node: Node, lost: Callable[[], None]) -> None:
        self._lost = lost
        self.device, self._is_lost = "", False
        subscribe(node, TeleopState, "/vital/teleop_state", self._on_state, 10)

    def _on_state(self, state: TeleopState) -> None:
        lost = state.mode == TeleopState.LOST
        if lost and not self._is_lost:
            self._lost()
        self.device, self._is_lost = state.device, lost

    def missing(self) -> list[str]:
        """What is waited for, by the name that an operator knows."""
        return [] if self.device and not self._is_lost else ["the operator's device"]
