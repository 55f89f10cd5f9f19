"""The calibration file: where each camera is. YAML, one entry a camera:

    camera_color_optical_frame: {parent: link_base, xyz: [m, m, m], quaternion: [x, y, z, w]}

xyz and quaternion are the pose of the camera in its parent's frame. Other keys of an entry (how it was found and how
well) are kept and not read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.safe_file import write_bytes

EXPECTED = "expected entries '<camera frame>: {parent: <frame>, xyz: [m, m, m], quaternion: [x, y, z, w]}'"
# Further from its parent than this a camera on this arm cannot be; xyz in mm would be.
FARTHEST_M = 5.0
UNIT_TOLERANCE = 1e-2


def read_calibration(path: Path) -> list[tuple[str, str, Pose]]:
    """(parent, child, pose of child in parent) of each entry. Raises VitalError(NO_CALIBRATION)."""
    return [_pose(path, child, entry) for child, entry in _entries(path).items()]


def write_calibration(path: Path, child: str, parent: str, pose: Pose, notes: Mapping[str, Any]) -> None:
    """Put an entry into the file, new or in the place of the old one; the others stay.

    notes: further keys of the entry, plain numbers and strings. Raises VitalError(NO_CALIBRATION) when what is
    there already is no calibration file.
    """
    entries = _entries(path) if path.exists() else {}
    entries[child] = {
        "parent": parent,
        "xyz": [round(float(v), 6) for v in pose[:3, 3]],
        "quaternion": [round(float(v), 8) for v in pose_of.to_quaternion(pose)],
        **notes,
    }
    text = "# Poses of the cameras: xyz in m, quaternion x y z w, of the camera in its parent's frame.\n"
    write_bytes(path, (text + yaml.safe_dump(entries, sort_keys=False, default_flow_style=None)).encode())


def _entries(path: Path) -> dict[str, Any]:
    try:
        entries = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise VitalError(
            ErrorCode.NO_CALIBRATION, f"calibration file {path} cannot be read ({error}), {EXPECTED}"
        ) from error
    if not isinstance(entries, dict) or not entries:
        raise VitalError(
            ErrorCode.NO_CALIBRATION, f"calibration file {path} holds {type(entries).__name__}, {EXPECTED}"
        )
    return entries


def _pose(path: Path, child: str, entry: Any) -> tuple[str, str, Pose]:
    try:
        parent = str(entry["parent"])
        xyz, quaternion = np.array(entry["xyz"], float), np.array(entry["quaternion"], float)
        if xyz.shape != (3,) or quaternion.shape != (4,):
            raise ValueError(f"xyz has {xyz.size} numbers and quaternion {quaternion.size}")
    except (KeyError, TypeError, ValueError) as error:
        raise VitalError(
            ErrorCode.NO_CALIBRATION, f"calibration file {path}, entry '{child}': {error!r}, {EXPECTED}"
        ) from error
    length, distance_m = float(np.linalg.norm(quaternion)), float(np.linalg.norm(xyz))
    if not abs(length - 1.0) <= UNIT_TOLERANCE:
        raise VitalError(
            ErrorCode.NO_CALIBRATION,
            f"calibration file {path}, entry '{child}': the quaternion's length is {length:.3f}, {EXPECTED} with "
            "length 1",
        )
    if not distance_m <= FARTHEST_M:
        raise VitalError(
            ErrorCode.NO_CALIBRATION,
            f"calibration file {path}, entry '{child}': the camera is {distance_m:.1f} m from {parent}, at most "
            f"{FARTHEST_M:.0f} m expected: xyz is in metres, is it in mm here?",
        )
    return parent, child, pose_of.from_quaternion(xyz, quaternion)
