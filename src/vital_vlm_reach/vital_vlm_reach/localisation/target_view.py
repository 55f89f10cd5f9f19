"""A target seen from straight above: colour and height of its surface, cell by cell; and such a view on disk.

A view on disk is a PNG: its colours are the view's, its alpha channel the height (0 where nothing was read). It shows
the target as it lay when the demonstrations were recorded: what is turned like that has yaw 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_core.files.image_file import read_image
from vital_core.files.schema import Source
from vital_core.pose import Pose
from vital_core.target import UP

# Stand for the folder of the simulated targets' views, and for none.
SHIPPED, NO_VIEWS = "shipped", "none"
CELL_M = 0.001
# Half the width of a view: a wall plate's corner and what a pointed pixel may be off.
HALF_CELLS = 56
CELLS = 2 * HALF_CELLS + 1
# Heights are told within this much of the target's surface; what is lower is its surroundings.
HEIGHT_RANGE_M = 0.004
# What lies lower than this is not the surface itself.
SURFACE_DROP_M = 0.0028
# What stands higher than this above the plane is nothing of the target, however it leans, and hides what lies behind.
HIDING_M = 0.015
_LEVELS = 254
# Depth is trusted this far from an edge; and what it does not show of a surface is no wider than that.
_SURE_CELLS, _LOST_CELLS = 2, 6
_CUTS = 3
_STEP_CELLS = 5


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


@dataclass(frozen=True)
class TargetView:
    """A view on the plane of the target's surface, a cell for each `CELL_M`; column along x, row along y of the plane.

    colour: (n, n, 3) float32, 0 to 255. height_m: (n, n) float32 above the plane, within +-`HEIGHT_RANGE_M`, the
    lower end for whatever is lower. known: (n, n) bool, where something was read. hidden: (n, n) bool, where something
    else stands in the line of sight; None: nowhere.
    """

    colour: NDArray[np.float32]
    height_m: NDArray[np.float32]
    known: NDArray[np.bool_]
    hidden: NDArray[np.bool_] | None = None

    def surface(self) -> NDArray[np.bool_]:
        """(n, n) the target's upper surface: what is about as high as the middle and hangs together with it.

        Its edge is the one that its colour shows: depth is not read, or not to the point, just along edges.
        """
        by_depth = self._surface_by_depth().astype(np.uint8)
        if not by_depth.any():
            return by_depth > 0
        away = cv2.distanceTransform(1 - by_depth, cv2.DIST_L2, 5)
        low = self.known & (self.height_m <= -SURFACE_DROP_M)
        labels = np.where(by_depth > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        labels[cv2.erode(by_depth, np.ones((2 * _SURE_CELLS + 1,) * 2, np.uint8)) > 0] = cv2.GC_FGD
        labels[(low & (away > _SURE_CELLS)) | (away > _LOST_CELLS)] = cv2.GC_BGD
        labels[self._is_hidden()] = cv2.GC_BGD
        if not (labels == cv2.GC_FGD).any() or not (labels == cv2.GC_BGD).any():
            return by_depth > 0
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        image = np.ascontiguousarray(self.colour.round().astype(np.uint8))
        cv2.grabCut(image, labels, (0, 0, 1, 1), *models, _CUTS, cv2.GC_INIT_WITH_MASK)
        return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))

    def _surface_by_depth(self) -> NDArray[np.bool_]:
        high = (self.known & (self.height_m > -SURFACE_DROP_M) & ~self._is_hidden()).astype(np.uint8)
        opened = cv2.morphologyEx(high, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        # A step within the surface shows as a wall of a cell or three: both sides are one surface.
        bridged = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((_STEP_CELLS,) * 2, np.uint8))
        _, piece = cv2.connectedComponents(bridged)
        n = piece.shape[0] // 2
        near = piece[n - 6 : n + 7, n - 6 : n + 7]
        counts = np.bincount(near[near > 0], minlength=2)
        if not counts[1:].any():
            return np.zeros_like(self.known)
        outlines, _ = cv2.findContours(
            (piece == counts.argmax()).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        return (cv2.drawContours(np.zeros_like(high), outlines, -1, 1, cv2.FILLED) > 0) & ~self._is_hidden()

    def _is_hidden(self) -> NDArray[np.bool_]:
        return np.zeros_like(self.known) if self.hidden is None else self.hidden


def median_view(views: Sequence[TargetView]) -> TargetView:
    """The views' median; known is what half of them know."""
    return TargetView(
        np.median([view.colour for view in views], axis=0).astype(np.float32),
        np.median([view.height_m for view in views], axis=0).astype(np.float32),
        np.mean([view.known for view in views], axis=0) >= 0.5,
    )


def save_view(path: Path, view: TargetView) -> None:
    """Write a view as PNG."""
    share = (np.clip(view.height_m, -HEIGHT_RANGE_M, HEIGHT_RANGE_M) + HEIGHT_RANGE_M) / (2 * HEIGHT_RANGE_M)
    alpha = np.where(view.known, 1 + np.rint(share * _LEVELS), 0)
    colour = np.rint(view.colour[..., ::-1])
    whole, data = cv2.imencode(".png", np.dstack([colour, alpha]).astype(np.uint8))
    if not whole:
        raise VitalError(ErrorCode.INTERNAL, f"a view of {view.colour.shape} cannot be written as PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    safe_file.write_bytes(path, data.tobytes())


def load_view(path: Path) -> TargetView:
    """Inverse of `save_view`, but for rounding. Raises VitalError(BAD_PARAMETER) when it is no such view."""
    source = Source(
        f"reference view {path}", ErrorCode.BAD_PARAMETER, "take it again, or render it with `render_references`"
    )
    image = read_image(path, cv2.IMREAD_UNCHANGED, source)
    if image.shape != (CELLS, CELLS, 4) or image.dtype != np.uint8:
        raise source.refuse(f"is an image of {image.shape}, expected {(CELLS, CELLS, 4)} with its height as alpha")
    alpha = image[..., 3].astype(np.float32)
    height_m = (np.maximum(alpha - 1, 0) / _LEVELS * 2 - 1) * HEIGHT_RANGE_M
    view = TargetView(image[..., 2::-1].astype(np.float32), height_m.astype(np.float32), alpha > 0)
    if view.surface().sum() < 100:
        raise source.refuse("shows no surface in its middle")
    return view
