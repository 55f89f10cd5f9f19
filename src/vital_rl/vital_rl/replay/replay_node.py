"""The replay as a ROS node: steps are appended, episodes labelled and read. An answer means that it is on disk.

A full disk refuses what comes and keeps what is there; a killed node goes on with all that it has acknowledged.
"""

from typing import Any

from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from std_msgs.msg import Header

from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import ReplayState
from vital_interfaces.srv import AppendStep, CloseEpisode, LabelEpisode, OpenEpisode, ReadReplay
from vital_rl.replay import episode_message
from vital_rl.replay.replay_parameters import ReplayParameters
from vital_rl.replay.replay_requests import (
    MOST_READ,
    NO_EPISODE,
    about_of,
    answering,
    few_of,
    record_of,
    state_message,
)
from vital_rl.replay.replay_store import INTERRUPTED, LabelVerdict, ReplayStore
from vital_ros.boundary import serve
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import LATCHED

TAKEN = (LabelVerdict.TAKEN, LabelVerdict.SAME, LabelVerdict.REPLACED)


class ReplayNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("replay_node")
        given = declare(self, ReplayParameters)
        self._store = ReplayStore(given.folder_path(), given.capacity)
        self._open_episode = NO_EPISODE
        self._problem = VitalError(ErrorCode.OK, "")
        self._state = self.create_publisher(ReplayState, "/vital/replay_state", LATCHED)
        for kind, name, answer, read in (
            (OpenEpisode, "/vital/replay/open", self._on_open, about_of),
            (AppendStep, "/vital/replay/append", self._on_append, record_of),
            (CloseEpisode, "/vital/replay/close", self._on_close, None),
            (ReadReplay, "/vital/replay/read", self._on_read, few_of),
        ):
            serve(self, kind, name, answering(answer, self._failed), read=read)
        serve(self, LabelEpisode, "/vital/label_episode", self._on_label)
        self._diagnostics = Diagnostics(self, self._health)
        self._publish_state()
        if self._store.lost_bytes:
            self.get_logger().warning(f"{self._store.lost_bytes} bytes at the end of a chunk were torn and left out")
        self.get_logger().info(f"{self._store.steps} steps of {len(self._store.episodes)} episodes in {given.folder}")

    def _failed(self, error: VitalError) -> None:
        self._problem = error
        self.get_logger().error(str(error))
        self._publish_state()

    def _on_open(self, about: dict[str, Any], response: OpenEpisode.Response) -> None:
        if self._open_episode != NO_EPISODE:
            # Whoever had it open has gone: one policy writes at a time.
            self._close(self._open_episode, INTERRUPTED, terminated=False)
        response.steps_before = self._store.transitions
        self._open_episode = response.episode = self._store.open_episode(about)
        self._problem = VitalError(ErrorCode.OK, "")
        self._publish_state()

    def _on_append(self, record: bytes, _response: AppendStep.Response) -> None:
        self._store.append_record(record)

    def _on_close(self, request: CloseEpisode.Request, _response: CloseEpisode.Response) -> None:
        self._close(request.episode, request.reason or "closed", terminated=request.terminated)

    def _close(self, number: int, reason: str, *, terminated: bool) -> None:
        self._store.close_episode(number, reason, terminated=terminated)
        if number == self._open_episode:
            self._open_episode = NO_EPISODE
        self._publish_state()

    def _on_label(self, request: LabelEpisode.Request, response: LabelEpisode.Response) -> LabelEpisode.Response:
        try:
            verdict = self._store.label(
                request.episode, request.succeeded, request.source or "unknown", relabel=request.relabel
            )
        except VitalError as error:
            self._failed(error)
            response.error_code, response.verdict = int(error.code), error.message
            return response
        response.success, response.verdict = verdict in TAKEN, verdict.value
        response.error_code = int(ErrorCode.OK if response.success else ErrorCode.BAD_PARAMETER)
        self._publish_state()
        return response

    def _on_read(self, request: ReadReplay.Request, response: ReadReplay.Response) -> None:
        if request.episodes:
            found = [e for number in request.episodes if (e := self._store.episode(number)) is not None]
            response.cursor = request.cursor
        else:
            released = self._store.read_since(request.cursor, min(max(1, request.limit), MOST_READ))
            found, response.cursor = list(released.episodes), released.cursor
        response.found = [episode_message.to_message(e, self._store.read_records(e.number)) for e in found]

    def _publish_state(self) -> None:
        header = Header(stamp=self.get_clock().now().to_msg())
        self._state.publish(state_message(self._store, self._open_episode, self._problem, header))

    def _health(self) -> Health:
        store = self._store
        values = {"steps": store.steps, "episodes": len(store.episodes), "bytes": store.size_bytes}
        if self._problem.code is ErrorCode.DISK_FULL:
            return Health(ERROR, str(self._problem), values)
        if self._problem.code is not ErrorCode.OK:
            return Health(WARN, str(self._problem), values)
        return Health(OK, f"{store.steps} steps", values)

    def on_exit(self) -> None:
        """An open episode is closed as interrupted."""
        try:
            if self._open_episode != NO_EPISODE:
                self._close(self._open_episode, INTERRUPTED, terminated=False)
        except VitalError as error:
            self.get_logger().warning(f"{error} (the episode is closed when the replay starts again)")
        self._store.close()


def main(args: list[str] | None = None) -> None:
    """Keep the replay until SIGINT or SIGTERM."""
    exit_with(run_node(ReplayNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
