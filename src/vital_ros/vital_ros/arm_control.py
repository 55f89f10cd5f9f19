"""Taking and giving back the arm: the command gate's `/vital/acquire_control`, as one owner sees it."""

from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.srv import AcquireControl
from vital_ros.calls import call

ANSWER_S = 3.0


class ArmControl:
    """Blocking calls for a thread beside the spinning executor.

    token: of the present acquisition, for everything that is sent to the gate, and nothing else; 0 without one.
    """

    def __init__(self, node: Node, owner: str) -> None:
        self._owner = owner
        self.token = 0
        self._client = node.create_client(AcquireControl, "/vital/acquire_control")

    def acquire(self, task: str, *, take_over: bool = False) -> None:
        """Take the arm with the task's limits. Raises VitalError with the gate's code when it says no."""
        request = AcquireControl.Request(owner=self._owner, token=self.token, task=task, take_over=take_over)
        answer = call(self._client, request, timeout_s=ANSWER_S)
        if not answer.granted:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.GATE_REFUSED), answer.message)
        self.token = answer.token

    def release(self) -> None:
        """Give the arm back without waiting for the answer: the gate holds it in any case."""
        if self._client.service_is_ready():
            self._client.call_async(AcquireControl.Request(owner=self._owner, token=self.token, release=True))
