"""A folder of calibration images with the arm's joints at each, and what is found from it.

camera.json      the lens: matrix, model, distortion, the frame of the camera, and when the recording began
poses.json       [{picture: pose_000.png, joints_rad: [7 numbers]}, ...]
pose_000.png ...
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import BASE_FRAME, TCP_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.date_text import Date, moment_of, now
from vital_core.files.image_file import read_image
from vital_core.files.safe_file import write_bytes, write_json
from vital_core.files.schema import Finite, Name, Source, Vector3
from vital_core.pose import Pose
from vital_perception.calibration.board import Board, Lens
from vital_perception.calibration.hand_eye import HandEye, solve

JSON_BYTES = 10_000_000
AGAIN = "record with `calibrate_scene_camera record`"
Angle = Annotated[float, Meta(ge=-10.0, le=10.0)]
Kind = TypeVar("Kind")
LENS_FILE, POSES_FILE = "camera.json", "poses.json"
# Where a camera is mounted decides which equation holds.
PARENTS = {"scene": BASE_FRAME, "wrist": TCP_FRAME}


@dataclass(frozen=True)
class LensFile:
    """`camera.json`: frame of the camera, lens as in sensor_msgs/CameraInfo, when the recording began (ISO 8601)."""

    frame: Name
    matrix: tuple[Vector3, Vector3, Vector3]
    model: Name
    distortion: Annotated[tuple[Finite, ...], Meta(max_length=14)]
    recorded_at: Date | None = None

    def __post_init__(self) -> None:
        if self.recorded_at is not None:
            moment_of(self.recorded_at)


@dataclass(frozen=True)
class PoseRow:
    """One of `poses.json`: an image of the folder and the joints at its time, rad."""

    picture: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+\.png$", max_length=100)]
    joints_rad: tuple[Angle, Angle, Angle, Angle, Angle, Angle, Angle]


@dataclass(frozen=True)
class Found:
    """What was found: pose of ``child`` in ``parent``, and in which images the board was not seen.

    recorded_at: when the images were begun, as ISO 8601; None: the folder does not say.
    """

    parent: str
    child: str
    hand_eye: HandEye
    images: tuple[str, ...]
    without_board: tuple[str, ...]
    recorded_at: str | None = None

    def notes(self) -> dict[str, float | int | str]:
        """For the calibration file."""
        measured = {} if self.recorded_at is None else {"measured_at": self.recorded_at}
        return {
            "residual_mm": round(1000 * self.hand_eye.rms_m, 2),
            "uncertainty_mm": round(1000 * self.hand_eye.uncertainty_m, 2),
            "poses": len(self.images),
            **measured,
        }


class CalibrationFolder:
    """Writes and reads the folder. An image is in poses.json only once it is whole on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, lens: Lens, frame: str) -> None:
        """Say what camera this is."""
        value = {
            "frame": frame,
            "matrix": lens.matrix.tolist(),
            "model": lens.model,
            "distortion": lens.distortion.tolist(),
            "recorded_at": now().isoformat(timespec="seconds"),
        }
        write_json(self.folder / LENS_FILE, value)
        write_json(self.folder / POSES_FILE, [])

    def add(self, image: NDArray[np.uint8], joints_rad: Sequence[float]) -> str:
        """Keep an RGB image and the joints (7,) at its time; returns its name."""
        poses = [asdict(row) for row in self._read(POSES_FILE, tuple[PoseRow, ...])]
        name = f"pose_{len(poses):03d}.png"
        whole, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if not whole:
            raise VitalError(ErrorCode.INTERNAL, f"image of shape {image.shape} cannot be written as PNG")
        write_bytes(self.folder / name, data.tobytes())
        write_json(self.folder / POSES_FILE, [*poses, {"picture": name, "joints_rad": [float(q) for q in joints_rad]}])
        return name

    def recorded_at(self) -> str | None:
        """When the recording began, as ISO 8601; None where that was not kept."""
        return self._read(LENS_FILE, LensFile).recorded_at

    def lens(self) -> tuple[Lens, str]:
        """The lens and the camera's frame."""
        value = self._read(LENS_FILE, LensFile)
        try:
            return Lens(np.array(value.matrix), value.model, np.array(value.distortion)), value.frame
        except ValueError as error:
            raise self._broken(LENS_FILE, str(error)) from error

    def poses(self) -> list[tuple[str, Pose]]:
        """(image, pose of the TCP in the base) of each."""
        rows = self._read(POSES_FILE, tuple[PoseRow, ...])
        return [(row.picture, kinematics.forward(np.array(row.joints_rad))) for row in rows]

    def image(self, name: str) -> NDArray[np.uint8]:
        """(H, W) uint8."""
        return read_image(self.folder / name, cv2.IMREAD_GRAYSCALE, self._source(name))

    def _read(self, name: str, kind: type[Kind]) -> Kind:
        try:
            text = safe_file.read_bytes(self.folder / name, JSON_BYTES)
        except OSError as error:
            raise self._broken(name, str(error)) from error
        return schema.from_json(text, kind, self._source(name))

    def _source(self, name: str) -> Source:
        return Source(str(self.folder / name), ErrorCode.NO_CALIBRATION, AGAIN)

    def _broken(self, name: str, why: str) -> VitalError:
        return self._source(name).refuse(f"cannot be used ({why})")


def find_camera(folder: CalibrationFolder, board: Board, mount: str) -> Found:
    """Where the camera is. mount: 'scene' (fixed to the base, board in the gripper) or 'wrist' (on the TCP, board
    fixed). Raises VitalError(NO_CALIBRATION)."""
    lens, child = folder.lens()
    seen, missed = [], []
    for name, t_base_tcp in folder.poses():
        t_camera_board = board.find(folder.image(name), lens)
        if t_camera_board is None:
            missed.append(name)
        else:
            seen.append((name, t_base_tcp, t_camera_board))
    arm = [pose_of.inverse(pose) if mount == "wrist" else pose for _, pose, _ in seen]
    result = solve(arm, [pose for _, _, pose in seen])
    images = tuple(name for name, _, _ in seen)
    return Found(PARENTS[mount], child, result, images, tuple(missed), folder.recorded_at())
