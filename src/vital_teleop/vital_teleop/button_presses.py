"""Buttons to `/vital/teleop_event`; STOP goes to the gate as well."""

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Header

from vital_interfaces.msg import TeleopEvent
from vital_interfaces.srv import Stop
from vital_teleop.device import Button

# The same button again within this time is a bounce.
BOUNCE_S = 0.3


class ButtonPresses:
    """Of the device of this name."""

    def __init__(self, node: Node, device: str) -> None:
        self._node, self._device = node, device
        self._event = node.create_publisher(TeleopEvent, "/vital/teleop_event", 10)
        self._stop = node.create_client(Stop, "/vital/stop")
        self._last_s: dict[Button, float] = {}

    def press(self, button: Button, now_s: float) -> None:
        """Tell of a button; ``now_s`` is steady time."""
        if now_s - self._last_s.get(button, -np.inf) < BOUNCE_S:
            return
        self._last_s[button] = now_s
        if button is Button.STOP and self._stop.service_is_ready():
            self._stop.call_async(Stop.Request(reason=f"STOP on the {self._device}"))
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._event.publish(TeleopEvent(header=header, device=self._device, kind=int(button)))
