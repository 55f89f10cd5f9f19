"""How a person says where a target's frame lies: by the hand above it, by two pixels, or by one pixel and a yaw."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.target import hand_yaw_rad
from vital_core.task import Task
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.lifting import lift_pixel
from vital_vlm_reach.localisation.surface_depth import gap_m

# A hand that points further from straight down than this is no mark for a level target.
MOST_LEAN_RAD = float(np.deg2rad(3.0))
# Marks nearer to each other than this do not tell a direction.
LEAST_APART_M = 0.012
# How far above the target the tip may be held.
MOST_ABOVE_M = 0.15
_STEP_M = 0.0005


@dataclass(frozen=True)
class Mark:
    """A place (3,) on the target's surface, in the base; the axis (3,) through the frame's origin; the frame's yaw."""

    on_surface_m: NDArray[np.float64]
    through_m: NDArray[np.float64]
    axis: NDArray[np.float64]
    yaw_rad: float

    def origin_m(self, t_base_plane: Pose) -> NDArray[np.float64]:
        """(3,) where the axis meets a plane."""
        normal = t_base_plane[:3, 2]
        along_m = normal @ (t_base_plane[:3, 3] - self.through_m) / (normal @ self.axis)
        return np.asarray(self.through_m + along_m * self.axis)


class Marking(Protocol):
    """Tells the mark that a view shows. Raises VitalError: BAD_PARAMETER, NO_DEPTH, NOT_IN_VIEW."""

    def __call__(self, view: View, t_base_camera: Pose) -> Mark: ...


@dataclass(frozen=True)
class HandMark:
    """By the hand as it was when it held the object's tip in or above the target, turned as in demonstrations."""

    t_base_tcp: Pose
    task: Task

    def __post_init__(self) -> None:
        lean_rad = float(np.arccos(np.clip(-self.t_base_tcp[2, 2], -1.0, 1.0)))
        if lean_rad > MOST_LEAN_RAD:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the hand leans by {np.rad2deg(lean_rad):.1f} degrees, expected at most "
                f"{np.rad2deg(MOST_LEAN_RAD):.0f}: hold it straight above the target",
            )

    def __call__(self, view: View, t_base_camera: Pose) -> Mark:
        tip_m = (self.t_base_tcp @ [self.task.tip_forward_m, 0.0, self.task.tip_offset_m, 1.0])[:3]
        axis = self.t_base_tcp[:3, 2]
        # From above the mouth of an opening, in which a tip may stand.
        from_m = tip_m - axis * self.task.success_depth_m
        return Mark(_first_surface(view, t_base_camera, from_m, axis), tip_m, axis, hand_yaw_rad(self.t_base_tcp))


@dataclass(frozen=True)
class PixelMark:
    """By the pixel (column, row) of the frame's origin in the colour image, and its yaw or a pixel along its x axis."""

    origin_uv: tuple[float, float]
    yaw_rad: float = 0.0
    along_x_uv: tuple[float, float] | None = None

    def __call__(self, view: View, t_base_camera: Pose) -> Mark:
        origin_m = self._lifted(self.origin_uv, view, t_base_camera)
        return Mark(origin_m, origin_m, np.array([0.0, 0.0, -1.0]), self._yaw_rad(origin_m, view, t_base_camera))

    def _yaw_rad(self, origin_m: NDArray[np.float64], view: View, t_base_camera: Pose) -> float:
        if self.along_x_uv is None:
            return self.yaw_rad
        along = (self._lifted(self.along_x_uv, view, t_base_camera) - origin_m)[:2]
        if (apart_m := float(np.linalg.norm(along))) < LEAST_APART_M:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the two marks are {1000 * apart_m:.1f} mm apart, expected {1000 * LEAST_APART_M:.0f} or more: "
                "mark the ends of a long edge",
            )
        return float(np.arctan2(along[1], along[0]))

    @staticmethod
    def _lifted(pixel_uv: ArrayLike, view: View, t_base_camera: Pose) -> NDArray[np.float64]:
        return lift_pixel(pixel_uv, view.depth_mm, view.camera, t_base_camera).point_m


def _first_surface(
    view: View, t_base_camera: Pose, from_m: NDArray[np.float64], axis: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(3,) the first place along an axis that lies behind what the camera sees there."""
    along_m = np.arange(0.0, MOST_ABOVE_M, _STEP_M)
    points = from_m + along_m[:, None] * axis
    t_camera_base = pose_of.inverse(t_base_camera)
    in_camera = points @ t_camera_base[:3, :3].T + t_camera_base[:3, 3]
    pixels = np.rint(view.camera.project(in_camera)).astype(int)
    height, width = view.depth_mm.shape
    if not ((pixels >= 0) & (pixels < [width, height])).all():
        raise VitalError(ErrorCode.NOT_IN_VIEW, "the hand was not above anything that the camera sees")
    seen_m = view.depth_mm[pixels[:, 1], pixels[:, 0]] / 1000.0
    behind = (seen_m > 0) & (in_camera[:, 2] >= seen_m) & (in_camera[:, 2] - seen_m < 4 * gap_m(seen_m))
    if not behind.any():
        raise VitalError(
            ErrorCode.NO_DEPTH,
            f"no surface is seen within {1000 * MOST_ABOVE_M:.0f} mm below where the tip was: was the target there?",
        )
    return np.asarray(points[int(behind.argmax())])
