"""What deploy, record and train have in common: clients that lead through something over a running system.

Each waits for the parts that it needs, lays a fresh scene where there is a simulator, knows whether the gate is alive,
and has a stop cleared before the next scene.
"""

import threading
from typing import Generic, TypeVar

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node

from vital_bringup.sessions.session_parameters import SessionParameters
from vital_core.task import load_task
from vital_interfaces.msg import GateState
from vital_interfaces.srv import ClearStop, ResetScene
from vital_ros.calls import call, checked
from vital_ros.diagnostics import Diagnostics, Health
from vital_ros.gate_watch import GateWatch
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

    def lay_scene(self, seed: int, who: str) -> None:
        """Have the simulator lay a new scene, with a stop cleared in the name of ``who``.

        A stop that cannot be cleared is told by whatever is tried in the new scene. Raises VitalError.
        """
        if self.watch.latched:
            call(self._clear, ClearStop.Request(operator_name=who))
        self.watch.wait_until_free()
        checked(call(self._reset, ResetScene.Request(task=self.task.name, seed=seed), timeout_s=SCENE_S))

    def clear_stop(self, who: str) -> None:
        """Clear a stop in the name of ``who``. Raises VitalError with the gate's code when it stays."""
        if self.watch.latched:
            checked(call(self._clear, ClearStop.Request(operator_name=who)))


def _is_served(client: ActionClient | Client) -> bool:
    return client.server_is_ready() if isinstance(client, ActionClient) else client.service_is_ready()
