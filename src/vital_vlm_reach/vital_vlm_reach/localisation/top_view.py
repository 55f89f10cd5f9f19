"""How a target's surface looks from above, out of a view from the side."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.target_view import (
    CELL_M,
    HALF_CELLS,
    HEIGHT_RANGE_M,
    HIDING_M,
    SURFACE_DROP_M,
    SurfacePlane,
    TargetView,
)

_LOOKS = 3
_CLOSED_BY, _CLOSED_SPREAD_M = 2, 0.006
# Beside what hides the target, colour and depth are of both.
_BESIDE_CELLS = 2
# A wall that is seen below the surface's edge falls by more than this in 2 mm towards the camera.
_WALL_DROP_M, _WALL_STEP_M = 0.0008, 0.002


def top_view(view: View, t_base_camera: Pose, plane: SurfacePlane) -> tuple[TargetView, SurfacePlane]:
    """What the plane's surroundings look like from above, and the plane at the mean height of what lies on it."""
    seen = _resampled(view, t_base_camera, plane.t_base_plane)
    surface = seen.surface() & seen.known & (seen.height_m > -SURFACE_DROP_M)
    mean_m = float(seen.height_m[surface].mean()) if surface.any() else 0.0
    ray = plane.t_base_plane[:3, 3] - t_base_camera[:3, 3]
    raised = plane.t_base_plane.copy()
    raised[:3, 3] += ray * (mean_m / (plane.normal @ ray))
    return _resampled(view, t_base_camera, raised), replace(plane, t_base_plane=raised)


def _resampled(view: View, t_base_camera: Pose, t_base_plane: Pose) -> TargetView:
    """What is seen straight above or below each cell of the plane.

    Where the surface is a little higher or lower, its pixel is another one: found by looking again at its height.
    """
    steps_m = CELL_M * np.arange(-HALF_CELLS, HALF_CELLS + 1)
    x, y = np.meshgrid(steps_m, steps_m)
    t_camera_plane = pose_of.inverse(t_base_camera) @ t_base_plane
    heights, relief_m = _HeightImage(view, t_camera_plane), np.zeros(x.shape, np.float32)
    for look in range(_LOOKS):
        cells = np.stack([x.ravel(), y.ravel(), relief_m.ravel()], axis=1)
        pixels = view.camera.project(cells @ t_camera_plane[:3, :3].T + t_camera_plane[:3, 3])
        u, v = (pixels[:, i].reshape(x.shape).astype(np.float32) for i in (0, 1))
        height_m, known = heights.at(u, v)
        if look < _LOOKS - 1:
            relief_m = _relief(height_m, known)
    colour = cv2.remap(view.rgb, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    hiding = (known & (height_m > HIDING_M)).astype(np.uint8)
    hidden = cv2.dilate(hiding, np.ones((2 * _BESIDE_CELLS + 1,) * 2, np.uint8)) > 0
    height_m = np.where(_walls(height_m, t_camera_plane), -HEIGHT_RANGE_M, height_m)
    clipped_m = np.where(known, np.clip(height_m, -HEIGHT_RANGE_M, HEIGHT_RANGE_M), -HEIGHT_RANGE_M)
    return TargetView(colour.astype(np.float32), clipped_m.astype(np.float32), known, hidden if hidden.any() else None)


def _relief(height_m: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Height of the surface, m, steady and reaching beyond its edge, along which depth says little."""
    on_surface = known & (np.abs(height_m) < SURFACE_DROP_M)
    if not on_surface.any():
        return np.zeros(height_m.shape, np.float32)
    _, nearest = cv2.distanceTransformWithLabels(
        (~on_surface).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros(int(nearest.max()) + 1, np.float32)
    by_label[nearest[on_surface]] = height_m[on_surface]
    steady = cv2.medianBlur(by_label[nearest], 5)
    return np.asarray(cv2.medianBlur(steady, 5), np.float32)


class _HeightImage:
    """Heights above a plane, m, smoothed, of the part of the depth image around it."""

    def __init__(self, view: View, t_camera_plane: Pose) -> None:
        across = 2 * HALF_CELLS * CELL_M * view.camera.matrix[0, 0] / max(t_camera_plane[2, 3], 0.1)
        u, v = view.camera.project(t_camera_plane[:3, 3])
        height, width = view.depth_mm.shape
        self._left, right = (int(np.clip(u + side * across, 0, width)) for side in (-1, 1))
        self._top, bottom = (int(np.clip(v + side * across, 0, height)) for side in (-1, 1))
        depth_m = view.depth_mm[self._top : bottom, self._left : right].astype(np.float64) / 1000.0
        rows, columns = np.indices(depth_m.shape)
        pixels = np.stack([columns.ravel() + self._left, rows.ravel() + self._top], axis=1)
        rays = view.camera.rays_through(pixels).reshape(*depth_m.shape, 3)
        normal, origin = t_camera_plane[:3, 2], t_camera_plane[:3, 3]
        above_m = np.where(depth_m > 0, (rays @ normal) * depth_m - origin @ normal, np.nan)
        smooth_m, readings, spread_m = _of_nine(above_m)
        # A hole in a surface is closed; one beside an edge is not, as nobody knows on which side of it.
        read = (depth_m > 0) | ((readings >= _CLOSED_BY) & (spread_m < _CLOSED_SPREAD_M))
        self._read = read.astype(np.float32)
        self._smooth_m = np.where(read, smooth_m, 0.0).astype(np.float32)

    def at(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Height above the plane of what is seen at pixels, 0 where it was not read; and where it was."""
        x, y = u - self._left, v - self._top
        share = cv2.remap(self._read, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        sampled_m = cv2.remap(self._smooth_m, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        known = share > 0.5
        return np.where(known, sampled_m / np.maximum(share, 0.5), 0.0).astype(float), known


def _of_nine(
    values: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.floating]]:
    """Median, number and spread of each value and those around it, without the ones that are NaN."""
    padded = np.pad(values, 1, constant_values=np.nan)
    h, w = values.shape
    around = np.sort(np.stack([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)]), axis=0)
    count = (~np.isnan(around)).sum(axis=0)
    places = (np.maximum((count - 1) // 2, 0), np.minimum(count // 2, 8), np.maximum(count - 1, 0))
    low, high, last = (np.take_along_axis(around, place[None], 0)[0] for place in places)
    return 0.5 * (low + high), count, last - around[0]


def _walls(height_m: NDArray[np.float64], t_camera_plane: Pose) -> NDArray[np.bool_]:
    """Cells that show the side of the target below its edge, which is seen on the camera's side of it alone."""
    towards = -(t_camera_plane[:3, :3].T @ t_camera_plane[:3, 3])[:2]
    step = towards / max(float(np.linalg.norm(towards)), 1e-9) * _WALL_STEP_M / CELL_M
    shift = np.array([[1.0, 0.0, step[0]], [0.0, 1.0, step[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = height_m.shape[::-1]
    nearer_m = cv2.warpAffine(height_m, shift, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(height_m - nearer_m > _WALL_DROP_M)
