"""All that stands around policy, replay and learner, played by a test: sensors, arm, gate and labeller."""

import array
import contextlib
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import rclpy
from action_client import SteadyActionClient
from diagnostic_msgs.msg import DiagnosticArray
from fake_gate import FakeGate
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import Image, JointState
from slide import Slide
from waiting import answer_of, wait_until

from vital_core import pose as pose_of
from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.arm.kinematics import forward
from vital_core.arm.xarm7 import JOINT_NAMES
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import (
    EndEffectorDelta,
    LearnerState,
    ReplayState,
    ResidualWeights,
    TactileArray,
)
from vital_interfaces.srv import (
    AppendStep,
    CloseEpisode,
    LabelEpisode,
    OpenEpisode,
    ReadReplay,
    TakeBaseline,
)
from vital_rl.replay.step import ReplayStep, to_record
from vital_ros.qos import LATCHED, NEWEST

HOME = np.array([0.0, -0.3, 0.0, 0.9, 0.0, 1.2, 0.0])
SERVICES = {
    "open": (OpenEpisode, "/vital/replay/open"),
    "append": (AppendStep, "/vital/replay/append"),
    "close": (CloseEpisode, "/vital/replay/close"),
    "read": (ReadReplay, "/vital/replay/read"),
    "label": (LabelEpisode, "/vital/label_episode"),
}


class Rig(Node):
    """The slide as robot: every command moves it at once; what it shows is published all the time."""

    def __init__(self, context: Context) -> None:
        super().__init__("rig", context=context)
        self.env, self.over, self.commands = Slide(), False, 0
        self.stale, self._stepped_ns = False, 0
        self.seen, self.info = self.env.reset(seed=0)
        self.joints, self.joints_said, self.follows = HOME.copy(), True, True
        self.replay: ReplayState | None = None
        self.learner: LearnerState | None = None
        self.weights: list[ResidualWeights] = []
        self.policy_figures: dict[str, str] = {}
        self._image = self.create_publisher(Image, "/wrist_camera/image_raw", NEWEST)
        self._foreground = self.create_publisher(Image, "/sim/wrist_foreground", NEWEST)
        self._tactile = self.create_publisher(TactileArray, "/anyskin/tactile", NEWEST)
        self._joints = self.create_publisher(JointState, "/joint_states", NEWEST)
        self.send_weights = self.create_publisher(ResidualWeights, "/vital/residual_weights", LATCHED).publish
        self.gate = FakeGate(self)
        self.create_service(TakeBaseline, "/anyskin/take_baseline", self._on_baseline)
        self.create_subscription(EndEffectorDelta, "/vital/command", self._on_command, 10)
        self.create_subscription(ReplayState, "/vital/replay_state", self._keep("replay"), LATCHED)
        self.create_subscription(LearnerState, "/vital/learner_state", self._keep("learner"), 10)
        self.create_subscription(ResidualWeights, "/vital/residual_weights", self.weights.append, LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.create_timer(1 / 30, self._show)
        self.client = SteadyActionClient(self, RunPolicy, "/vital/run_policy")
        self._services_asked = {name: self.create_client(kind, topic) for name, (kind, topic) in SERVICES.items()}

    def _keep(self, name):
        return lambda message: setattr(self, name, message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("policy_node"):
                self.policy_figures = {value.key: value.value for value in status.values}

    def wait_for_policy(self, refused: int = 0) -> None:
        """Until the policy node stands, has heard weights that fit and refused so many that do not."""
        assert self.client.wait_for_server(timeout_sec=40.0), "the policy node did not come up"

        def heard() -> bool:
            figures = self.policy_figures
            return figures.get("weights_age_s", "nan") != "nan" and figures.get("weights_refused") == str(refused)

        wait_until(heard, "weights at the policy")

    def place(self, seed: int) -> None:
        """A new episode of the slide."""
        self.seen, self.info = self.env.reset(seed=seed)
        self.over, self.commands, self.stale = False, 0, False
        self.joints = HOME.copy()

    def _on_baseline(self, _request, response):
        response.success, response.baseline_id = True, 1
        return response

    def _on_command(self, message: EndEffectorDelta) -> None:
        t, r = message.translation_m, message.rotation_rad
        self.commands += 1
        # A machine that stalls may let a tick see what was there before the last command.
        self.stale |= Time.from_msg(message.header.stamp).nanoseconds < self._stepped_ns
        self._stepped_ns = self.get_clock().now().nanoseconds
        if not self.over:
            self.seen, _, terminated, truncated, self.info = self.env.step([t.x, t.y, t.z, r.x, r.y, r.z, 1.0])
            self.over = terminated or truncated
        if self.follows:
            moved = pose_of.from_vector(np.array([t.x, t.y, t.z]), np.array([r.x, r.y, r.z]))
            way = joint_waypoints(self.joints, forward(self.joints) @ moved, 4)
            assert way is not None, f"{moved} from {self.joints}"
            self.joints = way[-1]
        self._show()

    def _show(self) -> None:
        stamp = self.get_clock().now().to_msg()
        image = Image(encoding="rgb8", height=128, width=128, step=384)
        image.data = array.array("B", self.seen["image"].tobytes())
        shown = Image(encoding="mono8", height=128, width=128, step=128)
        shown.data = array.array("B", (255 * np.unpackbits(self.info["foreground"], axis=-1)).tobytes())
        tactile = TactileArray(magnetometers=5, valid=[True] * 5, baseline_ut=[0.0] * 15, baseline_id=1)
        tactile.field_ut = self.seen["tactile"]
        joints = JointState(name=list(JOINT_NAMES), position=self.joints.tolist())
        messages = (
            (self._foreground, shown),
            (self._image, image),
            (self._tactile, tactile),
            *[(self._joints, joints)] * self.joints_said,
        )
        for publisher, message in messages:
            message.header.stamp = stamp
            publisher.publish(message)

    def goal(self, **goal):
        """Send a goal; its handle."""
        assert self.client.wait_for_server(timeout_sec=40.0), "the policy node did not come up"
        asked = RunPolicy.Goal(task="usb_insertion", learn=True, duration_s=30.0, **goal)
        return answer_of(self.client.send_goal_async(asked))

    def result(self, handle):
        """Wait for a goal's result."""
        return answer_of(handle.get_result_async()).result

    def play(self, seed: int):
        """One episode of the slide through the policy node; the action's result."""
        self.place(seed)
        handle = self.goal(seed=seed)
        wait_until(lambda: self.over, "the end of the slide")
        answer_of(handle.cancel_goal_async())
        return self.result(handle)

    def ask(self, name: str, **request):
        """Call one of the replay's services."""
        client = self._services_asked[name]
        assert client.wait_for_service(timeout_sec=40.0), f"nobody serves {name}"
        return answer_of(client.call_async(SERVICES[name][0].Request(**request)))


def request_of(episode: int, index: int, step: ReplayStep) -> dict[str, array.array]:
    """Fields of the request that appends a step."""
    return {"record": array.array("B", to_record(episode, index, step))}


def noisy_step(number: int, rows: int = 64):
    """A step whose numbers follow from ``number``; so many rows of its image compress badly."""
    rng = np.random.default_rng(number)
    numbers = [rng.normal(size=n).astype(np.float32) for n in (15, 7, 7, 7)]
    image = np.zeros((128, 128, 3), np.uint8)
    image[:rows] = rng.integers(0, 255, (rows, 128, 3), dtype=np.uint8)
    return ReplayStep(image, *numbers)


@contextlib.contextmanager
def rig(domain: int):
    """A rig that is spun in the background."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node, executor = Rig(context), SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        executor.shutdown()
        thread.join(5.0)
        node.destroy_node()
        context.try_shutdown()


class Processes:
    """Nodes in processes of their own, by the name of their module."""

    def __init__(self, log) -> None:
        self._log, self._running = log, {}

    def start(self, module: str, *parameters: str, **options) -> subprocess.Popen:
        """Start a node."""
        arguments = [item for p in parameters for item in ("-p", p)]
        with open(self._log, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "--ros-args", *arguments], stderr=log, env=dict(os.environ), **options
            )
        self._running[module] = process
        return process

    def kill(self, module: str) -> None:
        """As a power cut."""
        self._running[module].send_signal(signal.SIGKILL)
        self._running[module].wait(10.0)

    def said(self) -> str:
        """Everything on their standard error."""
        return self._log.read_text()

    def end(self) -> None:
        """Ask each to stop; none is left."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15.0)
            process.kill()
