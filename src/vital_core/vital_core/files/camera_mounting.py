"""The mounting file: since when each camera hangs where it does, so that a calibration from before is known as one.

    camera_color_optical_frame: {mounted_at: '2026-11-20T09:30:00+01:00'}

`calibrate_scene_camera mounted <file>` writes the present moment; do that whenever a camera was taken off, moved or
knocked. A day alone (2026-11-20) is its beginning. The calibration file is measured and may be copied about, this one
is of the rig: they are two, so that putting an old calibration back does not make it new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.calibration_file import CameraCalibration, camera_entries
from vital_core.files.date_text import Date, as_text, moment_of
from vital_core.files.schema import Source

# Clocks of two machines may differ by this much; more is a wrong clock or a wrong date.
CLOCKS_APART = timedelta(hours=1)
EXPECTED = "expected entries '<camera frame>: {mounted_at: 2026-11-20T09:30:00+01:00}'"
AGAIN = "calibrate it again (`ros2 run vital_perception calibrate_scene_camera`)"


@dataclass(frozen=True)
class MountingEntry:
    """What the file says of one camera."""

    mounted_at: Date

    def __post_init__(self) -> None:
        moment_of(self.mounted_at)


def read_mountings(path: Path) -> dict[str, datetime]:
    """When each camera was mounted, by its frame. Raises VitalError(NO_CALIBRATION)."""
    return _moments(path, _entries(path))


def write_mounting(path: Path, frame: str, mounted_at: datetime) -> None:
    """Say when a camera was mounted; what the file says of others stays. Raises VitalError(NO_CALIBRATION)."""
    entries = _entries(path) if path.exists() else {}
    entries[frame] = {"mounted_at": mounted_at.isoformat(timespec="seconds")}
    _moments(path, entries)
    text = "# Since when each camera hangs where it does: a calibration from before is refused.\n"
    safe_file.write_bytes(path, (text + yaml.safe_dump(entries, sort_keys=False)).encode())


def check_calibration(calibration: CameraCalibration, mounted_at: datetime | None, now: datetime) -> None:
    """Raises VitalError(NO_CALIBRATION) when it is of before the camera was mounted, or nobody can tell.

    mounted_at: None where nothing is said of this camera; then only its own date is judged.
    """
    camera, measured_at = calibration.child, calibration.measured_at
    for what, at in (("calibration", measured_at), ("mounting", mounted_at)):
        if at is not None and at > now + CLOCKS_APART:
            raise _refusal(
                f"the {what} of {camera} is of {_told(at)}, and this machine's clock says {_told(now)}: set the clock, "
                "or the date in the file"
            )
    if mounted_at is None:
        return
    if measured_at is None:
        raise _refusal(
            f"{camera} was mounted at {_told(mounted_at)}, and its calibration does not say when it was measured "
            f"(measured_at): {AGAIN}"
        )
    if measured_at < mounted_at:
        raise _refusal(
            f"{camera} was mounted at {_told(mounted_at)}, and its calibration is older, of {_told(measured_at)}: "
            f"{AGAIN}"
        )


def check_calibrations(calibrations: Sequence[CameraCalibration], mountings: Path | None, now: datetime) -> None:
    """`check_calibration` each, against a mounting file where there is one. Raises VitalError(NO_CALIBRATION)."""
    mounted = {} if mountings is None else read_mountings(mountings)
    for calibration in calibrations:
        check_calibration(calibration, mounted.get(calibration.child), now)


def _told(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes")


def _refusal(text: str) -> VitalError:
    return VitalError(ErrorCode.NO_CALIBRATION, text)


def _moments(path: Path, entries: Mapping[str, Any]) -> dict[str, datetime]:
    rows = {frame: schema.checked(values, MountingEntry, _source(path, frame)) for frame, values in entries.items()}
    return {frame: moment_of(row.mounted_at) for frame, row in rows.items()}


def _source(path: Path, frame: str = "") -> Source:
    entry = f", entry '{frame}'" if frame else ""
    return Source(f"mounting file {path}{entry}", ErrorCode.NO_CALIBRATION, EXPECTED)


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    entries = camera_entries(path, _source(path))
    return {frame: {name: as_text(value) for name, value in values.items()} for frame, values in entries.items()}
