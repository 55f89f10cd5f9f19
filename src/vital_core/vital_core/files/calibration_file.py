"""The calibration file: where each camera is. YAML, one entry a camera:

    camera_color_optical_frame: {parent: link_base, xyz: [m, m, m], quaternion: [x, y, z, w]}

xyz and quaternion are the pose of the camera in its parent's frame. How well and when it was found stands beside it
(residual_mm, uncertainty_mm, poses, measured_at as ISO 8601); other keys of an entry are notes, text or numbers, which
are kept and not read. Whether a camera was mounted anew since is the mounting file's to say (`camera_mounting`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from msgspec import Meta

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode
from vital_core.files import safe_file, schema
from vital_core.files.date_text import Date, as_text, moment_of, told_age
from vital_core.files.schema import Source
from vital_core.pose import Pose

EXPECTED = "expected entries '<camera frame>: {parent: <frame>, xyz: [m, m, m], quaternion: [x, y, z, w]}'"
# Further from its parent than this a camera on this arm cannot be; xyz in mm would be.
FARTHEST_M = 5.0
UNIT_TOLERANCE = 1e-2
# A pose whose own images disagree by more than this was not found.
LARGEST_RESIDUAL_MM = 20.0

FrameName = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_/]*$", max_length=200)]
Metres = Annotated[float, Meta(ge=-1e6, le=1e6)]
Millimetres = Annotated[float, Meta(ge=0.0, le=LARGEST_RESIDUAL_MM)]
Unit = Annotated[float, Meta(ge=-2.0, le=2.0)]
Note = Annotated[str, Meta(max_length=1000)] | float | int | bool | None


@dataclass(frozen=True)
class CameraEntry:
    """What the file says of one camera; see the module's docstring."""

    parent: FrameName
    xyz: tuple[Metres, Metres, Metres]
    quaternion: tuple[Unit, Unit, Unit, Unit]
    residual_mm: Millimetres | None = None
    uncertainty_mm: Millimetres | None = None
    poses: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    measured_at: Date | None = None

    def __post_init__(self) -> None:
        length, distance_m = math.hypot(*self.quaternion), math.hypot(*self.xyz)
        if not abs(length - 1.0) <= UNIT_TOLERANCE:
            raise ValueError(f"the quaternion's length is {length:.3f}, expected 1")
        if not distance_m <= FARTHEST_M:
            raise ValueError(
                f"the camera is {distance_m:.1f} m from {self.parent}, at most {FARTHEST_M:.0f} m expected: xyz is in "
                "metres, is it in mm here?"
            )
        if self.measured_at is not None:
            moment_of(self.measured_at)


@dataclass(frozen=True)
class CameraCalibration:
    """Where one camera is, how well and when that was found.

    t_parent_child: pose of the camera's frame ``child`` in ``parent``. residual_mm: how far its own images disagree;
    uncertainty_mm: standard deviation of its place. measured_at: with its time zone. None: the file does not say.
    """

    parent: str
    child: str
    t_parent_child: Pose
    residual_mm: float | None = None
    uncertainty_mm: float | None = None
    measured_at: datetime | None = None

    def age_s(self, now: datetime) -> float:
        """How long ago it was measured, s; NaN: nobody knows."""
        return float("nan") if self.measured_at is None else (now - self.measured_at).total_seconds()

    def told(self, now: datetime) -> str:
        """Its age and residual, for the operator."""
        age = "of unknown age" if self.measured_at is None else f"{told_age(self.age_s(now))} old"
        known = "residual not known" if self.residual_mm is None else f"residual {self.residual_mm:.2f} mm"
        return f"calibration of {self.child} {age}, {known}"


def read_calibration(path: Path) -> list[CameraCalibration]:
    """Each entry. Raises VitalError(NO_CALIBRATION)."""
    entries = {child: _entry(path, child, values) for child, values in camera_entries(path, _source(path)).items()}
    _check_tree(path, {child: entry.parent for child, entry in entries.items()})
    return [_calibration(child, entry) for child, entry in entries.items()]


def _calibration(child: str, entry: CameraEntry) -> CameraCalibration:
    pose = pose_of.from_quaternion(np.array(entry.xyz), np.array(entry.quaternion))
    at = None if entry.measured_at is None else moment_of(entry.measured_at)
    return CameraCalibration(entry.parent, child, pose, entry.residual_mm, entry.uncertainty_mm, at)


def write_calibration(path: Path, child: str, parent: str, pose: Pose, notes: Mapping[str, Any]) -> None:
    """Put an entry into the file, new or in the place of the old one; the others stay.

    notes: further keys of the entry, plain numbers and strings. Raises VitalError(NO_CALIBRATION) when what is
    there already is no calibration file.
    """
    entries = camera_entries(path, _source(path)) if path.exists() else {}
    entries[child] = {
        "parent": parent,
        "xyz": [round(float(v), 6) for v in pose[:3, 3]],
        "quaternion": [round(float(v), 8) for v in pose_of.to_quaternion(pose)],
        **notes,
    }
    text = "# Poses of the cameras: xyz in m, quaternion x y z w, of the camera in its parent's frame.\n"
    safe_file.write_bytes(path, (text + yaml.safe_dump(entries, sort_keys=False, default_flow_style=None)).encode())


def _source(path: Path, entry: str = "") -> Source:
    return Source(f"calibration file {path}{entry}", ErrorCode.NO_CALIBRATION, EXPECTED)


def camera_entries(path: Path, source: Source) -> dict[str, dict[str, Any]]:
    """The entries of a YAML file by camera frame, values as they stand. Raises VitalError, the source's code."""
    try:
        text = safe_file.read_bytes(path, schema.YAML_BYTES)
    except OSError as error:
        raise source.refuse(f"cannot be read ({error})") from error
    entries = schema.from_yaml(text, dict[FrameName, dict[str, Any]], source)
    if not entries:
        raise source.refuse("is empty")
    return entries


def _entry(path: Path, child: str, values: Mapping[str, Any]) -> CameraEntry:
    source, known = _source(path, f", entry '{child}'"), {field.name for field in fields(CameraEntry)}
    values = {name: as_text(value) for name, value in values.items()}
    schema.checked({name: value for name, value in values.items() if name not in known}, dict[str, Note], source)
    return schema.checked({name: value for name, value in values.items() if name in known}, CameraEntry, source)


def _check_tree(path: Path, parents: Mapping[str, str]) -> None:
    """Frames must not hang on each other in a ring."""
    for child in parents:
        above, seen = parents.get(child), {child}
        while above is not None:
            if above in seen:
                raise _source(path).refuse(f"'{child}' hangs on itself")
            seen.add(above)
            above = parents.get(above)
