"""The scene's RGB-D camera: how it sees, and what it saw."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core.errors import ErrorCode, VitalError


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
        return self.rays_through(pixel_uv)[0]

    def rays_through(self, pixels_uv: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) `ray` through each pixel (n, 2)."""
        points = np.asarray(pixels_uv, dtype=float).reshape(-1, 1, 2)
        if not points.size:
            return np.zeros((0, 3))
        distortion = np.asarray(self.distortion, dtype=float)
        straight = cv2.undistortPoints(points, self.matrix, distortion if distortion.any() else None)[:, 0]
        return np.column_stack([straight, np.ones(len(straight))])

    def rays(self) -> NDArray[np.float64]:
        """(H, W, 3) `ray` of every pixel."""
        v, u = np.mgrid[0 : self.height_px, 0 : self.width_px]
        return self.rays_through(np.stack([u, v], axis=-1)).reshape(self.height_px, self.width_px, 3)

    def project(self, points_m: ArrayLike) -> NDArray[np.float64]:
        """(2,) pixel of a point (3,) in the optical frame, or (n, 2) of (n, 3). Inverse of `ray` times depth."""
        points = np.asarray(points_m, dtype=float)
        if not points.size:
            return np.zeros((0, 2))
        distortion = np.asarray(self.distortion, dtype=float)
        pixels, _ = cv2.projectPoints(points.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), self.matrix, distortion)
        return np.asarray(pixels.reshape(*points.shape[:-1], 2), dtype=float)


@dataclass(frozen=True)
class View:
    """(H, W, 3) uint8 RGB, (H, W) uint16 depth in mm aligned to it, the camera and its frame."""

    rgb: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    camera: Camera
    frame_id: str


def check_aligned(depth_mm: NDArray[np.uint16], camera: Camera) -> None:
    """Raises VitalError(BAD_OBSERVATION) when the depth image is not that of the colour image's pixels."""
    if depth_mm.shape != (camera.height_px, camera.width_px):
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"depth is {depth_mm.shape[1]}x{depth_mm.shape[0]}, colour {camera.width_px}x{camera.height_px}: "
            "publish depth aligned to colour",
        )
