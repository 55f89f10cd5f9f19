"""The target's surface as seen from above, out of a view from the side: which plane it is, and how it looks."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.target import UP
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.target_view import CELL_M, HALF_CELLS, HEIGHT_RANGE_M, SURFACE_DROP_M, TargetView

# A surface that is tilted by less counts as level: what stands on it (a rim, a hub) tilts the plane by that much.
LEVEL_RAD = float(np.deg2rad(9.0))
# Steeper than this, it is the side of something.
_STEEPEST_RAD = float(np.deg2rad(50.0))
_ON_PLANE_M = 0.002
_RADII_M = (0.010, 0.013, 0.016)
_PLANES_TRIED = 150
_FEWEST_POINTS = 12
_LOOKS = 3
_CLOSED_BY, _CLOSED_SPREAD_M = 2, 0.006
# A wall that is seen below the surface's edge falls by more than this in 2 mm towards the camera.
_WALL_DROP_M, _WALL_STEP_M = 0.0008, 0.002


@dataclass(frozen=True)
class SurfacePlane:
    """The plane of the target's surface.

    t_base_plane: origin the pointed place, z out of the surface, x and y as near to the base's as that allows.
    normal_std_rad: of z. level: whether z was taken to be the base's, as the tilt found is none to speak of.
    tilt_rad: the angle that was found between z and the base's, before; measured: the normal (3,) that was found.
    """

    t_base_plane: Pose
    normal_std_rad: float
    level: bool
    tilt_rad: float
    measured: NDArray[np.float64]

    def along(self, normal: NDArray[np.float64], std_rad: float, *, level: bool = False) -> "SurfacePlane":
        """The plane through the same origin with another measured normal (3,); level: z is the base's instead."""
        frame = pose_of.on_surface(self.t_base_plane[:3, 3], UP if level else normal)
        return SurfacePlane(frame, std_rad, level, float(np.arccos(np.clip(normal[2], -1.0, 1.0))), normal)

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) unit vector out of the surface, in the base."""
        return self.t_base_plane[:3, 2]


def surface_plane(view: View, t_base_camera: Pose, point_m: NDArray[np.float64]) -> SurfacePlane:
    """The plane of the surface around a point (3,) on it, in the base. Raises VitalError(NO_DEPTH)."""
    points = _points_near(view, t_base_camera, point_m, _RADII_M[-1]) - point_m
    distances_m = np.linalg.norm(points, axis=1)
    normal, offset_m = _steadiest_plane(points[distances_m < _RADII_M[0]])
    for radius_m in _RADII_M:
        around = points[distances_m < radius_m]
        on_it = around[np.abs(around @ normal - offset_m) < _ON_PLANE_M]
        if len(on_it) < _FEWEST_POINTS:
            raise _no_surface(len(on_it))
        normal, offset_m = _least_squares(on_it)
    tilt_rad = float(np.arccos(np.clip(normal[2], -1.0, 1.0)))
    std_rad = _normal_std_rad(on_it, on_it @ normal - offset_m)
    level, measured = tilt_rad < max(LEVEL_RAD, 2.0 * std_rad), normal
    if level:
        normal, offset_m = UP, float(np.median(on_it[:, 2]))
    ray = point_m - t_base_camera[:3, 3]
    origin = point_m + ray * (offset_m / (normal @ ray))
    return SurfacePlane(pose_of.on_surface(origin, normal), std_rad, level, tilt_rad, measured)


def top_view(view: View, t_base_camera: Pose, plane: SurfacePlane) -> tuple[TargetView, SurfacePlane]:
    """What the plane's surroundings look like from above, and the plane at the mean height of what lies on it."""
    seen = _resampled(view, t_base_camera, plane.t_base_plane)
    surface = seen.surface() & seen.known & (seen.height_m > -SURFACE_DROP_M)
    mean_m = float(seen.height_m[surface].mean()) if surface.any() else 0.0
    ray = plane.t_base_plane[:3, 3] - t_base_camera[:3, 3]
    raised = plane.t_base_plane.copy()
    raised[:3, 3] += ray * (mean_m / (plane.normal @ ray))
    return _resampled(view, t_base_camera, raised), replace(plane, t_base_plane=raised)


def _no_surface(points: int) -> VitalError:
    return VitalError(
        ErrorCode.NO_DEPTH,
        f"{points} depth readings around the target lie on one plane that faces up, expected {_FEWEST_POINTS} or more: "
        "is it glossy, or seen from its side?",
    )


def _points_near(view: View, t_base_camera: Pose, point_m: NDArray[np.float64], radius_m: float) -> NDArray[np.float64]:
    """(n, 3) depth readings within a radius of a point, in the base."""
    in_camera = (pose_of.inverse(t_base_camera) @ np.append(point_m, 1.0))[:3]
    u, v = view.camera.project(in_camera)
    reach = int(np.ceil(radius_m * view.camera.matrix[0, 0] / in_camera[2])) + 1
    left, top = max(round(float(u)) - reach, 0), max(round(float(v)) - reach, 0)
    depth_m = view.depth_mm[top : round(float(v)) + reach + 1, left : round(float(u)) + reach + 1] / 1000.0
    rows, columns = np.nonzero(depth_m)
    rays = view.camera.rays_through(np.stack([columns + left, rows + top], axis=1))
    points = (rays * depth_m[rows, columns, None]) @ t_base_camera[:3, :3].T + t_base_camera[:3, 3]
    return points[np.linalg.norm(points - point_m, axis=1) < radius_m]


def _steadiest_plane(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Of planes through three points each, and of a level one, that which most points lie on: normal and offset."""
    if len(points) < _FEWEST_POINTS:
        raise _no_surface(len(points))
    drawn = points[np.random.default_rng(0).integers(len(points), size=(_PLANES_TRIED, 3))]
    across = np.cross(drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0])
    size = np.linalg.norm(across, axis=1)
    normals = across[size > 1e-5] / size[size > 1e-5, None]
    normals *= np.sign(normals[:, 2:])
    up = normals[:, 2] > np.cos(_STEEPEST_RAD)
    normals = np.concatenate([[[0.0, 0.0, 1.0]], normals[up]])
    offsets = np.concatenate([[np.median(points[:, 2])], np.sum(normals[1:] * drawn[size > 1e-5][up, 0], axis=1)])
    count = (np.abs(points @ normals.T - offsets) < _ON_PLANE_M).sum(axis=0)
    best = int(count.argmax())
    return normals[best], float(offsets[best])


def _least_squares(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Normal (upwards) and offset of the plane through points."""
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][-1]
    normal = normal * np.copysign(1.0, normal[2])
    return normal, float(normal @ middle)


def _normal_std_rad(points: NDArray[np.float64], residuals_m: NDArray[np.float64]) -> float:
    """From the scatter about the plane and how far the points reach across it; readings are not independent."""
    reach_m = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[1] / np.sqrt(len(points))
    independent = max(len(points) / 9.0, 1.0)
    return float(residuals_m.std() / (max(reach_m, 1e-4) * np.sqrt(independent)))


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
    height_m = np.where(_walls(height_m, t_camera_plane), -HEIGHT_RANGE_M, height_m)
    clipped_m = np.where(known, np.clip(height_m, -HEIGHT_RANGE_M, HEIGHT_RANGE_M), -HEIGHT_RANGE_M)
    return TargetView(colour.astype(np.float32), clipped_m.astype(np.float32), known)


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
