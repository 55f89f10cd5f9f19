"""How far away the surface is that a pixel shows, from a patch of readings with holes, edges and flying pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vital_core.errors import ErrorCode, VitalError

MIN_DEPTH_MM, MAX_DEPTH_MM = 100, 4000
MIN_READINGS = 5
# 22 mm at 0.8 m and 610 px: wider than a connector's slot, so that its rim outweighs what is seen inside.
WINDOW_PX = 17
# Neighbours further apart than this at 1 m belong to different surfaces; a stereo camera's noise grows with z^2.
SURFACE_GAP_M = 0.008
# A surface that fills less of the window than this is stray readings.
_MIN_SURFACE_SHARE = 0.15
# A reading that agrees with fewer of its neighbours than this hangs between two surfaces.
_MIN_AGREEING = 0.5
# Neighbours in a stereo image share their matching window, so that many readings tell as much as a few would.
_READINGS_PER_INDEPENDENT = 9.0
# Of the camera's scale and the alignment of depth to colour: no number of readings makes it less.
_SYSTEMATIC_M = 0.001
_PLANES_TRIED = 80
_REFITS = 3
_REACH_PX = 2
_STEPS = range(-_REACH_PX, _REACH_PX + 1)
_AROUND = tuple((dv, du) for dv in _STEPS for du in _STEPS if (dv, du) != (0, 0))


@dataclass(frozen=True)
class SurfaceDepth:
    """Depth along the view, m, its standard deviation, m, and how many readings agree on it."""

    depth_m: float
    std_m: float
    readings: int


@dataclass(frozen=True)
class _Patch:
    """Readings around a pixel: offsets from it (n, 2) as (column, row) in px, depths (n,) in m."""

    offsets_px: NDArray[np.float64]
    depths_m: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.depths_m)

    def those(self, chosen: NDArray) -> "_Patch":
        return _Patch(self.offsets_px[chosen], self.depths_m[chosen])


def surface_depth(pixel_uv: ArrayLike, depth_mm: NDArray[np.uint16], *, window_px: int = WINDOW_PX) -> SurfaceDepth:
    """Depth of the nearest solid surface around a pixel (column, row); raises VitalError(NO_DEPTH).

    depth_mm: (H, W), 0 where there is no reading. The window may look past a small object onto what is behind it,
    hardly ever past what is behind onto the object; so of the surfaces in it, the nearest that fills enough of it
    counts. Readings between two surfaces are left out first; a plane through most of the surface's readings tells
    its depth at the pixel.
    """
    window, centre = _window(pixel_uv, depth_mm, window_px)
    read = (window >= MIN_DEPTH_MM) & (window <= MAX_DEPTH_MM)
    if read.sum() < MIN_READINGS:
        u, v = np.asarray(pixel_uv, dtype=float)
        raise VitalError(
            ErrorCode.NO_DEPTH,
            f"{read.sum()} of {window.size} depth readings around pixel ({u:.0f}, {v:.0f}) lie between "
            f"{MIN_DEPTH_MM} and {MAX_DEPTH_MM} mm, expected {MIN_READINGS} or more: is the target glossy or too near?",
        )
    depth_m = np.where(read, window / 1000.0, np.nan)
    rows, columns = np.nonzero(~np.isnan(depth_m) & ~_flying(depth_m))
    patch = _Patch(np.stack([columns - centre[0], rows - centre[1]], axis=1), depth_m[rows, columns])
    solid = _nearest_solid(patch, int(read.sum()))
    if solid is None:
        u, v = np.asarray(pixel_uv, dtype=float)
        raise VitalError(
            ErrorCode.NO_DEPTH,
            f"the {read.sum()} depth readings around pixel ({u:.0f}, {v:.0f}) spread over "
            f"{1000 * np.nanmax(depth_m) - 1000 * np.nanmin(depth_m):.0f} mm and form no surface: move the camera",
        )
    return _at_the_pixel(solid)


def gap_m(depth_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far apart two neighbours on one surface may be."""
    return SURFACE_GAP_M * np.maximum(1.0, depth_m**2)


def _window(
    pixel_uv: ArrayLike, depth_mm: NDArray[np.uint16], window_px: int
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """The readings around a pixel, mm, and where the pixel is among them (column, row)."""
    u, v = (float(c) for c in np.asarray(pixel_uv, dtype=float))
    height, width = depth_mm.shape
    if not (-0.5 <= u < width and -0.5 <= v < height):
        raise VitalError(ErrorCode.NO_DEPTH, f"pixel ({u:.1f}, {v:.1f}) is outside the depth image of {width}x{height}")
    reach = window_px // 2
    row, column = min(round(v), height - 1), min(round(u), width - 1)
    top, left = max(row - reach, 0), max(column - reach, 0)
    window = depth_mm[top : row + reach + 1, left : column + reach + 1].astype(float)
    return window, (u - left, v - top)


def _flying(depth_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(h, w) which readings hang in the air: most of the neighbours that were read are nearer or farther."""
    padded = np.pad(depth_m, _REACH_PX, constant_values=np.nan)
    h, w = depth_m.shape
    corners = [(_REACH_PX + dv, _REACH_PX + du) for dv, du in _AROUND]
    around = np.stack([padded[top : top + h, left : left + w] for top, left in corners])
    with np.errstate(invalid="ignore"):
        agreeing = (np.abs(around - depth_m) <= gap_m(depth_m)).sum(axis=0)
    return agreeing < _MIN_AGREEING * (~np.isnan(around)).sum(axis=0)


def _nearest_solid(patch: _Patch, read: int) -> _Patch | None:
    """Of the pieces of connected readings that are large enough the nearest."""
    if not len(patch):
        return None
    count, piece = connected_components(_links(patch), directed=False)
    least = max(MIN_READINGS, _MIN_SURFACE_SHARE * read)
    pieces = [patch.those(piece == i) for i in range(count) if (piece == i).sum() >= least]
    return min(pieces, key=lambda p: float(np.median(p.depths_m)), default=None)


def _links(patch: _Patch) -> coo_array:
    """Which readings lie beside each other, over small holes too, and are about as far away."""
    places = np.rint(patch.offsets_px - patch.offsets_px.min(axis=0)).astype(int)
    places += _REACH_PX
    number = np.full(places.max(axis=0) + 1 + _REACH_PX, -1)
    number[tuple(places.T)] = np.arange(len(patch))
    pairs = []
    for dv, du in _AROUND:
        other = number[places[:, 0] + du, places[:, 1] + dv]
        mine = np.flatnonzero(other >= 0)
        apart_m = np.abs(patch.depths_m[mine] - patch.depths_m[other[mine]])
        near = apart_m <= gap_m(patch.depths_m[mine])
        pairs.append(np.stack([mine[near], other[mine][near]]))
    rows, columns = np.concatenate(pairs, axis=1)
    return coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(patch), len(patch)))


def _at_the_pixel(patch: _Patch) -> SurfaceDepth:
    """By the plane that most readings lie on; a plane's inverse depth is linear in the image."""
    plane, on_it = _plane(patch)
    inliers = patch.those(on_it)
    depth_m = 1.0 / plane[2] if plane[2] > 0.0 else np.nan
    nearest_m, farthest_m = inliers.depths_m.min(), inliers.depths_m.max()
    if not nearest_m - SURFACE_GAP_M <= depth_m <= farthest_m + SURFACE_GAP_M:
        plane = np.array([0.0, 0.0, 1.0 / np.median(inliers.depths_m)])
        depth_m = 1.0 / plane[2]
    return SurfaceDepth(float(depth_m), _std_m(inliers, plane), len(inliers))


def _design(patch: _Patch) -> NDArray[np.float64]:
    return np.column_stack([patch.offsets_px, np.ones(len(patch))])


def _plane(patch: _Patch) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(3,) inverse depth, 1/m, per px of column and row and at the pixel; (n,) which readings lie on that plane.

    Of planes through three readings each the one that most others lie near, then least squares through those.
    """
    design, inverse = _design(patch), 1.0 / patch.depths_m
    tolerance = gap_m(patch.depths_m) / 3 / patch.depths_m**2
    level = np.array([0.0, 0.0, float(np.median(inverse))])
    tried = np.concatenate([level[None], _planes_through_three(design, inverse)])
    agreeing = np.abs(design @ tried.T - inverse[:, None]) <= tolerance[:, None]  # (n, planes)
    on_it = agreeing[:, agreeing.sum(axis=0).argmax()]
    plane = level
    for _ in range(_REFITS):
        if on_it.sum() < MIN_READINGS:
            return level, np.ones(len(patch), bool)
        plane = np.linalg.lstsq(design[on_it], inverse[on_it], rcond=1e-6)[0]
        on_it = np.abs(design @ plane - inverse) <= tolerance
    return (plane, on_it) if on_it.sum() >= MIN_READINGS else (level, np.ones(len(patch), bool))


def _planes_through_three(design: NDArray[np.float64], inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, 3) planes through three readings drawn at random, always the same ones."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(inverse), size=(_PLANES_TRIED, 3))
    triangles = design[drawn]  # (k, 3, 3)
    wide = np.abs(np.linalg.det(triangles)) > 2.0
    return np.linalg.solve(triangles[wide], inverse[drawn[wide]][..., None])[..., 0]


def _std_m(inliers: _Patch, plane: NDArray[np.float64]) -> float:
    """Standard deviation of the plane's depth at the pixel: the scatter's share, and what no averaging takes away."""
    design = _design(inliers)
    depth_m = 1.0 / plane[2]
    scatter_m = 1.4826 * float(np.median(np.abs(inliers.depths_m - 1.0 / np.maximum(design @ plane, 1e-3))))
    leverage = float(np.linalg.pinv(design.T @ design)[2, 2])
    averaged_m = scatter_m * np.sqrt(min(_READINGS_PER_INDEPENDENT * leverage, 1.0))
    return float(np.hypot(averaged_m, _SYSTEMATIC_M * max(depth_m, 1.0)))
