"""Fixed frames, and what the calibration file says of the cameras among them: how old, how good, still valid."""

from collections.abc import Sequence
from pathlib import Path

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.files.calibration_file import CameraCalibration, read_calibration
from vital_core.files.camera_mounting import check_calibrations
from vital_core.files.date_text import now
from vital_core.pose import Pose
from vital_vlm_reach.localisation.frames import FixedFrames

# `/tf_static` rounds nothing: where it says otherwise than the file, it is another's word.
_APART_M, _APART_RAD = 0.001, 0.002


class CalibratedFrames(FixedFrames):
    """Fixed frames whose cameras stand where a calibration file says; without one, where `/tf_static` does.

    The files are read anew with every look through a camera: a camera that was mounted anew meanwhile is not looked
    through again before it is calibrated. Raises VitalError(NO_CALIBRATION) when they cannot be used.
    """

    def __init__(self, calibration_file: str = "", mounting_file: str = "") -> None:
        super().__init__()
        self._file = Path(calibration_file) if calibration_file else None
        self._mountings = Path(mounting_file) if mounting_file else None
        self._looked_through = ""
        self._check(self._read())

    @property
    def camera(self) -> CameraCalibration | None:
        """Of the camera last looked through; None where no file that can be read says anything of it."""
        try:
            return next((c for c in self._read() if c.child == self._looked_through), None)
        except VitalError:
            return None

    def told(self) -> str:
        """Age and residual of the camera last looked through, for the operator; empty: nothing is known."""
        return "" if self.camera is None else self.camera.told(now())

    def figures(self) -> tuple[float, float]:
        """Age, s, and residual, m, of the same; NaN: not known."""
        camera = self.camera
        if camera is None:
            return float("nan"), float("nan")
        residual_m = float("nan") if camera.residual_mm is None else camera.residual_mm / 1000.0
        return camera.age_s(now()), residual_m

    def pose(self, target: str, source: str) -> Pose:
        """As `FixedFrames.pose`; refuses a camera whose calibration is of before its mounting, or that `/tf_static`
        puts elsewhere than its file. Raises VitalError(NO_CALIBRATION)."""
        found = super().pose(target, source)
        self._looked_through = source
        self.check()
        return found

    def check(self) -> None:
        """Raises VitalError(NO_CALIBRATION) when the camera last looked through is not calibrated any more."""
        stated = [c for c in self._read() if c.child == self._looked_through]
        self._check(stated)
        for calibration in stated:
            self._compare(calibration)

    def _read(self) -> list[CameraCalibration]:
        return [] if self._file is None else read_calibration(self._file)

    def _check(self, calibrations: Sequence[CameraCalibration]) -> None:
        check_calibrations(calibrations, self._mountings, now())

    def _compare(self, calibration: CameraCalibration) -> None:
        heard = super().pose(calibration.parent, calibration.child)
        apart_m, apart_rad = pose_of.distance(heard, calibration.t_parent_child)
        if apart_m > _APART_M or apart_rad > _APART_RAD:
            raise VitalError(
                ErrorCode.NO_CALIBRATION,
                f"/tf_static puts {calibration.child} {1000 * apart_m:.1f} mm and {1000 * apart_rad:.1f} mrad from "
                f"where {self._file} does: stop what else publishes it, or start again after a calibration",
            )
