"""A gate for tests of those who ask it: it gives the arm to whoever asks, or refuses, and its heart beats at 10 Hz."""

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from vital_core.errors import ErrorCode
from vital_core.owner import Owner
from vital_interfaces.msg import GateState
from vital_interfaces.srv import AcquireControl
from vital_ros.qos import LATCHED

BEAT_S = 0.1


class FakeGate:
    """`/vital/acquire_control` and `/vital/gate_state` of a node under a test's hand."""

    def __init__(self, node: Node, group: CallbackGroup | None = None) -> None:
        self._node = node
        self.grants = True
        """Whether it gives the arm; otherwise it says that it is stopped."""
        self.beating = True
        """Whether its heart beats."""
        self.owners: list[str] = []
        """Everybody who has had the arm, in order; empty where it was given back."""
        self._state: dict[str, object] = {}
        self._publisher = node.create_publisher(GateState, "/vital/gate_state", LATCHED)
        node.create_service(AcquireControl, "/vital/acquire_control", self._on_acquire, callback_group=group)
        node.create_timer(BEAT_S, self._beat, callback_group=group)

    @property
    def owner(self) -> str:
        """Who has the arm; empty: nobody."""
        return self.owners[-1] if self.owners else Owner.NOBODY

    def give_to(self, owner: str) -> None:
        """The arm changes hands, and the gate says so while its heart beats."""
        self.owners.append(owner)
        self._state = {"mode": GateState.HOLDING if owner else GateState.IDLE, "owner": owner}
        self._beat()

    def say(self, **state: object) -> None:
        """Publish what the gate has to say, and ten times a second from then on."""
        self._state = state
        message = GateState(**state)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _beat(self) -> None:
        if self.beating:
            self.say(**self._state)

    def _on_acquire(
        self, request: AcquireControl.Request, response: AcquireControl.Response
    ) -> AcquireControl.Response:
        response.granted = self.grants
        if self.grants:
            self.give_to(Owner.NOBODY if request.release else request.owner)
        else:
            response.error_code, response.message = int(ErrorCode.STOPPED), "stopped: clear it first"
        response.current_owner = self.owner
        return response
