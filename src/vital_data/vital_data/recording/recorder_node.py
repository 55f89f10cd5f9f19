"""Records demonstrations: `/vital/record/start` and `/vital/record/finish`, every topic that a training set needs.

A process of its own; messages are taken as the bytes that came, and written by a thread, so that nothing waits for
the disk.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from msgspec import Meta
from numpy.typing import NDArray
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import BASE_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.pose import Pose
from vital_core.task import load_task
from vital_data.files.episode_writer import Message
from vital_data.recording.recorder import Recorder
from vital_data.recording.versions import software_versions
from vital_interfaces.msg import (
    EndEffectorDelta,
    GateState,
    RecordingState,
    StreamStatus,
    TactileArray,
    TeleopState,
)
from vital_interfaces.srv import FinishEpisode, StartEpisode
from vital_ros.boundary import serve, subscribe
from vital_ros.diagnostics import ERROR, OK, Diagnostics, Health
from vital_ros.message_check import FARTHEST_M, joint_positions, refusal, sound, stamp_ns, within
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node

STATE_PERIOD_S = 0.2
LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
JOINTS, COMMAND, POSE, TARGET = "/joint_states", "/vital/command", "/vital/tcp_pose", "/vital/tcp_target"
TOPICS: tuple[tuple[str, type, QoSProfile], ...] = (
    ("/wrist_camera/image_raw", Image, qos_profile_sensor_data),
    ("/anyskin/tactile", TactileArray, qos_profile_sensor_data),
    (JOINTS, JointState, qos_profile_sensor_data),
    (COMMAND, EndEffectorDelta, RELIABLE),
    ("/vital/gate_state", GateState, LATCHED),
    ("/vital/teleop_state", TeleopState, RELIABLE),
    ("/vital/tcp_intended", PoseStamped, RELIABLE),
    ("/sim/wrist_foreground", Image, qos_profile_sensor_data),
)
OUTCOMES = {
    FinishEpisode.Request.SUCCESS: "success",
    FinishEpisode.Request.FAILURE: "failure",
    FinishEpisode.Request.REDO: "redo",
}


def kind_of(message: type) -> str:
    """package/msg/Type of a message class."""
    return f"{message.__module__.split('.')[0]}/msg/{message.__name__}"


def whole_message(data: bytes, kind: type) -> Any:
    """The message in the bytes that came. Raises VitalError(BAD_MESSAGE) when there is none."""
    try:
        return deserialize_message(data, kind)
    except RuntimeError as error:
        raise refusal(f"{len(data)} bytes came that are no {kind.__name__}, expected a whole message") from error


def delta_of(message: EndEffectorDelta) -> Pose:
    """A command's target in the measured TCP frame."""
    t, r = message.translation_m, message.rotation_rad
    return pose_of.from_vector(
        within("translation, m,", (t.x, t.y, t.z), FARTHEST_M), within("rotation, rad,", (r.x, r.y, r.z), 2 * np.pi)
    )


@dataclass(frozen=True)
class RecorderParameters:
    """What is recorded, and where."""

    task: Annotated[str, Meta(description="the task that is demonstrated")] = "usb_insertion"
    session: Annotated[str, Meta(description="folder of the session; empty: recordings/<task>")] = ""
    min_free_mb: Annotated[int, Meta(ge=1, le=10**9, description="free space below which none is begun, MB")] = 200
    calibration_file: Annotated[str, Meta(description="cameras' calibration, kept with the session")] = ""


class RecorderNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("recorder")
        given = declare(self, RecorderParameters)
        task = load_task(given.task).name
        folder = given.session or f"recordings/{task}"
        versions = software_versions()
        description = {"versions": versions, "calibration": _text_of(given.calibration_file)}
        self._recorder = Recorder(Path(folder), task, description, min_free_bytes=1_000_000 * given.min_free_mb)
        self._constant = {"versions": versions}
        self._t_base_tcp: Pose | None = None
        self._message, self._code = "", ErrorCode.OK
        for repaired in self._recorder.repaired:
            self.get_logger().warning(
                f"episode {repaired.index} had been interrupted: {repaired.frames} images of it were had back and "
                f"are kept out of training; the damaged file is {repaired.kept.name}"
            )
        self._state = self.create_publisher(RecordingState, "/vital/recording_state", 5)
        self._derived: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]] = {
            JOINTS: (joint_positions, self._derive_pose),
            COMMAND: (delta_of, self._derive_target),
        }
        for topic, kind, qos in TOPICS:
            self._listen(topic, kind, qos)
        serve(self, StartEpisode, "/vital/record/start", self._on_start)
        serve(self, FinishEpisode, "/vital/record/finish", self._on_finish)
        self.create_timer(STATE_PERIOD_S, self._tell)
        self._diagnostics = Diagnostics(self, self._health)
        self.get_logger().info(f"session {self._recorder.folder}, {self._recorder.saved} demonstrations so far")

    def _listen(self, topic: str, kind: type, qos: QoSProfile) -> None:
        name = kind_of(kind)
        value_of, derive = self._derived.get(topic, (lambda _: None, lambda _value, _stamp: None))

        def read(data: bytes) -> tuple[bytes, Any, Any]:
            message = whole_message(data, kind)
            sound(message)
            kept = _without_token(bytes(data)) if topic == COMMAND else bytes(data)
            return kept, message.header.stamp, value_of(message)

        def take(whole: tuple[bytes, Any, Any]) -> None:
            data, stamp, value = whole
            self._put(topic, name, data, stamp_ns(stamp))
            if value is not None:
                derive(value, stamp)

        subscribe(self, kind, topic, take, qos, read=read, raw=True)

    def _put(self, topic: str, kind: str, data: bytes, stamp_ns: int) -> None:
        self._recorder.put(Message(topic, kind, data, self.get_clock().now().nanoseconds, stamp_ns))

    def _derive_pose(self, joints_rad: NDArray[np.float64], stamp: Any) -> None:
        """The measured TCP pose, of the same stamp as the joints."""
        self._t_base_tcp = kinematics.forward(joints_rad)
        self._put_pose(POSE, self._t_base_tcp, stamp)

    def _derive_target(self, t_tcp_target: Pose, stamp: Any) -> None:
        """Where a command sends the TCP: its delta from the pose measured when it came, as the gate takes it."""
        if self._t_base_tcp is not None:
            self._put_pose(TARGET, self._t_base_tcp @ t_tcp_target, stamp)

    def _put_pose(self, topic: str, pose: Pose, stamp: Any) -> None:
        if not self._recorder.recording:
            return
        message = PoseStamped(header=Header(frame_id=BASE_FRAME, stamp=stamp))
        p, q = message.pose.position, message.pose.orientation
        p.x, p.y, p.z = map(float, pose[:3, 3])
        q.x, q.y, q.z, q.w = map(float, pose_of.to_quaternion(pose))
        self._put(topic, kind_of(PoseStamped), serialize_message(message), stamp_ns(stamp))

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
        recorder = self._recorder
        state = RecordingState(header=Header(stamp=self.get_clock().now().to_msg()))
        fault = recorder.failure is not None or self._code in (ErrorCode.DISK_FULL, ErrorCode.BAD_RECORDING)
        state.phase = (
            RecordingState.FAULT if fault else RecordingState.RECORDING if recorder.recording else RecordingState.IDLE
        )
        state.session, state.task, state.episode = str(recorder.folder), recorder.task, recorder.episode
        state.episodes_saved, state.duration_s, state.bytes = recorder.saved, recorder.duration_s, recorder.bytes
        state.longest_stall_s, state.error_code = recorder.longest_wait_s, int(self._code)
        state.message, state.faults = self._message, list(recorder.faults)
        if recorder.recording:
            state.streams = [
                StreamStatus(
                    name=r.topic,
                    rate_hz=r.rate_hz,
                    expected_hz=r.expected_hz,
                    received=r.received,
                    dropped=r.dropped,
                    longest_gap_s=r.longest_gap_s,
                )
                for r in recorder.streams()
            ]
        self._state.publish(state)

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


def _text_of(path: str) -> str:
    """The calibration as it was, word for word; empty without one."""
    if not path:
        return ""
    try:
        return safe_file.read_bytes(Path(path), schema.YAML_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise VitalError(ErrorCode.NO_CALIBRATION, f"calibration {path} cannot be read: {error}") from error


def _without_token(data: bytes) -> bytes:
    """A command as it is recorded: what proves who sent it stays between the owner and the gate."""
    command: EndEffectorDelta = deserialize_message(data, EndEffectorDelta)
    command.token = 0
    return bytes(serialize_message(command))


def main(args: list[str] | None = None) -> None:
    """Record until SIGINT or SIGTERM."""
    exit_with(run_node(RecorderNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
