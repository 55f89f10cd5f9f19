"""What deploy, record and train have in common: clients that lead through something over a running system.

Each waits for the parts that it needs, lays a fresh scene where there is a simulator, knows whether the gate is alive,
and has a stop of the gate's own cleared before the next scene.
"""

import threading
from typing import Generic, TypeVar

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node

from vital_bringup.sessions.session_parameters import SessionParameters
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_interfaces.msg import GateState
from vital_interfaces.srv import ClearStop, ResetScene
from vital_ros.calls import call, checked
from vital_ros.diagnostics import Diagnostics, Health
from vital_ros.gate_watch import BEAT_S, GateWatch, asked_for
from vital_ros.parameters import declare
from vital_ros.process.client_main import wait_until_ready, whole_again

SCENE_S = 30.0
Parameters = TypeVar("Parameters", bound=SessionParameters)


class SessionClient(Node, Generic[Parameters]):
    """The client of a running system. parts: servers that it needs, by the name that an operator knows."""

    def __init__(self, name: str, parameters: type[Parameters]) -> None:
        super().__init__(name)
        self.parameters = declare(self, parameters)
        self.task = load_task(self.parameters.task)
        self.stopping = threading.Event()
        self.parts: dict[str, ActionClient | Client] = {}
        self.watch = GateWatch(self, self.on_gate)
        self._clear = self.create_client(ClearStop, "/vital/clear_stop")
        self._reset = self.create_client(ResetScene, "/vital/reset_scene")
        self._diagnostics = Diagnostics(self, self.health)

    def on_gate(self, state: GateState) -> None:
        """Every state of the gate comes here."""

    def health(self) -> Health:
        """For /diagnostics."""
        raise NotImplementedError

    def missing(self) -> list[str]:
        """Parts that do not answer yet."""
        missing = [name for name, client in self.parts.items() if not _is_served(client)]
        return [*missing, "simulator"] if self.parameters.simulated and not _is_served(self._reset) else missing

    def wait_for_parts(self, stopping: threading.Event) -> None:
        """Wait until every part answers. Raises VitalError(NODE_LOST) naming those that do not."""
        self.stopping = stopping
        wait_until_ready(self, self.missing, stopping, self.parameters.start_timeout_s)

    def becomes_whole(self) -> bool:
        """Whether every part answers after a while; what does not is said."""
        return whole_again(self, self.missing, self.stopping)

    def wait_for_clearance(self) -> None:
        """Wait while a stop is latched that somebody asked for: a program does not clear it."""
        if reason := self.watch.stopped_by:
            self.get_logger().warning(f"stopped ({reason}): look at the arm, then /vital/clear_stop; it goes on then")
        while self.watch.stopped_by and not self.stopping.wait(BEAT_S):
            pass

    def lay_scene(self, seed: int, who: str) -> None:
        """Have the simulator lay a new scene, once nobody's stop is latched, with one of the gate's own cleared in the
        name of ``who``.

        A stop that cannot be cleared is told by whatever is tried in the new scene. Raises VitalError, CANCELLED where
        the session is ended meanwhile.
        """
        self._come_clear(who)
        self.watch.wait_until_free()
        checked(call(self._reset, ResetScene.Request(task=self.task.name, seed=seed), timeout_s=SCENE_S))

    def _come_clear(self, who: str) -> None:
        """Until no stop is latched, or one of the gate's own that stays."""
        self.wait_for_clearance()
        while (stop := self.watch.stop) is not None:
            theirs = asked_for(stop)
            if self.stopping.is_set() and theirs:
                raise VitalError(ErrorCode.CANCELLED, f"the session ends while the arm is stopped ({theirs})")
            answer = None if theirs else self._ask_to_clear(who, stop)
            if answer is not None and answer.error_code != ErrorCode.STOPPED:
                return
            # Somebody has pressed STOP since: the next state tells who.
            self.stopping.wait(BEAT_S)
            self.wait_for_clearance()

    def _ask_to_clear(self, who: str, stop: GateState) -> ClearStop.Response:
        return call(self._clear, ClearStop.Request(operator_name=who, stop_number=stop.stop_number))

    def clear_stop(self, who: str) -> None:
        """Clear the stop that is known of, in the name of ``who``.

        Raises VitalError with the gate's code when one stays: that one, or another that has come since.
        """
        if (stop := self.watch.stop) is not None:
            checked(self._ask_to_clear(who, stop))


def _is_served(client: ActionClient | Client) -> bool:
    return client.server_is_ready() if isinstance(client, ActionClient) else client.service_is_ready()
