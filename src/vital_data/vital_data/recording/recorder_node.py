"""Records demonstrations: `/vital/record/start` and `/vital/record/finish`, every topic that a training set needs.

A process of its own; messages are taken as the bytes that came, and written by a thread, so that nothing waits for
the disk.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_data.files.episode_writer import Message
from vital_data.files.ros_messages import type_name
from vital_data.recording import recorded_topics as recorded
from vital_data.recording.recorder import Recorder
from vital_data.recording.recorder_parameters import RecorderParameters
from vital_data.recording.recording_state import OUTCOMES, state_message
from vital_data.recording.versions import software_versions
from vital_interfaces.msg import (
    RecordingState,
)
from vital_interfaces.srv import FinishEpisode, StartEpisode
from vital_ros.boundary import serve, subscribe
from vital_ros.diagnostics import ERROR, OK, Diagnostics, Health
from vital_ros.message_check import joint_positions, stamp_ns
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node

STATE_PERIOD_S = 0.2


class RecorderNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("recorder")
        given = declare(self, RecorderParameters)
        task = load_task(given.task).name
        folder = given.session or f"recordings/{task}"
        versions = software_versions()
        description = {
            "versions": versions,
            "calibration": given.calibration_text(),
            "wrist_view": given.wrist_view,
        }
        self._recorder = Recorder(Path(folder), task, description, min_free_bytes=1_000_000 * given.min_free_mb)
        self._constant = {"versions": versions}
        self._message, self._code = "", ErrorCode.OK
        for repaired in self._recorder.repaired:
            self.get_logger().warning(
                f"episode {repaired.index} had been interrupted: {repaired.frames} images of it were had back and "
                f"are kept out of training; the damaged file is {repaired.kept.name}"
            )
        self._state = self.create_publisher(RecordingState, "/vital/recording_state", 5)
        self._poses = poses = recorded.TcpPoses(self._put, lambda: self._recorder.recording)
        self._derived: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]] = {
            recorded.JOINTS: (joint_positions, poses.on_joints),
            recorded.COMMAND: (recorded.delta_of, poses.on_command),
            recorded.GATE: (recorded.box_of, poses.on_gate),
        }
        for topic, kind, qos in recorded.TOPICS:
            self._listen(topic, kind, qos)
        serve(self, StartEpisode, "/vital/record/start", self._on_start)
        serve(self, FinishEpisode, "/vital/record/finish", self._on_finish)
        self.create_timer(STATE_PERIOD_S, self._tell)
        self._diagnostics = Diagnostics(self, self._health)
        self.get_logger().info(f"session {self._recorder.folder}, {self._recorder.saved} demonstrations so far")

    def _listen(self, topic: str, kind: type, qos: QoSProfile) -> None:
        value_of, derive = self._derived.get(topic, (lambda _: None, lambda _value, _stamp: None))

        def take(whole: tuple[bytes, Any, Any]) -> None:
            data, stamp, value = whole
            self._put(topic, kind, data, stamp)
            if value is not None:
                derive(value, stamp)

        subscribe(self, kind, topic, take, qos, read=recorded.reader_of(topic, kind, value_of), raw=True)

    def _put(self, topic: str, kind: type, data: bytes, stamp: Any) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._recorder.put(Message(topic, type_name(kind), data, now_ns, stamp_ns(stamp)))

    def _on_start(self, request: StartEpisode.Request, response: StartEpisode.Response) -> StartEpisode.Response:
        try:
            if request.task and request.task != self._recorder.task:
                raise VitalError(
                    ErrorCode.BAD_PARAMETER, f"this session is of {self._recorder.task}, not of {request.task}"
                )
            clocks = {"ros_ns": self.get_clock().now().nanoseconds, "steady_ns": time.monotonic_ns()}
            who = {"operator": request.operator_name, "device": request.device, "seed": int(request.seed)}
            response.episode = self._recorder.start({**self._constant, **who, "clocks": clocks})
            response.success, response.message = True, f"episode {response.episode}"
            self._message, self._code = "", ErrorCode.OK
        except VitalError as error:
            response.error_code, response.message = int(error.code), error.message
            self._refused(error)
        return response

    def _on_finish(self, request: FinishEpisode.Request, response: FinishEpisode.Response) -> FinishEpisode.Response:
        try:
            done = self._recorder.finish(OUTCOMES.get(request.outcome, str(request.outcome)), request.note)
            response.success, response.episode, response.frames = True, done.index, done.frames
            response.faults = list(done.faults)
            response.message = f"episode {done.index}: {done.frames} images, {done.duration_s:.1f} s"
        except VitalError as error:
            response.error_code, response.message = int(error.code), error.message
            self._refused(error)
        self._tell()
        return response

    def _refused(self, error: VitalError) -> None:
        self._message, self._code = error.message, error.code
        self.get_logger().error(str(error))

    def _tell(self) -> None:
        now = self.get_clock().now().to_msg()
        self._state.publish(state_message(self._recorder, self._code, self._message, now))

    def _health(self) -> Health:
        recorder = self._recorder
        values = {
            "episodes_saved": recorder.saved,
            "dropped": recorder.dropped,
            "longest_wait_ms": 1000 * recorder.longest_wait_s,
        }
        if recorder.failure is not None:
            raise VitalError(ErrorCode.DISK_FULL, f"cannot write: {recorder.failure}")
        return Health(ERROR if self._code is not ErrorCode.OK else OK, self._message or "ready", values)

    def on_exit(self) -> None:
        """Leave the open episode for `repair`: nobody has said how it went."""
        self._recorder.close()


def main(args: list[str] | None = None) -> None:
    """Record until SIGINT or SIGTERM."""
    exit_with(run_node(RecorderNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
