"""The plane of the surface around a place, from the depth readings there."""

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.target import UP
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.target_view import SurfacePlane

# A surface that is tilted by less counts as level: what stands on it (a rim, a hub) tilts the plane by that much.
LEVEL_RAD = float(np.deg2rad(9.0))
# Steeper than this, it is the side of something.
_STEEPEST_RAD = float(np.deg2rad(50.0))
_ON_PLANE_M = 0.002
_RADII_M = (0.010, 0.013, 0.016)
_PLANES_TRIED = 150
_FEWEST_POINTS = 12
# A pixel of a target that leans away from the camera shows the wall below its surface as often as the surface.
_AROUND_M = 0.030
_PLANES_AROUND, _TRIED_AROUND = 5, 400


def surface_plane(view: View, t_base_camera: Pose, point_m: NDArray[np.float64]) -> SurfacePlane:
    """The plane of the surface around a point (3,) on it, in the base. Raises VitalError(NO_DEPTH)."""
    points = _points_near(view, t_base_camera, point_m, _RADII_M[-1]) - point_m
    within = np.linalg.norm(points, axis=1) < _RADII_M[0]
    return _fitted(points, _steadiest_plane(points[within]), t_base_camera, point_m)


def planes_around(view: View, t_base_camera: Pose, point_m: NDArray[np.float64]) -> list[SurfacePlane]:
    """The planes that face up of the larger surfaces within 30 mm of a point (3,) in the base, each about its own
    middle: which of them is the target's is for a reference view to say."""
    left, found = _points_near(view, t_base_camera, point_m, _AROUND_M), []
    rng, towards = np.random.default_rng(0), t_base_camera[:3, 3] - point_m
    for _ in range(_PLANES_AROUND):
        if len(left) < _FEWEST_POINTS:
            break
        normal, offset_m = _largest_plane(left, towards, rng)
        on_it = np.abs(left @ normal - offset_m) < _ON_PLANE_M
        surface, left = left[on_it], left[~on_it]
        if normal[2] < np.cos(_STEEPEST_RAD):
            continue
        middle = np.median(surface, axis=0)
        found.append(_plane_of(surface - middle, *_least_squares(surface - middle), t_base_camera, middle))
    return found


def _fitted(
    points: NDArray[np.float64],
    first: tuple[NDArray[np.float64], float],
    t_base_camera: Pose,
    point_m: NDArray[np.float64],
) -> SurfacePlane:
    """From a first plane (normal, offset), through more and more of the points (n, 3), which are told from point_m."""
    distances_m = np.linalg.norm(points, axis=1)
    normal, offset_m = first
    for radius_m in _RADII_M:
        around = points[distances_m < radius_m]
        on_it = around[np.abs(around @ normal - offset_m) < _ON_PLANE_M]
        if len(on_it) < _FEWEST_POINTS:
            raise _no_surface(len(on_it))
        normal, offset_m = _least_squares(on_it)
    return _plane_of(on_it, normal, offset_m, t_base_camera, point_m)


def _plane_of(
    on_it: NDArray[np.float64],
    normal: NDArray[np.float64],
    offset_m: float,
    t_base_camera: Pose,
    point_m: NDArray[np.float64],
) -> SurfacePlane:
    """From points (n, 3) on it, told from point_m, through which the camera looks at its origin."""
    tilt_rad = float(np.arccos(np.clip(normal[2], -1.0, 1.0)))
    std_rad = _normal_std_rad(on_it, on_it @ normal - offset_m)
    level, measured = tilt_rad < max(LEVEL_RAD, 2.0 * std_rad), normal
    if level:
        normal, offset_m = UP, float(np.median(on_it[:, 2]))
    ray = point_m - t_base_camera[:3, 3]
    origin = point_m + ray * (offset_m / (normal @ ray))
    return SurfacePlane(pose_of.on_surface(origin, normal), std_rad, level, tilt_rad, measured)


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


def _largest_plane(
    points: NDArray[np.float64], towards: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """Of planes through three neighbouring points each, that which most points lie on: normal, which faces the camera
    (its direction: towards), and offset."""
    first = points[rng.integers(len(points), size=_TRIED_AROUND)]
    order = np.argsort(np.linalg.norm(points[None] - first[:, None], axis=2), axis=1)
    near = order[:, 1 : max(len(points) // 8, _FEWEST_POINTS)]
    second, third = (
        points[near[np.arange(_TRIED_AROUND), rng.integers(near.shape[1], size=_TRIED_AROUND)]] for _ in range(2)
    )
    across = np.cross(second - first, third - first)
    size = np.linalg.norm(across, axis=1)
    wide = size > 1e-5
    if not wide.any():
        return UP, float(np.median(points[:, 2]))
    normals = across[wide] / size[wide, None]
    normals *= np.where(normals @ towards < 0.0, -1.0, 1.0)[:, None]
    offsets = np.sum(normals * first[wide], axis=1)
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
