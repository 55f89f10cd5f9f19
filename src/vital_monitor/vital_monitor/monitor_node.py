"""The monitor: hears the stack while somebody looks, shows it in a browser, and carries what is pressed there to it.

It owns nothing and nobody waits for it: without a page it listens twice a second, and its end changes nothing.
"""

from rclpy.node import Node

from vital_core.arm.urdf import urdf
from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_core.task import load_task
from vital_monitor.drawing.links import links_of
from vital_monitor.hands import Hands
from vital_monitor.hearing import MOTION, SELDOM, Hearing
from vital_monitor.monitor_parameters import MonitorParameters
from vital_monitor.network.network_door import NetworkDoor
from vital_monitor.page.page import Page
from vital_monitor.page.server import PageServer
from vital_monitor.state.offers import offered
from vital_monitor.state.picture import Picture
from vital_ros.diagnostics import OK, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node

LOOPBACK = "127.0.0.1"
PERIOD_S, UNWATCHED_S = 1.0 / 30.0, 0.5
# In turns of `PERIOD_S`.
STATE, SOURCES = 6, 30


class MonitorNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("monitor")
        given = declare(self, MonitorParameters)
        task = load_task(given.task)
        self.picture, self._turn, self._watching = Picture(), 0, False
        self.hearing = Hearing(self, self.picture)
        self._hands = Hands(self, task.name, self._tell)
        inner = (LOOPBACK, 0) if given.with_door else (given.host, given.port)
        self.server = PageServer(*inner, self._warn)
        self._door = self._door_before(self.server.get_port(), given) if given.with_door else None
        self.page = Page(self.server, task, links_of(urdf()), self._hands.stop, self._hands.do)
        self._timer = self.create_timer(UNWATCHED_S, self._tick)
        self._diagnostics = Diagnostics(self, self._health)
        beyond = "" if self._door is None else f"; with PIN or token: {self._door.url}"
        self.get_logger().info(f"monitor: {self.server.url} in a browser of this machine{beyond}")

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=1.0)

    def _door_before(self, inner: int, given: MonitorParameters) -> NetworkDoor:
        try:
            return NetworkDoor(given.host, given.port, given.certificate, given.key, given.pin, inner, self._warn)
        except VitalError:
            self.server.stop()
            raise

    def _tell(self, text: str, is_bad: bool) -> None:
        self.picture.say(text, steady_s(), is_bad=is_bad)
        self.get_logger().info(text)

    def _tick(self) -> None:
        if self.page.watched is not self._watching:
            self._watch(self.page.watched)
        self._turn = self._turn + 1 if self._watching else 0
        self.hearing.listen(self._turn)
        if self._turn % SOURCES == 0:
            self.hearing.forget_what_is_gone()
        if self._watching:
            self._show()

    def _watch(self, watching: bool) -> None:
        self._watching = watching
        self._timer.timer_period_ns = round(1e9 * (PERIOD_S if watching else UNWATCHED_S))
        if watching:
            self.hearing.open_senses()
        else:
            self.hearing.close_senses()

    def _show(self) -> None:
        self.page.show_touch(self.picture)
        if self._turn % MOTION == 0:
            self.page.show_motion(self.picture)
        if self._turn % STATE == 0:
            running, served = self._hands.running, self._hands.served()
            self.page.show_state(self.picture, offered(self.picture.session, self.picture.gate, served, running))
        if self._turn % SELDOM == 0:
            self.hearing.want_depth(self.page.wants_points.value)
            self.page.show_points(self.picture)

    def _health(self) -> Health:
        return Health(OK, self.server.url, {"pages": len(self.server.get_clients())})

    def on_exit(self) -> None:
        """Close the page."""
        self._hands.let_go()
        self.page.close()
        if self._door is not None:
            self._door.close()


def main() -> None:
    """Entry point."""
    exit_with(run_node(MonitorNode))


if __name__ == "__main__":
    main()
