"""What a monitor hears, made here: arm, pad, cameras, gate and sessions over real DDS; and the monitor itself."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import PointStamped, TransformStamped
from page_client import PageClient
from rclpy.context import Context
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from threaded_action import ThreadedAction

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_interfaces.action import RunTask
from vital_interfaces.msg import GateState, PolicyState, SessionState, TactileArray, TeleopEvent, TrialReport
from vital_interfaces.srv import ClearStop, Stop, TakeBaseline
from vital_ros.image_message import to_message
from vital_ros.long_action import GoalEnd
from vital_ros.qos import IMAGES, LATCHED

OPTICAL = "camera_color_optical_frame"
STOP_NUMBER = 12
COMMAND = [sys.executable, "-m", "vital_monitor.monitor_node", "--ros-args", "-p", "port:=0"]


class MadeUpStack(Node):
    """Says what a running stack says and hears what is asked of it."""

    def __init__(self, context: Context) -> None:
        super().__init__("made_up_stack", context=context)
        self.mode, self.owner, self.peak_ut = GateState.MOVING, "policy", 120.0
        self.stops: list[tuple[float, str]] = []
        self.clears: list[str] = []
        self.cleared_numbers: list[int] = []
        self.baselines = 0
        self.events: list[TeleopEvent] = []
        self._ticks = 0
        sensor = qos_profile_sensor_data
        self.touch = self.create_publisher(TactileArray, "/anyskin/tactile", sensor)
        self.joints = self.create_publisher(JointState, "/joint_states", sensor)
        self.wrist = self.create_publisher(Image, "/wrist_camera/image_raw", sensor)
        self.scene = self.create_publisher(Image, "/camera/camera/color/image_raw", IMAGES)
        self.depth = self.create_publisher(Image, "/camera/camera/aligned_depth_to_color/image_raw", IMAGES)
        self.lens = self.create_publisher(CameraInfo, "/camera/camera/color/camera_info", sensor)
        self.gate = self.create_publisher(GateState, "/vital/gate_state", LATCHED)
        self.policy = self.create_publisher(PolicyState, "/vital/policy_state", 10)
        self.session = self.create_publisher(SessionState, "/vital/session_state", LATCHED)
        self.target = self.create_publisher(PointStamped, "/vital/target", LATCHED)
        self.frames = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        self.create_subscription(TeleopEvent, "/vital/teleop_event", self.events.append, 10)
        self.create_service(Stop, "/vital/stop", self._on_stop)
        self.create_service(ClearStop, "/vital/clear_stop", self._on_clear)
        self.create_service(TakeBaseline, "/anyskin/take_baseline", self._on_baseline)
        self.asked: list[RunTask.Goal] = []
        self.create_timer(0.1, self._say)
        self.create_timer(0.02, self._feel)
        self._place_camera()
        self._run = ThreadedAction(self, RunTask, "/vital/run_task", self._on_run)

    def _on_run(self, handle: Any) -> tuple[GoalEnd, RunTask.Result]:
        self.asked.append(handle.request)
        handle.publish_feedback(RunTask.Feedback(phase="localize", message="looking for it", elapsed_s=0.1))
        deadline_s = time.monotonic() + 30.0
        while not handle.is_cancel_requested and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return GoalEnd.CANCELED, RunTask.Result(report=TrialReport(message="cancelled by the person"))

    def _header(self, frame: str = "link_base") -> Header:
        return Header(stamp=self.get_clock().now().to_msg(), frame_id=frame)

    def _place_camera(self) -> None:
        message = TransformStamped(header=self._header(), child_frame_id=OPTICAL)
        pose = pose_of.from_rpy((0.4, 0.0, 0.9), (np.pi, 0.0, 0.0))
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = map(float, pose[:3, 3])
        r.x, r.y, r.z, r.w = map(float, pose_of.to_quaternion(pose))
        self.frames.publish(TFMessage(transforms=[message]))
        target = PointStamped(header=self._header())
        target.point.x, target.point.z = 0.45, 0.03
        self.target.publish(target)

    def _say(self) -> None:
        self._ticks += 1
        state = GateState(header=self._header(), mode=self.mode, owner=self.owner, tactile_limit_ut=950.0)
        state.stop_number = STOP_NUMBER if self.mode == GateState.LATCHED else 0
        state.joint_state_age_s = state.tactile_age_s = 0.01
        state.workspace_lower_m.x, state.workspace_upper_m.x = 0.3, 0.6
        state.workspace_upper_m.y = state.workspace_upper_m.z = 0.4
        self.gate.publish(state)
        policy = PolicyState(header=self._header(), task="usb_insertion", phase="running", seq=self._ticks)
        policy.commanded, policy.checkpoint_sha256 = True, "ab" * 32
        self.policy.publish(policy)
        for publisher, side in ((self.wrist, (128, 128)), (self.scene, (480, 640))):
            if publisher.get_subscription_count():
                image = np.full((*side, 3), self._ticks % 256, np.uint8)
                publisher.publish(to_message(image, "rgb8", self._header(OPTICAL)))
        if self.depth.get_subscription_count():
            self.depth.publish(to_message(np.full((480, 640), 870, np.uint16), "16UC1", self._header(OPTICAL)))
        k = [600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0]
        self.lens.publish(CameraInfo(header=self._header(OPTICAL), width=640, height=480, k=k))

    def _feel(self) -> None:
        self.feel_once(self.peak_ut)
        self.move_once()

    def feel_once(self, peak_ut: float) -> None:
        """One reading of the pad."""
        field = [1.0] * 15
        field[0] += peak_ut + 5.0 * np.sin(20.0 * time.monotonic())
        message = TactileArray(header=self._header(), magnetometers=5, field_ut=field, valid=[True] * 5)
        message.baseline_ut, message.baseline_id = [1.0] * 15, 1
        self.touch.publish(message)

    def move_once(self) -> None:
        """One state of the joints, a little further than the last."""
        angles = (HOME_RAD + 0.1 * np.sin(time.monotonic())).tolist()
        self.joints.publish(JointState(header=self._header(), name=list(JOINT_NAMES), position=angles))

    def lead(self, phase: int, message: str) -> None:
        """A session of demonstrations tells where it stands."""
        state = SessionState(header=self._header(), phase=phase, task="usb_insertion", message=message)
        state.episodes_wanted = 32
        self.session.publish(state)

    def _on_stop(self, request: Stop.Request, response: Stop.Response) -> Stop.Response:
        self.stops.append((time.monotonic(), request.reason))
        self.mode = GateState.LATCHED
        response.success = True
        return response

    def _on_clear(self, request: ClearStop.Request, response: ClearStop.Response) -> ClearStop.Response:
        self.clears.append(request.operator_name)
        self.cleared_numbers.append(request.stop_number)
        self.mode = GateState.IDLE
        response.success, response.message = True, "cleared"
        return response

    def _on_baseline(self, request: TakeBaseline.Request, response: TakeBaseline.Response) -> TakeBaseline.Response:
        self.baselines += 1
        response.success = True
        return response


class Running:
    """The stack spinning, the monitor in a process of its own, and pages."""

    def __init__(self, folder: Path, *, with_stack: bool = True, more: Sequence[str] = ()) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.stack = MadeUpStack(self.context) if with_stack else None
        self._executor = EventsExecutor(context=self.context)
        if self.stack is not None:
            self._executor.add_node(self.stack)
        self._spinning = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.log = folder / "monitor.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*COMMAND, *more], stdout=log, stderr=log)
        self.port = self._port()
        self._pages: list[PageClient] = []

    def _port(self) -> int:
        deadline_s = time.monotonic() + 180.0
        while "http://127.0.0.1:" not in (text := self.log.read_text()):
            assert self.process.poll() is None and time.monotonic() < deadline_s, text
            time.sleep(0.05)
        return int(text.split("http://127.0.0.1:")[1].split()[0])

    def add_stack(self) -> None:
        """The stack comes up after the monitor."""
        self.stack = MadeUpStack(self.context)
        self._executor.add_node(self.stack)
        self._executor.wake()

    def _spin(self) -> None:
        while self._spinning:
            self._executor.spin_once(timeout_sec=0.1)

    def page(self, **options: Any) -> PageClient:
        """Another page."""
        self._pages.append(PageClient(self.port, **options))
        return self._pages[-1]

    def cpu_s(self) -> float:
        """Processor time of the monitor so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100.0

    def held(self) -> tuple[int, int]:
        """Threads and open files of the monitor."""
        process = Path(f"/proc/{self.process.pid}")
        return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))

    def resident_mb(self) -> float:
        """Memory of the monitor."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024.0

    def until(self, true: Callable[[], Any], timeout_s: float = 20.0) -> None:
        """Wait for something to be so."""
        deadline_s = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline_s and self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.005)

    def close_pages(self) -> None:
        """All of them."""
        while self._pages:
            self._pages.pop().close()

    def close(self) -> None:
        """The monitor first; its exit code must be 0."""
        self.close_pages()
        self.process.terminate()
        code = self.process.wait(20.0)
        self._spinning = False
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=5.0)
        if self.stack is not None:
            self.stack.destroy_node()
        rclpy.shutdown(context=self.context)
        text = self.log.read_text()
        assert code == 0 and "Traceback" not in text, text
