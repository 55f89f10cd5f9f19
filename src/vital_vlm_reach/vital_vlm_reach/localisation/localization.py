"""Localisation: a sentence and a view in, a point in `link_base` out."""

from dataclasses import dataclass

import numpy as np

from vital_core.arm.xarm7 import BASE_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.localisation.lifting import LiftedPoint, lift_pixel
from vital_vlm_reach.pointing import PointingModel


@dataclass(frozen=True)
class Located:
    """Where the named thing is: pixel (column, row), point in `link_base` with its covariance, and a sentence."""

    pixel_uv: tuple[float, float]
    point: LiftedPoint
    confidence: float
    message: str


def localize(prompt: str, view: View, model: PointingModel, frames: FixedFrames, *, window_px: int) -> Located:
    """Raises VitalError: BAD_PARAMETER, NO_CALIBRATION, NOT_IN_VIEW, NO_DEPTH, BAD_OBSERVATION."""
    if not prompt.strip():
        raise VitalError(ErrorCode.BAD_PARAMETER, "the prompt is empty, expected a sentence that names the target")
    t_base_camera = frames.pose(BASE_FRAME, view.frame_id)
    pointing = model.point(view.rgb, prompt)
    if pointing.pixel_uv is None:
        raise VitalError(
            ErrorCode.NOT_IN_VIEW, f"'{prompt}': {pointing.message} (confidence {pointing.confidence:.2f})"
        )
    lifted = lift_pixel(pointing.pixel_uv, view.depth_mm, view.camera, t_base_camera, window_px=window_px)
    at = ", ".join(f"{v:.3f}" for v in lifted.point_m)
    std_mm = 1000 * float(np.sqrt(np.linalg.eigvalsh(lifted.covariance_m2)[-1]))
    told = f"{pointing.message}; at ({at}) m in {BASE_FRAME}, {std_mm:.1f} mm in its least certain direction"
    return Located(pointing.pixel_uv, lifted, pointing.confidence, told)
