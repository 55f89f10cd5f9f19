"""A folder of calibration pictures with the arm's joints at each, and what is found from it.

camera.json      the lens: matrix, model, distortion, and the frame of the camera
poses.json       [{picture: pose_000.png, joints_rad: [7 numbers]}, ...]
pose_000.png ...
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import kinematics
from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.safe_file import write_bytes, write_json
from vital_core.xarm7 import BASE_FRAME, JOINT_NAMES, TCP_FRAME
from vital_perception.board import Board, Lens
from vital_perception.hand_eye import HandEye, solve

LENS_FILE, POSES_FILE = "camera.json", "poses.json"
# Where a camera is mounted decides which equation holds.
PARENTS = {"scene": BASE_FRAME, "wrist": TCP_FRAME}


@dataclass(frozen=True)
class Found:
    """What was found: pose of ``child`` in ``parent``, and in which pictures the board was not seen."""

    parent: str
    child: str
    hand_eye: HandEye
    pictures: tuple[str, ...]
    without_board: tuple[str, ...]

    def notes(self) -> dict[str, float | int | str]:
        """For the calibration file."""
        return {
            "residual_mm": round(1000 * self.hand_eye.rms_m, 2),
            "uncertainty_mm": round(1000 * self.hand_eye.uncertainty_m, 2),
            "poses": len(self.pictures),
        }


class CalibrationFolder:
    """Writes and reads the folder. A picture is in poses.json only once it is whole on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, lens: Lens, frame: str) -> None:
        """Say what camera this is."""
        value = {
            "frame": frame,
            "matrix": lens.matrix.tolist(),
            "model": lens.model,
            "distortion": lens.distortion.tolist(),
        }
        write_json(self.folder / LENS_FILE, value)
        write_json(self.folder / POSES_FILE, [])

    def add(self, picture: NDArray[np.uint8], joints_rad: Sequence[float]) -> str:
        """Keep an RGB picture and the joints (7,) at its time; returns its name."""
        poses = self._read(POSES_FILE)
        name = f"pose_{len(poses):03d}.png"
        whole, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if not whole:
            raise VitalError(ErrorCode.INTERNAL, f"picture of shape {picture.shape} cannot be written as PNG")
        write_bytes(self.folder / name, data.tobytes())
        write_json(self.folder / POSES_FILE, [*poses, {"picture": name, "joints_rad": [float(q) for q in joints_rad]}])
        return name

    def lens(self) -> tuple[Lens, str]:
        """The lens and the camera's frame."""
        value = self._read(LENS_FILE)
        try:
            matrix, distortion = np.array(value["matrix"], float), np.array(value["distortion"], float).reshape(-1)
            if matrix.shape != (3, 3):
                raise ValueError(f"the matrix has shape {matrix.shape}")
            return Lens(matrix, str(value["model"]), distortion), str(value["frame"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken(LENS_FILE, f"{error!r}") from error

    def poses(self) -> list[tuple[str, Pose]]:
        """(picture, pose of the TCP in the base) of each."""
        try:
            rows = [(str(row["picture"]), np.array(row["joints_rad"], float)) for row in self._read(POSES_FILE)]
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken(POSES_FILE, f"{error!r}") from error
        if any(joints.shape != (len(JOINT_NAMES),) for _, joints in rows):
            raise self._broken(POSES_FILE, f"a row has not {len(JOINT_NAMES)} joints")
        return [(name, kinematics.forward(joints)) for name, joints in rows]

    def picture(self, name: str) -> NDArray[np.uint8]:
        """(H, W) uint8."""
        picture = cv2.imread(str(self.folder / name), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise self._broken(name, "it is no picture")
        return np.asarray(picture, np.uint8)

    def _read(self, name: str):
        try:
            return json.loads((self.folder / name).read_text())
        except (OSError, ValueError) as error:
            raise self._broken(name, str(error)) from error

    def _broken(self, name: str, why: str) -> VitalError:
        return VitalError(
            ErrorCode.NO_CALIBRATION,
            f"{self.folder / name} cannot be used ({why}): record with `calibrate_scene_camera record`",
        )


def find_camera(folder: CalibrationFolder, board: Board, mount: str) -> Found:
    """Where the camera is. mount: 'scene' (fixed to the base, board in the gripper) or 'wrist' (on the TCP, board
    fixed). Raises VitalError(NO_CALIBRATION)."""
    lens, child = folder.lens()
    seen, missed = [], []
    for name, t_base_tcp in folder.poses():
        t_camera_board = board.find(folder.picture(name), lens)
        if t_camera_board is None:
            missed.append(name)
        else:
            seen.append((name, t_base_tcp, t_camera_board))
    arm = [pose_of.inverse(pose) if mount == "wrist" else pose for _, pose, _ in seen]
    result = solve(arm, [pose for _, _, pose in seen])
    return Found(PARENTS[mount], child, result, tuple(name for name, _, _ in seen), tuple(missed))
