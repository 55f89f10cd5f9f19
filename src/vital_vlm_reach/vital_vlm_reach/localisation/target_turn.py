"""How the pointed target is turned: its surface's plane, and the yaw against its reference view."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import VitalError
from vital_core.pose import Pose
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.registration import Reference
from vital_vlm_reach.localisation.top_view import SurfacePlane, surface_plane, top_view


@dataclass(frozen=True)
class TargetTurn:
    """The plane of a target's surface and, where it is known, its yaw about that plane's normal.

    yaw_rad: against the reference view, of the `symmetry` ones that look or count as the same; NaN: not known.
    origin_m: (3,) of the reference view's origin, where the yaw is known. message: what came of it, for the operator.
    """

    plane: SurfacePlane
    yaw_rad: float
    yaw_std_rad: float
    symmetry: int
    origin_m: NDArray[np.float64]
    message: str

    @property
    def known(self) -> bool:
        """Whether there is a yaw."""
        return bool(np.isfinite(self.yaw_rad))


def target_turn(
    view: View, t_base_camera: Pose, point_m: NDArray[np.float64], reference: Reference | None
) -> TargetTurn:
    """From a point (3,) on the target's surface, in the base. Without a reference view, or when what is seen is not
    what it shows, the yaw is not known. Raises VitalError(NO_DEPTH) when no surface is seen."""
    plane = surface_plane(view, t_base_camera, point_m)
    if reference is None:
        return _unknown(plane, point_m, "yaw not known: there is no reference view of this target")
    seen, plane = top_view(view, t_base_camera, plane)
    try:
        found = reference.register(seen)
    except VitalError as error:
        return _unknown(plane, point_m, f"yaw not known: {error.message}")
    at = np.array([*found.fit.shift_m, reference.middle_height_m])
    origin_m = plane.t_base_plane[:3, 3] + plane.t_base_plane[:3, :3] @ at
    alike = f", and the same every {360 // found.symmetry} degrees" if found.symmetry > 1 else ""
    told = f"yaw {np.rad2deg(found.fit.yaw_rad):.1f} +- {np.rad2deg(found.yaw_std_rad):.1f} degrees{alike}"
    if not plane.level:
        told += f", tilted by {np.rad2deg(plane.tilt_rad):.0f} degrees"
    return TargetTurn(plane, found.fit.yaw_rad, found.yaw_std_rad, found.symmetry, origin_m, told)


def _unknown(plane: SurfacePlane, point_m: NDArray[np.float64], why: str) -> TargetTurn:
    return TargetTurn(plane, float("nan"), float("nan"), 1, point_m, why)
