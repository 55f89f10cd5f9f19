"""From a pixel and aligned depth to a point in `link_base`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core.pose import Pose
from vital_vlm_reach.localisation.camera import Camera, check_aligned
from vital_vlm_reach.localisation.surface_depth import WINDOW_PX, surface_depth

# Of a pixel that a model points at, about the middle of what is meant: 5 px of the shipped one count for two sigma.
PIXEL_STD_PX = 2.5
# Of the camera's place, where its calibration does not say.
CALIBRATION_STD_M = 0.002


@dataclass(frozen=True)
class LiftedPoint:
    """A point (3,) in `link_base`, m, and its covariance (3, 3), m^2."""

    point_m: NDArray[np.float64]
    covariance_m2: NDArray[np.float64]


def lift_pixel(
    pixel_uv: ArrayLike,
    depth_mm: NDArray[np.uint16],
    camera: Camera,
    t_base_camera: Pose,
    *,
    window_px: int = WINDOW_PX,
    pixel_std_px: float = PIXEL_STD_PX,
    calibration_std_m: float = CALIBRATION_STD_M,
) -> LiftedPoint:
    """The point in `link_base` that a pixel (column, row) of the colour image shows.

    depth_mm: (H, W) aligned to the colour image, 0 where there is no reading. pixel_std_px: of the pixel, each way.
    calibration_std_m: of the camera's place, each way. Raises VitalError: NO_DEPTH, BAD_OBSERVATION when the depth
    image is not aligned.
    """
    check_aligned(depth_mm, camera)
    surface = surface_depth(pixel_uv, depth_mm, window_px=window_px)
    ray = camera.ray(pixel_uv)
    # By columns: what a pixel to the right, a pixel down and a metre further away move the point by, in the camera.
    moved = np.column_stack(
        [[surface.depth_m / camera.matrix[0, 0], 0, 0], [0, surface.depth_m / camera.matrix[1, 1], 0], ray]
    )
    moved_in_base = t_base_camera[:3, :3] @ moved
    spread = np.diag([pixel_std_px**2, pixel_std_px**2, surface.std_m**2])
    point = (t_base_camera @ np.append(surface.depth_m * ray, 1.0))[:3]
    covariance = moved_in_base @ spread @ moved_in_base.T + calibration_std_m**2 * np.eye(3)
    return LiftedPoint(point, covariance)
