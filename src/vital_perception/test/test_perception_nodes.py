"""The nodes in processes of their own, over real topics: a sensor on a pseudo-terminal, a camera from images."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, JointState
from waiting import wait_until

from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode
from vital_interfaces.msg import TactileArray
from vital_interfaces.srv import TakeBaseline
from vital_perception.anyskin.anyskin_protocol import encode
from vital_perception.calibration.board import Board
from vital_perception.calibration.calibration_session import CalibrationFolder

Start = Callable[..., subprocess.Popen]


class Listener(Node):
    """Keeps what the nodes say."""

    def __init__(self, context: rclpy.Context) -> None:
        super().__init__("listener", context=context)
        self.tactile: list[tuple[TactileArray, float]] = []
        self.images: list[Image] = []
        self.infos: list[CameraInfo] = []
        self.health: dict[str, DiagnosticStatus] = {}
        self.create_subscription(TactileArray, "/anyskin/tactile", self._on_tactile, qos_profile_sensor_data)
        self.create_subscription(Image, "/wrist_camera/image_raw", self.images.append, qos_profile_sensor_data)
        self.create_subscription(CameraInfo, "/wrist_camera/camera_info", self.infos.append, qos_profile_sensor_data)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_health, 10)
        self.baseline = self.create_client(TakeBaseline, "/anyskin/take_baseline")

    def _on_tactile(self, message: TactileArray) -> None:
        self.tactile.append(
            (message, (self.get_clock().now() - Time.from_msg(message.header.stamp)).nanoseconds * 1e-9)
        )

    def _on_health(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.health[status.name] = status

    def figure(self, node: str, key: str) -> float:
        """A number out of a node's diagnostics; -1 before there are any."""
        values = {v.key: v.value for v in self.health[node].values} if node in self.health else {}
        return float(values.get(key, -1))


@pytest.fixture
def listener(domain: int) -> Iterator[Listener]:
    """Spinning in a thread."""
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    context = rclpy.Context()
    context.init(domain_id=domain)
    node = Listener(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin() -> None:
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    yield node
    context.try_shutdown()
    thread.join(5.0)
    node.destroy_node()


@pytest.fixture
def start(domain: int) -> Iterator[Start]:
    """Starts `python -m vital_perception.<module>` with parameters; each must end cleanly on SIGINT."""
    processes: list[subprocess.Popen] = []

    def begin(module: str, *arguments: str, **parameters: object) -> subprocess.Popen:
        ros = [a for k, v in parameters.items() for a in ("-p", f"{k}:={v}")]
        command = [sys.executable, "-m", f"vital_perception.{module}", *arguments]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        process = subprocess.Popen(
            command + (["--ros-args", *ros] if ros else []),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in processes:
        _, errors = process.communicate(timeout=15)
        assert process.returncode in (0, 2), errors


def test_tactile_node_from_the_first_reading_over_baselines_and_a_pulled_plug(
    sensor, reading, listener: Listener, start: Start
):
    """One story through one process, as in a laboratory."""
    start("anyskin.anyskin_node", port=sensor.path, axes="[-1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]")
    wait_until(lambda: len(listener.tactile) > 100)
    message, _ = listener.tactile[-1]
    assert message.header.frame_id == "link_tcp" and message.magnetometers == 5 and list(message.valid) == [True] * 5
    expected = reading(np.random.default_rng(1))[1].ravel()
    expected[0] = -expected[0]
    np.testing.assert_allclose(message.field_ut, expected, atol=15.0)
    assert message.baseline_id == 0 and len(message.baseline_ut) == 0
    # A frame of 82 bytes is 7.1 ms on the wire: so old at least is every reading.
    assert 0.007 < np.median([age for _, age in listener.tactile[-50:]]) < 0.05
    wait_until(lambda: listener.figure("/anyskin", "rate_hz") > 100)

    def baseline(samples: int = 0) -> TakeBaseline.Response:
        future = listener.baseline.call_async(TakeBaseline.Request(samples=samples))
        wait_until(future.done)
        return future.result()

    answer = baseline(10)
    assert answer.success and answer.baseline_id == 1, answer.message
    np.testing.assert_allclose(answer.baseline_ut, expected, atol=10.0)
    wait_until(lambda: listener.tactile[-1][0].baseline_id == 1)
    assert list(listener.tactile[-1][0].baseline_ut) == list(answer.baseline_ut)

    rng, phase = np.random.default_rng(5), iter(range(10**9))
    at_rest = sensor.make
    sensor.make = lambda: encode(*reading(rng, offset_ut=300 * np.sin(next(phase) / 8)))
    answer = baseline()
    assert not answer.success and answer.error_code == ErrorCode.SENSOR_FAULT and "move by" in answer.message
    assert answer.baseline_id == 1
    sensor.make = at_rest

    sensor.unplug()
    wait_until(lambda: "no device" in listener.health["/anyskin"].message)
    assert listener.health["/anyskin"].level == DiagnosticStatus.ERROR
    answer = baseline()
    assert not answer.success and answer.error_code == ErrorCode.DEVICE_LOST
    sensor.plug_in()
    before = len(listener.tactile)
    wait_until(lambda: len(listener.tactile) > before + 50)
    assert listener.tactile[-1][0].baseline_id == 1
    wait_until(lambda: listener.figure("/anyskin", "connections") == 2)


@pytest.mark.parametrize(
    ("module", "parameters", "words"),
    [
        ("anyskin.anyskin_node", {"rotation": "[1.0, 0.0]"}, "rotation matrix"),
        ("anyskin.anyskin_node", {"saturation_ut": "-5.0"}, "saturation_ut"),
        ("anyskin.anyskin_node", {"baud": "fast"}, "baud"),
        ("wrist_camera.wrist_camera_node", {"window_size": "100"}, "window_size"),
        ("wrist_camera.wrist_camera_node", {"pixel_format": "JPEG2000"}, "four letters"),
    ],
)
def test_parameters_that_will_not_do_end_the_node_in_a_sentence(start: Start, module, parameters, words):
    process = start(module, **parameters)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2 and "BAD_PARAMETER 11" in errors and words in errors and "Traceback" not in errors


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of 20 images of 320x240: noise, left half red."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(20):
        picture = rng.integers(40, 60, (240, 320, 3), dtype=np.uint8)
        picture[:, :160, 2] += 150
        cv2.imwrite(str(folder / f"{i:02d}.png"), picture)
    return folder


def test_wrist_camera_publishes_the_window_with_its_lens(pictures: Path, listener: Listener, start: Start):
    lens = {"fx": 200.0, "fy": 200.0, "cx": 159.5, "cy": 119.5}
    start("wrist_camera.wrist_camera_node", device=pictures, width=320, height=240, **lens)
    wait_until(lambda: len(listener.images) > 45 and len(listener.infos) > 45)
    image, info = listener.images[-1], listener.infos[-1]
    assert (image.width, image.height, image.encoding) == (128, 128, "rgb8")
    assert image.header.frame_id == info.header.frame_id == "wrist_camera_optical_frame"
    pixels = np.frombuffer(image.data, np.uint8).reshape(128, 128, 3)
    assert pixels[:, 5, 0].mean() > 180 and pixels[:, -5, 0].mean() < 70
    assert info.distortion_model == "equidistant" and (info.width, info.height) == (128, 128)
    np.testing.assert_allclose(
        np.reshape(info.k, (3, 3)), [[200 * 128 / 240, 0, 63.5], [0, 200 * 128 / 240, 63.5], [0, 0, 1]]
    )
    stamps = [Time.from_msg(i.header.stamp).nanoseconds * 1e-9 for i in listener.images[-40:]]
    assert np.median(np.diff(stamps)) == pytest.approx(1 / 30, rel=0.3)
    wait_until(lambda: "/wrist_camera" in listener.health)


def test_camera_that_hangs_is_silenced_and_said_to_hang(tmp_path, listener: Listener, start: Start):
    cv2.imwrite(str(tmp_path / "same.png"), np.full((240, 320, 3), 90, np.uint8))
    start("wrist_camera.wrist_camera_node", device=tmp_path, width=320, height=240)
    wait_until(lambda: "camera hangs" in getattr(listener.health.get("/wrist_camera"), "message", ""))
    assert len(listener.images) <= 5 and listener.health["/wrist_camera"].level == DiagnosticStatus.ERROR


def test_camera_that_is_missing_is_waited_for(tmp_path, pictures, listener: Listener, start: Start):
    later = tmp_path / "later.avi"
    start("wrist_camera.wrist_camera_node", device=later, width=320, height=240)
    wait_until(lambda: "no wrist camera" in getattr(listener.health.get("/wrist_camera"), "message", ""))
    writer = cv2.VideoWriter(str(tmp_path / "aside.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (320, 240))
    for file in sorted(pictures.iterdir()):
        writer.write(cv2.imread(str(file)))
    writer.release()
    (tmp_path / "aside.avi").rename(later)
    wait_until(lambda: len(listener.images) > 5)


def test_calibration_recorder_keeps_a_image_of_each_rest(tmp_path, listener: Listener, start: Start):
    """An arm and a camera as topics; the board is moved between two rests."""
    process = start("calibration.calibrate_scene_camera", "record", str(tmp_path / "session"))
    colour = listener.create_publisher(Image, "/camera/camera/color/image_raw", 1)
    lens = listener.create_publisher(CameraInfo, "/camera/camera/color/camera_info", 1)
    joints = listener.create_publisher(JointState, "/joint_states", 1)
    printed = cv2.copyMakeBorder(Board().image(80), 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255)
    rgb = np.repeat(printed[..., None], 3, axis=2)
    height, width = printed.shape
    image = Image(encoding="rgb8", height=height, width=width, step=3 * width)
    image.data.frombytes(rgb.tobytes())
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.header.frame_id = "camera_color_optical_frame"
    info.k = [700.0, 0.0, width / 2, 0.0, 700.0, height / 2, 0.0, 0.0, 1.0]
    at = np.array(HOME_RAD)

    def kept(count: int) -> bool:
        lens.publish(info)
        joints.publish(JointState(name=list(JOINT_NAMES), position=at.tolist()))
        colour.publish(image)
        poses = tmp_path / "session" / "poses.json"
        return poses.exists() and len(CalibrationFolder(poses.parent).poses()) >= count

    wait_until(lambda: kept(1))
    at = at + 0.2
    wait_until(lambda: kept(2))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=15)
    assert process.returncode == 0 and "pose 2 kept" in out, errors
    session = CalibrationFolder(tmp_path / "session")
    assert session.lens()[1] == "camera_color_optical_frame" and len(session.poses()) == 2
