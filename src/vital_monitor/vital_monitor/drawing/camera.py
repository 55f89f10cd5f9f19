"""Between a camera's pixels and places in `link_base`: the pointed pixel, the point cloud, pictures to be sent."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_monitor.state.heard import Lens

Array = NDArray[np.float64]
NEAREST_M, FARTHEST_M = 0.1, 2.5
# A picture is shown at most so many times as wide as high.
WIDEST = 3
MARK = (232, 62, 47)


def pixel_of(point_m: Array, lens: Lens, t_base_camera: Pose) -> tuple[float, float] | None:
    """Column and row, px, at which a point (3,) in `link_base` is seen; None where it is not in the image."""
    x, y, z = (pose_of.inverse(t_base_camera) @ np.append(point_m, 1.0))[:3]
    if z <= 0.0:
        return None
    u, v, _ = lens.matrix @ np.array([x / z, y / z, 1.0])
    inside = 0.0 <= u < lens.width_px and 0.0 <= v < lens.height_px
    return (float(u), float(v)) if inside else None


def point_cloud(
    rgb: NDArray[np.uint8], depth_mm: NDArray[np.uint16], lens: Lens, t_base_camera: Pose, most: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """At most ``most`` points (n, 3) in `link_base`, m, with their colours (n, 3). Empty where the two do not fit."""
    if rgb.shape[:2] != depth_mm.shape:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8)
    step = max(1, int(np.ceil(np.sqrt(depth_mm.size / most))))
    z = depth_mm[::step, ::step].astype(float) / 1000.0
    rows, columns = np.nonzero((z > NEAREST_M) & (z < FARTHEST_M))
    z = z[rows, columns]
    pixels = np.stack([columns * step, rows * step, np.ones(len(rows))])
    points = t_base_camera[:3, :3] @ (np.linalg.inv(lens.matrix) @ pixels * z) + t_base_camera[:3, 3:]
    return points.T.astype(np.float32), rgb[rows * step, columns * step]


def scaled(image: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """The image at this size; a small one is made larger with its pixels to be seen."""
    # Of a large one every second pixel does.
    step = max(1, image.shape[1] // max(1, width_px))
    image = image[::step, ::step]
    how = cv2.INTER_AREA if width_px < image.shape[1] else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, (width_px, height_px), interpolation=how), np.uint8)


def side_by_side(images: Sequence[NDArray[np.uint8]], height_px: int, gap_px: int) -> NDArray[np.uint8]:
    """One picture of several at the same height, white between them."""
    gap = np.full((height_px, gap_px, 3), 255, np.uint8)
    row: list[NDArray[np.uint8]] = []
    for image in images:
        width_px = round(image.shape[1] * height_px / image.shape[0])
        row += [scaled(image, min(max(1, width_px), WIDEST * height_px), height_px), gap]
    return np.concatenate(row[:-1], axis=1)


def with_mark(image: NDArray[np.uint8], pixel: tuple[float, float]) -> NDArray[np.uint8]:
    """A copy with a ring and a cross at a pixel (column, row)."""
    marked = np.ascontiguousarray(image.copy())
    at, reach = (round(pixel[0]), round(pixel[1])), max(6, image.shape[1] // 40)
    cv2.circle(marked, at, reach, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.circle(marked, at, reach, MARK, 2, cv2.LINE_AA)
    cv2.drawMarker(marked, at, MARK, cv2.MARKER_CROSS, reach, 1, cv2.LINE_AA)
    return marked
