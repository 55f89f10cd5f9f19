"""Films a run: the scene and the wrist camera side by side, with the phase and the touch written in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import av
import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_interfaces.msg import GateState, PolicyState, TactileArray
from vital_ros import image_message
from vital_ros.boundary import subscribe
from vital_ros.diagnostics import OK, Diagnostics, Health
from vital_ros.message_check import known_gate_state, whole_tactile
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import NEWEST, as_offered

RATE_HZ = 10
HEIGHT_PX = 480
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SCENE = "/camera/camera/color/image_raw"


@dataclass(frozen=True)
class VideoParameters:
    """Where the video goes."""

    directory: Annotated[str, Meta(description="folder of run.mp4; made where there is none")] = ""


class RunVideo(Node):
    """Writes `<directory>/run.mp4` at `RATE_HZ` from what the cameras show."""

    def __init__(self) -> None:
        super().__init__("run_video")
        directory = Path(declare(self, VideoParameters).directory)
        if not directory.name:
            raise VitalError(ErrorCode.BAD_PARAMETER, "directory is empty, expected a folder for the video")
        directory.mkdir(parents=True, exist_ok=True)
        self._file = av.open(str(directory / "run.mp4"), "w")
        self._stream = self._file.add_stream("h264", rate=RATE_HZ)
        self._stream.width, self._stream.height = 640 + HEIGHT_PX, HEIGHT_PX
        self._stream.pix_fmt = "yuv420p"
        self._scene = np.zeros((HEIGHT_PX, 640, 3), np.uint8)
        self._wrist = np.zeros((HEIGHT_PX, HEIGHT_PX, 3), np.uint8)
        self._words = {"gate": "", "policy": "", "touch": ""}
        self._scene_camera: Subscription | None = None
        self._written = 0
        subscribe(self, Image, "/wrist_camera/image_raw", self._on_wrist, NEWEST, read=rgb_image)
        subscribe(self, GateState, "/vital/gate_state", self._on_gate, 1, read=known_gate_state)
        subscribe(self, PolicyState, "/vital/policy_state", self._on_policy, 1)
        subscribe(self, TactileArray, "/anyskin/tactile", self._on_touch, NEWEST, read=whole_tactile)
        self.create_timer(1.0 / RATE_HZ, self._write)
        self._diagnostics = Diagnostics(self, lambda: Health(OK, "filming", {"images": self._written}))

    def _find_scene_camera(self) -> None:
        if self._scene_camera is None and self.count_publishers(SCENE) > 0:
            self._scene_camera = subscribe(self, Image, SCENE, self._on_scene, as_offered(self, SCENE), read=rgb_image)

    def _on_scene(self, shown: NDArray[np.uint8]) -> None:
        self._scene = np.asarray(cv2.resize(shown, (640, HEIGHT_PX)), np.uint8)

    def _on_wrist(self, shown: NDArray[np.uint8]) -> None:
        larger = cv2.resize(shown, (HEIGHT_PX, HEIGHT_PX), interpolation=cv2.INTER_NEAREST)
        self._wrist = np.asarray(larger, np.uint8)

    def _on_gate(self, message: GateState) -> None:
        mode = ("idle", "moving", "holding", "stopped")[message.mode]
        self._words["gate"] = shortened(f"{message.owner or 'nobody'}: {mode} {message.stop_reason}", 120)

    def _on_policy(self, message: PolicyState) -> None:
        self._words["policy"] = shortened(f"tick {message.seq}, {1000 * message.inference_s:.0f} ms", 60)

    def _on_touch(self, message: TactileArray) -> None:
        if len(message.baseline_ut):
            change = np.asarray(message.field_ut) - np.asarray(message.baseline_ut)
            self._words["touch"] = f"touch {np.abs(change).max():.0f} uT"

    def _write(self) -> None:
        self._find_scene_camera()
        frame = _with_words(np.concatenate([self._scene, self._wrist], axis=1), list(self._words.values()))
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
            self._file.mux(packet)
        self._written += 1

    def on_exit(self) -> None:
        """Finish the file."""
        for packet in self._stream.encode():
            self._file.mux(packet)
        self._file.close()


def rgb_image(message: Image) -> NDArray[np.uint8]:
    """(H, W, 3) of an rgb8 image."""
    return image_message.from_message(message, "rgb8")


def _with_words(frame: NDArray[np.uint8], lines: list[str]) -> NDArray[np.uint8]:
    """White on a black rim; a thicker stroke for the rim would also be a wider one, letter by letter."""
    frame = np.ascontiguousarray(frame)
    for i, line in enumerate(lines):
        for right, down, colour in (*((x, y, BLACK) for x in (-1, 1) for y in (-1, 1)), (0, 0, WHITE)):
            at = (8 + right, 20 + 20 * i + down)
            cv2.putText(frame, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return frame


def main() -> None:
    """Entry point."""
    exit_with(run_node(RunVideo))
