"""The monitor: hears the stack while somebody looks, shows it in a browser, and carries what is pressed there to it.

It owns nothing and nobody waits for it: without a page it listens twice a second, and its end changes nothing.
"""

from pathlib import Path

from rclpy.node import Node

from vital_core.arm.urdf import urdf
from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_core.task import load_task
from vital_monitor.drawing.links import links_of
from vital_monitor.ears import Ears
from vital_monitor.hands import Hands
from vital_monitor.hearing import MOTION, RECORDED, SELDOM, Hearing
from vital_monitor.monitor_parameters import MonitorParameters
from vital_monitor.network.network_door import NetworkDoor
from vital_monitor.page.page import Page
from vital_monitor.page.server import PageServer
from vital_monitor.recorded.player import Player
from vital_monitor.recorded.recorded_ears import RecordedEars
from vital_monitor.recorded.recording import known_topics, of_bag, of_session
from vital_monitor.state.offers import Deed, offered
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
        self._player = player_of(given)
        if self._player is not None and (changed := self._player.recording.changed & RECORDED.keys()):
            self._tell(f"recorded with other fields, and not shown: {', '.join(sorted(changed))}", True)
        ears = Ears(self) if self._player is None else RecordedEars(self, self._player, self._tell)
        self.hearing = Hearing(self, self.picture, ears)
        self._stop_shown = 0
        self._hands = Hands(self, task.name, self._tell, lambda: self._stop_shown)
        inner = (LOOPBACK, 0) if given.with_door else (given.host, given.port)
        self.server = PageServer(*inner, self._warn)
        self._door = self._door_before(self.server.get_port(), given) if given.with_door else None
        self.page = Page(self.server, task, links_of(urdf()), self._hands.stop, self._hands.do, self._player)
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
        self._hands.go_on_stopping()
        if self.page.watched is not self._watching:
            self._watch(self.page.watched)
        self._turn = self._turn + 1 if self._watching else 0
        self.hearing.listen(self._turn)
        if self._turn % SOURCES == 0:
            self.hearing.forget_what_is_gone()
        if (hand := self.page.hand.now(steady_s())) is not None:
            self._hands.move(hand)
        if self._watching:
            self._show()

    def _watch(self, watching: bool) -> None:
        self._watching = watching
        if self._player is not None:
            self._player.play() if watching else self._player.pause()
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
            self._stop_shown = 0 if self.picture.gate is None else self.picture.gate.stop_number
            self.page.show_state(self.picture, self._offered())
        if self._turn % SELDOM == 0:
            self.hearing.want_depth(self.page.wants_points.value)
            self.page.show_points(self.picture)

    def _offered(self) -> frozenset[Deed]:
        if self._player is not None:  # what was recorded hears nothing
            return frozenset()
        return offered(self.picture.session, self.picture.gate, self._hands.served(), self._hands.running)

    def _health(self) -> Health:
        return Health(OK, self.server.url, {"pages": len(self.server.get_clients())})

    def on_exit(self) -> None:
        """Close the page."""
        self._hands.let_go()
        self.page.close()
        if self._door is not None:
            self._door.close()


def player_of(given: MonitorParameters) -> Player | None:
    """Of the recording that is to be shown, if any. Raises VitalError where it cannot be read."""
    if not given.session and not given.bag:
        return None
    recording = of_session(Path(given.session), given.episode) if given.session else of_bag(Path(given.bag))
    return Player(recording, known_topics(recording, RECORDED))


def main() -> None:
    """Entry point."""
    exit_with(run_node(MonitorNode))


if __name__ == "__main__":
    main()
