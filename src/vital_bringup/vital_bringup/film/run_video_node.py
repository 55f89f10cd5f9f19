"""Films a run: the scene and the wrist camera side by side, with sentence, phase, touch and result below."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from vital_bringup.film.frame import SIZE_PX, Shown, frame_of
from vital_bringup.film.video_file import VideoFile
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError, shortened
from vital_interfaces.action import RunTask
from vital_interfaces.msg import GateState, TactileArray, TrialReport
from vital_ros import image_message
from vital_ros.boundary import subscribe
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.message_check import known_gate_state, whole_tactile
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import LATCHED, NEWEST, as_offered

RATE_HZ = 10
SCENES = {"camera": "/camera/camera/color/image_raw", "show": "/sim/show/image_raw"}
MODES = ("idle", "moving", "holding", "stopped")


@dataclass(frozen=True)
class VideoParameters:
    """Where the video goes, and what it shows."""

    directory: Annotated[str, Meta(description="folder of run.mp4; made where there is none")] = ""

    view: Annotated[
        Literal["camera", "show"],
        Meta(description="the scene camera's, or with a simulator a picture for people: meshes, a table, shadows"),
    ] = "camera"


class RunVideo(Node):
    """Writes `<directory>/run.mp4` at `RATE_HZ` from the first moment at which both cameras show something."""

    def __init__(self) -> None:
        super().__init__("run_video")
        given = declare(self, VideoParameters)
        self._scene, directory = SCENES[given.view], Path(given.directory)
        if not directory.name:
            raise VitalError(ErrorCode.BAD_PARAMETER, "directory is empty, expected a folder for the video")
        directory.mkdir(parents=True, exist_ok=True)
        self._file = VideoFile(directory / "run.mp4", SIZE_PX, RATE_HZ)
        self.shown = Shown()
        self._scene_camera: Subscription | None = None
        subscribe(self, Image, "/wrist_camera/image_raw", self._on_wrist, NEWEST, read=rgb_image)
        subscribe(self, GateState, "/vital/gate_state", self._on_gate, LATCHED, read=known_gate_state)
        subscribe(self, RunTask.Impl.FeedbackMessage, "/vital/run_task/_action/feedback", self._on_phase, 1)
        subscribe(self, TrialReport, "/vital/trial_report", self._on_report, LATCHED)
        subscribe(self, TactileArray, "/anyskin/tactile", self._on_touch, NEWEST, read=whole_tactile)
        self.create_timer(1.0 / RATE_HZ, self._write)
        self._diagnostics = Diagnostics(self, self._health)

    def _find_scene_camera(self) -> None:
        if self._scene_camera is None and self.count_publishers(self._scene) > 0:
            qos = as_offered(self, self._scene)
            self._scene_camera = subscribe(self, Image, self._scene, self._on_scene, qos, read=rgb_image)

    def _on_scene(self, image: NDArray[np.uint8]) -> None:
        self.shown.scene = image

    def _on_wrist(self, image: NDArray[np.uint8]) -> None:
        self.shown.wrist = image

    def _on_gate(self, message: GateState) -> None:
        reason = message.stop_reason or message.hold_reason
        self.shown.arm = shortened(f"{message.owner or 'nobody'}: {MODES[message.mode]} {reason}", 120)
        self.shown.tactile_limit_ut = message.tactile_limit_ut

    def _on_phase(self, message: Any) -> None:
        feedback, shown = message.feedback, self.shown
        shown.phase, shown.success, shown.outcome = shortened(feedback.phase, 20), None, ""
        shown.sentence = shortened(feedback.message, 200) or shown.sentence

    def _on_report(self, message: TrialReport) -> None:
        shown = self.shown
        shown.sentence, shown.phase, shown.success = shortened(message.prompt, 200), message.phase, message.success
        ended = "success" if message.success else shortened(message.message, 120) or "failure"
        shown.outcome = f"{ended} after {message.duration_s:.1f} s"

    def _on_touch(self, message: TactileArray) -> None:
        if len(message.baseline_ut):
            change = np.asarray(message.field_ut) - np.asarray(message.baseline_ut)
            self.shown.touch.append((steady_s(), float(np.abs(change).max())))

    def _write(self) -> None:
        self._find_scene_camera()
        if self.shown.complete:
            self._file.append(frame_of(self.shown, steady_s()))

    def _health(self) -> Health:
        figures = {"images": self._file.written}
        return Health(OK, "filming", figures) if self._file.written else Health(WARN, "waits for both cameras", figures)

    def on_exit(self) -> None:
        """Finish the file."""
        self._file.close()


def rgb_image(message: Image) -> NDArray[np.uint8]:
    """(H, W, 3) of an rgb8 image."""
    return image_message.from_message(message, "rgb8")


def main() -> None:
    """Entry point."""
    exit_with(run_node(RunVideo))
