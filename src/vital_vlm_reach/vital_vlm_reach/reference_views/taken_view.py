"""A reference view out of what the scene's camera saw of a target that a person marked; refused when it is no good."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.registration import Fit, Reference
from vital_vlm_reach.localisation.surface_plane import surface_plane
from vital_vlm_reach.localisation.target_view import CELL_M, SURFACE_DROP_M, SurfacePlane, TargetView, median_view
from vital_vlm_reach.localisation.top_view import top_view
from vital_vlm_reach.reference_views.marking import Mark, Marking

LEAST_SURFACE_MM2 = 150.0
LEAST_READ = 0.6
# Another piece that is as high as the target counts as a second thing from this share of its surface on.
_SECOND_SHARE = 0.2
_BORDER_CELLS = 3
_ROUNDS = 2
_MOST_YAW_STD_RAD = float(np.deg2rad(4.0))
# From one image to the next, of a target that nobody touches.
_MOST_APART_RAD, _MOST_APART_M = float(np.deg2rad(2.0)), 0.002
_COMPARED = 3


@dataclass(frozen=True)
class TakenView:
    """A reference view, the target's frame in the base, and what an operator wants to know of it.

    read: share of the surface with depth. repeats_rad, repeats_m: largest difference of yaw and place when single
    images are laid onto it. symmetry: in how many yaws of a full turn it looks, or counts as, the same.
    """

    view: TargetView
    t_base_target: Pose
    surface_mm2: float
    read: float
    symmetry: int
    yaw_std_rad: float
    repeats_rad: float
    repeats_m: float

    def told(self) -> str:
        """One sentence."""
        x, y, z = self.t_base_target[:3, 3]
        yaw_deg = np.rad2deg(np.arctan2(self.t_base_target[1, 0], self.t_base_target[0, 0]))
        alike = f", the same every {360 // self.symmetry} degrees" if self.symmetry > 1 else ""
        return (
            f"target at ({x:.3f}, {y:.3f}, {z:.3f}) m, turned by {yaw_deg:.1f} degrees: {self.surface_mm2:.0f} mm2 of "
            f"surface, {100 * self.read:.0f} % of it with depth, yaw to {np.rad2deg(self.yaw_std_rad):.1f} "
            f"degrees{alike}; images repeat within {np.rad2deg(self.repeats_rad):.1f} degrees and "
            f"{1000 * self.repeats_m:.1f} mm"
        )


def taken_view(views: Sequence[View], t_base_camera: Pose, marking: Marking, symmetry: int) -> TakenView:
    """The reference view of a target that lies still, from one image or more of it.

    symmetry: in how many yaws of a full turn the task takes the held object. Raises VitalError: what the marking
    raises; NO_DEPTH: its surface is hardly read; AMBIGUOUS: two things are seen; BAD_OBSERVATION: it is tilted, too
    small, not free of what is around it, round, or was moved.
    """
    mark = marking(views[0], t_base_camera)
    plane = surface_plane(views[0], t_base_camera, mark.on_surface_m)
    if not plane.level:
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"the target's surface is tilted by {np.rad2deg(plane.tilt_rad):.0f} degrees: lay it level for its "
            "reference view",
        )
    for _ in range(_ROUNDS):
        plane = _in_the_targets_frame(mark, plane)
        _, plane = top_view(views[0], t_base_camera, plane)
    plane = _in_the_targets_frame(mark, plane)
    seen = [top_view(view, t_base_camera, plane)[0] for view in views]
    view = median_view(seen)
    surface = _checked_surface(view)
    reference = Reference(view, symmetry)
    own = reference.register(view)
    if own.yaw_std_rad > _MOST_YAW_STD_RAD:
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"its yaw could be told to {np.rad2deg(own.yaw_std_rad):.1f} degrees only, expected "
            f"{np.rad2deg(_MOST_YAW_STD_RAD):.0f}: is it round and of one colour? Mark it",
        )
    apart_rad, apart_m = _repeats(reference, seen)
    area_mm2 = float(surface.sum() * (1000 * CELL_M) ** 2)
    return TakenView(
        view, plane.t_base_plane, area_mm2, float(view.known[surface].mean()), own.symmetry, own.yaw_std_rad, apart_rad,
        apart_m,
    )  # fmt: skip


def drawn(view: View, t_base_camera: Pose, t_base_target: Pose) -> NDArray[np.uint8]:
    """The colour image with the target's x axis in red and its y axis in green, 3 cm long, for an operator to check."""
    ends = t_base_target @ np.array([[0.0, 0, 0, 1], [0.03, 0, 0, 1], [0, 0.03, 0, 1]]).T
    in_camera = (pose_of.inverse(t_base_camera) @ ends)[:3].T
    origin, x, y = (tuple(round(float(c)) for c in pixel) for pixel in view.camera.project(in_camera))
    picture = view.rgb.copy()
    for end, colour in ((x, (255, 0, 0)), (y, (0, 255, 0))):
        cv2.arrowedLine(picture, origin, end, colour, 1, cv2.LINE_AA)
    return picture


def _in_the_targets_frame(mark: Mark, plane: SurfacePlane) -> SurfacePlane:
    frame = pose_of.on_surface(mark.origin_m(plane.t_base_plane), plane.normal, mark.yaw_rad)
    return replace(plane, t_base_plane=frame)


def _checked_surface(view: TargetView) -> NDArray[np.bool_]:
    """(n, n) the surface. Raises VitalError as `taken_view` does."""
    surface = view.surface()
    area_mm2 = float(surface.sum() * (1000 * CELL_M) ** 2)
    if area_mm2 < LEAST_SURFACE_MM2:
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"{area_mm2:.0f} mm2 of level surface are seen where it was marked, expected {LEAST_SURFACE_MM2:.0f} or "
            "more: is the mark on it, and the camera near enough?",
        )
    read = float(view.known[surface].mean())
    if read < LEAST_READ:
        raise VitalError(
            ErrorCode.NO_DEPTH,
            f"{100 * read:.0f} % of its surface has depth readings, expected {100 * LEAST_READ:.0f} or more: is it "
            "glossy or black? Other light, more laser power, or a matt spray",
        )
    inner = np.zeros_like(surface)
    inner[_BORDER_CELLS:-_BORDER_CELLS, _BORDER_CELLS:-_BORDER_CELLS] = True
    if (surface & ~inner).any():
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"its surface reaches {500 * CELL_M * len(surface):.0f} mm from its middle: it is flush with what is "
            "around it, or too large; lay it where 3 mm and more around it are lower",
        )
    high = view.known & (view.height_m > -SURFACE_DROP_M) & (cv2.dilate(surface.astype(np.uint8), np.ones((7, 7))) == 0)
    opened = cv2.morphologyEx(high.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(opened)
    second_mm2 = float(stats[1:, cv2.CC_STAT_AREA].max(initial=0) * (1000 * CELL_M) ** 2)
    if second_mm2 > _SECOND_SHARE * area_mm2:
        raise VitalError(
            ErrorCode.AMBIGUOUS,
            f"a second thing of {second_mm2:.0f} mm2 is as high as the target ({area_mm2:.0f} mm2) within 5 cm of it: "
            "take it away",
        )
    return surface


def _repeats(reference: Reference, seen: Sequence[TargetView]) -> tuple[float, float]:
    """Largest difference of yaw, rad, and place, m, of single images. Raises VitalError(BAD_OBSERVATION)."""
    fits = [reference.register(view).fit for view in seen[:: max(len(seen) // _COMPARED, 1)][-_COMPARED:]]
    period = 2 * np.pi / max(reference.symmetry, 1)
    apart_rad = max(abs((fit.yaw_rad + period / 2) % period - period / 2) for fit in fits)
    apart_m = max(_moved_m(reference, fit) for fit in fits)
    if apart_rad > _MOST_APART_RAD or apart_m > _MOST_APART_M:
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"images of it differ by {np.rad2deg(apart_rad):.1f} degrees and {1000 * apart_m:.1f} mm, expected at most "
            f"{np.rad2deg(_MOST_APART_RAD):.0f} and {1000 * _MOST_APART_M:.0f}: was it or the camera moved?",
        )
    return apart_rad, apart_m


def _moved_m(reference: Reference, fit: Fit) -> float:
    """How far a fit moves the middle of the surface, whichever of the yaws that look alike it is."""
    c, s = np.cos(fit.yaw_rad), np.sin(fit.yaw_rad)
    turned = np.array([[c, -s], [s, c]]) @ reference.centre
    return float(np.linalg.norm(np.array(fit.shift_m) + CELL_M * (turned - reference.centre)))
