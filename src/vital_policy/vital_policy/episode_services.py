"""The two services an episode needs: a fresh tactile baseline, and control of the arm."""

import threading
from typing import Any

from rclpy.client import Client
from rclpy.node import Node

from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.srv import AcquireControl, TakeBaseline

OWNER = "policy"
TIMEOUT_S = 3.0


class EpisodeServices:
    """Blocking calls for the episode's thread; the executor runs in another."""

    def __init__(self, node: Node) -> None:
        self._baseline = node.create_client(TakeBaseline, "/anyskin/take_baseline")
        self._control = node.create_client(AcquireControl, "/vital/acquire_control")

    def take_baseline(self) -> int:
        """Id of the new baseline. Raises VitalError when there is none."""
        answer = _call(self._baseline, TakeBaseline.Request())
        if not answer.success:
            raise VitalError(ErrorCode(answer.error_code or ErrorCode.SENSOR_FAULT), answer.message)
        return int(answer.baseline_id)

    def acquire(self, task: str) -> None:
        """Take the arm with the task's limits. Raises VitalError when the gate says no."""
        answer = _call(self._control, AcquireControl.Request(owner=OWNER, task=task))
        if not answer.granted:
            raise VitalError(ErrorCode(answer.error_code or ErrorCode.GATE_REFUSED), answer.message)

    def release(self) -> None:
        """Give the arm back without waiting for the answer: the gate holds it in any case."""
        if self._control.service_is_ready():
            self._control.call_async(AcquireControl.Request(owner=OWNER, release=True))


def _call(client: Client, request: Any) -> Any:
    name = client.srv_name
    if not client.wait_for_service(timeout_sec=TIMEOUT_S):
        raise VitalError(ErrorCode.NODE_LOST, f"nobody offers {name}: is its node running?")
    answered = threading.Event()
    future = client.call_async(request)
    future.add_done_callback(lambda _: answered.set())
    if not answered.wait(TIMEOUT_S):
        client.remove_pending_request(future)
        raise VitalError(ErrorCode.TIMEOUT, f"{name} did not answer within {TIMEOUT_S:g} s")
    return future.result()
