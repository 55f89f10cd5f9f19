"""How high the table is occupied, cell by cell, from one depth image of it.

What stands on the table is taken as solid down to it. A place counts as free only where a reading lies behind it on
the same line of sight: what a thing hides counts as part of it. What nothing is known of (the arm before it, out of
view, no reading) counts as a thing of `UNSEEN_TOP_M`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import Task
from vital_vlm_reach.localisation.camera import Camera, check_aligned
from vital_vlm_reach.localisation.surface_depth import MAX_DEPTH_MM, MIN_DEPTH_MM

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
InArm = Callable[[Array], Mask]

CELL_M = 0.015
LEVEL_M = 0.01
# The hand is this much wider than the TCP's way, to each side.
AROUND_M = 0.08
TOP_M = 0.6
# What the arm hides, or is out of view or without a reading, is taken to be at most this high.
UNSEEN_TOP_M = 0.25
# A reading must lie this far behind a place that it shows to be free.
BEHIND_M = 0.012
# Of the image, and of what is over the table, to be readings and table.
_LEAST_READINGS, _LEAST_TABLE = 0.2, 0.3
_TABLE_SOUGHT_M = 0.08
# Highest readings of a cell that are dropped as stray.
_STRAY = 2
_HOLE_PX = 5
# What is lower than this cannot be told from the table.
TABLE_M = 0.015
# Lines of sight that graze the table show no lower level than this to be free.
_FIRST_LEVEL_M = 0.02


@dataclass(frozen=True)
class Area:
    """The part of the table that is looked at: lower and upper corner (x, y) in `link_base`, m."""

    lower_m: tuple[float, float]
    upper_m: tuple[float, float]

    @classmethod
    def of_task(cls, task: Task) -> "Area":
        """Under the task's workspace, and `AROUND_M` around."""
        lower, upper = task.workspace_lower_m, task.workspace_upper_m
        return cls((lower[0] - AROUND_M, lower[1] - AROUND_M), (upper[0] + AROUND_M, upper[1] + AROUND_M))

    @property
    def cells(self) -> tuple[int, int]:
        """How many along x and y."""
        sizes = np.subtract(self.upper_m, self.lower_m)
        nx, ny = (int(n) for n in np.ceil(sizes / CELL_M - 1e-9))
        return nx, ny

    def centres_m(self) -> Array:
        """(nx * ny, 2) of the cells, y fastest."""
        nx, ny = self.cells
        x = self.lower_m[0] + CELL_M * (np.arange(nx) + 0.5)
        y = self.lower_m[1] + CELL_M * (np.arange(ny) + 0.5)
        return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)


@dataclass(frozen=True)
class DepthView:
    """A depth image (H, W) in mm, 0 without reading, its camera, and the camera's pose in `link_base`."""

    depth_mm: NDArray[np.uint16]
    camera: Camera
    t_base_camera: Pose

    def __post_init__(self) -> None:
        check_aligned(self.depth_mm, self.camera)

    def points_m(self) -> tuple[Array, Mask]:
        """(H, W, 3) in `link_base`, and where there is a reading (H, W)."""
        valid = (self.depth_mm >= MIN_DEPTH_MM) & (self.depth_mm <= MAX_DEPTH_MM)
        points = self.camera.rays() * (self.depth_mm[..., None] / 1000.0)
        return points @ self.t_base_camera[:3, :3].T + self.t_base_camera[:3, 3], valid


def height_map(view: DepthView, area: Area, in_arm: InArm) -> Array:
    """(nx, ny) in m: how high each cell of the area is occupied, or may be for all that was seen; at most `TOP_M`.

    Raises VitalError: NO_DEPTH when the image is nearly empty, NO_CALIBRATION when the table is not where it should be.

    in_arm: which of (n, 3) points are in the arm or what it holds; such readings show nothing of the scene, and where
    the arm is nothing else can be.
    """
    measured = _measured_m(view, area, in_arm)
    return np.maximum(measured, _unseen_m(view, area, in_arm)).reshape(area.cells)


def _measured_m(view: DepthView, area: Area, in_arm: InArm) -> Array:
    """(nx * ny,) the highest reading over each cell, stray ones dropped; 0 where there is none."""
    found = _readings_over(view, area)
    found = found[(found[:, 2] > TABLE_M) & (found[:, 2] < TOP_M)]
    found = found[~in_arm(found)]
    nx, ny = area.cells
    ix, iy = ((found[:, :2] - area.lower_m) / CELL_M).astype(int).T
    cell = np.minimum(ix, nx - 1) * ny + np.minimum(iy, ny - 1)
    order = np.lexsort((found[:, 2], cell))
    cell, z = cell[order], found[order, 2]
    ends = np.searchsorted(cell, np.arange(nx * ny), side="right")
    starts = np.searchsorted(cell, np.arange(nx * ny), side="left")
    highest = np.zeros(nx * ny)
    enough = ends - starts > _STRAY
    highest[enough] = z[ends[enough] - 1 - _STRAY]
    return highest


def _readings_over(view: DepthView, area: Area) -> Array:
    """(n, 3) in `link_base`, over the area. Raises VitalError: NO_DEPTH, NO_CALIBRATION."""
    points, valid = view.points_m()
    if valid.mean() < _LEAST_READINGS:
        raise VitalError(
            ErrorCode.NO_DEPTH,
            f"{100 * valid.mean():.0f} % of the depth image are readings between {MIN_DEPTH_MM} and {MAX_DEPTH_MM} mm, "
            f"expected {100 * _LEAST_READINGS:.0f} % or more to see what stands on the table: see that the camera is "
            "not covered",
        )
    inside = (points[..., :2] >= area.lower_m).all(axis=-1) & (points[..., :2] < area.upper_m).all(axis=-1)
    over = points[valid & inside]
    _check_table(over)
    return over


def _check_table(points_m: Array) -> None:
    """Refuse a camera that has been moved since it was calibrated: it sees the table where it is not."""
    level = points_m[np.abs(points_m[:, 2]) < _TABLE_SOUGHT_M, 2]
    height_m = float(np.median(level)) if len(level) > _LEAST_TABLE * len(points_m) else 0.0
    if abs(height_m) > TABLE_M:
        raise VitalError(
            ErrorCode.NO_CALIBRATION,
            f"the scene camera sees the table {1000 * height_m:+.0f} mm from where its calibration puts it, at most "
            f"{1000 * TABLE_M:.0f} mm allowed: has it been moved? Calibrate it again",
        )


def _unseen_m(view: DepthView, area: Area, in_arm: InArm) -> Array:
    """(nx * ny,) the lowest level over each cell that is free, 0 where that is the first one; `TOP_M` without one.

    Free is what a reading lies behind, where the arm itself is, and above `UNSEEN_TOP_M` what no thing hides.
    """
    sight = _Sight(view, area, in_arm)
    centres = area.centres_m()
    lowest = np.full(len(centres), TOP_M)
    unseen = np.arange(len(centres))
    for level in np.arange(_FIRST_LEVEL_M, TOP_M, LEVEL_M):
        at = np.column_stack([centres[unseen], np.full(len(unseen), level)])
        free, hidden = sight.judge(at)
        free[~free] = in_arm(at[~free])
        if level > UNSEEN_TOP_M:
            free |= ~hidden
        lowest[unseen[free]] = level if level > _FIRST_LEVEL_M else 0.0
        unseen = unseen[~free]
        if not len(unseen):
            break
    return lowest


class _Sight:
    """Which places a depth image shows to be free, and which are hidden by a thing."""

    def __init__(self, view: DepthView, area: Area, in_arm: InArm) -> None:
        self._view, self._in_arm = view, in_arm
        self._t_camera_base = pose_of.inverse(view.t_base_camera)
        self._nearest_mm = _nearest_readings_mm(view, _pixels_of_a_cell(view, area))

    def judge(self, at_m: Array) -> tuple[Mask, Mask]:
        """Of (n, 3) places in `link_base`, each (n,): a reading lies behind it; one of a thing lies before it."""
        height, width = self._view.depth_mm.shape
        in_camera = at_m @ self._t_camera_base[:3, :3].T + self._t_camera_base[:3, 3]
        before = in_camera[:, 2] > MIN_DEPTH_MM / 1000.0
        pixels = self._view.camera.project(np.where(before[:, None], in_camera, (0.0, 0.0, 1.0)))
        column, row = np.rint(pixels).astype(int).reshape(-1, 2).T
        inside = before & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        reading_m = self._nearest_mm[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)] / 1000.0
        free = inside & (reading_m > in_camera[:, 2] + BEHIND_M)
        hidden = inside & (reading_m > 0.0) & ~free
        met = in_camera[hidden] * (reading_m[hidden] / in_camera[hidden, 2])[:, None]
        t_base_camera = self._view.t_base_camera
        hidden[hidden] = ~self._in_arm(met @ t_base_camera[:3, :3].T + t_base_camera[:3, 3])
        return free, hidden


def _pixels_of_a_cell(view: DepthView, area: Area) -> int:
    """Width of a cell in the image, in the middle of the area; odd."""
    middle = np.append(np.add(area.lower_m, area.upper_m) / 2, 0.0)
    distance = max(float(np.linalg.norm(middle - view.t_base_camera[:3, 3])), MIN_DEPTH_MM / 1000.0)
    return 2 * int(0.5 * CELL_M * view.camera.matrix[0, 0] / distance) + 1


def _nearest_readings_mm(view: DepthView, width_px: int) -> NDArray[np.uint16]:
    """(H, W) the nearest reading around each pixel; 0 where a hole is that is not a speckle."""
    depth = np.where(view.depth_mm <= MAX_DEPTH_MM, view.depth_mm, 0).astype(np.uint16)
    around = cv2.erode(np.where(depth == 0, np.uint16(65535), depth), np.ones((_HOLE_PX, _HOLE_PX), np.uint8))
    filled = np.where(depth == 0, np.where(around == 65535, 0, around), depth).astype(np.uint16)
    return np.asarray(cv2.erode(filled, np.ones((width_px, width_px), np.uint8)), np.uint16)
