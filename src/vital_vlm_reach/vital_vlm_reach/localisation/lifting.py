"""From a pixel and aligned depth to a point in `link_base`."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose

MIN_DEPTH_MM, MAX_DEPTH_MM = 100, 4000
MIN_READINGS = 5
# 22 mm at 0.8 m and 610 px: wider than a connector's slot, so that its rim outweighs what is seen inside.
WINDOW_PX = 17
# Depths further apart than this belong to different surfaces.
_SURFACE_GAP_MM = 12
# A surface that fills less of the window than this is stray readings.
_MIN_SURFACE_SHARE = 0.15


@dataclass(frozen=True)
class Camera:
    """Pinhole model of the colour camera: size in px, matrix K (3, 3) in px, distortion as in CameraInfo."""

    width_px: int
    height_px: int
    matrix: NDArray[np.float64]
    distortion: Sequence[float] = ()

    def __post_init__(self) -> None:
        k = np.asarray(self.matrix, dtype=float)
        if k.shape != (3, 3) or not np.isfinite(k).all() or k[0, 0] <= 0.0 or k[1, 1] <= 0.0:
            raise VitalError(
                ErrorCode.NO_CALIBRATION,
                f"camera_info has no usable matrix K (fx {k.flat[0]:.3g}): start the camera with its calibration",
            )

    def ray(self, pixel_uv: ArrayLike) -> NDArray[np.float64]:
        """(3,) direction through a pixel in the optical frame, with z = 1."""
        point = np.asarray(pixel_uv, dtype=float).reshape(1, 1, 2)
        distortion = np.asarray(self.distortion, dtype=float)
        x, y = cv2.undistortPoints(point, self.matrix, distortion if distortion.any() else None)[0, 0]
        return np.array([x, y, 1.0])

    def project(self, point_m: ArrayLike) -> NDArray[np.float64]:
        """(2,) pixel of a point (3,) in the optical frame. Inverse of `ray` times depth."""
        point = np.asarray(point_m, dtype=float).reshape(1, 1, 3)
        distortion = np.asarray(self.distortion, dtype=float)
        pixels, _ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), self.matrix, distortion)
        return pixels[0, 0]


def lift_pixel(
    pixel_uv: ArrayLike,
    depth_mm: NDArray[np.uint16],
    camera: Camera,
    t_base_camera: Pose,
    *,
    window_px: int = WINDOW_PX,
) -> NDArray[np.float64]:
    """(3,) point in `link_base`, m, that a pixel (column, row) of the colour image shows.

    depth_mm: (H, W) aligned to the colour image, 0 where there is no reading. Raises VitalError: NO_DEPTH,
    BAD_OBSERVATION when the depth image is not aligned.
    """
    if depth_mm.shape != (camera.height_px, camera.width_px):
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"depth is {depth_mm.shape[1]}x{depth_mm.shape[0]}, colour {camera.width_px}x{camera.height_px}: "
            "publish depth aligned to colour",
        )
    z_m = surface_depth_mm(pixel_uv, depth_mm, window_px=window_px) / 1000.0
    in_camera = np.append(z_m * camera.ray(pixel_uv), 1.0)
    return (t_base_camera @ in_camera)[:3]


def surface_depth_mm(pixel_uv: ArrayLike, depth_mm: NDArray[np.uint16], *, window_px: int = WINDOW_PX) -> float:
    """Depth, mm, of the nearest solid surface around a pixel; raises VitalError(NO_DEPTH).

    The window may look past a small object onto what is behind it, hardly ever past what is behind onto the
    object; so of the surfaces in it, the nearest that fills enough of it counts, by its median.
    """
    u, v = (float(c) for c in np.asarray(pixel_uv, dtype=float))
    height, width = depth_mm.shape
    if not (-0.5 <= u < width and -0.5 <= v < height):
        raise VitalError(ErrorCode.NO_DEPTH, f"pixel ({u:.1f}, {v:.1f}) is outside the depth image of {width}x{height}")
    reach = window_px // 2
    row, column = min(round(v), height - 1), min(round(u), width - 1)
    window = depth_mm[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    readings = np.sort(window[(window >= MIN_DEPTH_MM) & (window <= MAX_DEPTH_MM)].astype(float))
    if readings.size < MIN_READINGS:
        raise VitalError(
            ErrorCode.NO_DEPTH,
            f"{readings.size} of {window.size} depth readings around pixel ({u:.0f}, {v:.0f}) lie between "
            f"{MIN_DEPTH_MM} and {MAX_DEPTH_MM} mm, expected {MIN_READINGS} or more: is the target glossy or too near?",
        )
    surfaces = np.split(readings, np.flatnonzero(np.diff(readings) > _SURFACE_GAP_MM) + 1)
    solid = [s for s in surfaces if s.size >= max(MIN_READINGS, _MIN_SURFACE_SHARE * readings.size)]
    if not solid:
        spread = readings[-1] - readings[0]
        raise VitalError(
            ErrorCode.NO_DEPTH,
            f"the {readings.size} depth readings around pixel ({u:.0f}, {v:.0f}) spread over {spread:.0f} mm and "
            "form no surface: move the camera",
        )
    return float(np.median(solid[0]))
