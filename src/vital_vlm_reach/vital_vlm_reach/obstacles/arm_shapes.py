"""Where the arm and what it holds are: the distance of points from their shapes."""

import coal
import numpy as np
import pinocchio as pin
from numpy.typing import ArrayLike, NDArray

from vital_vlm_reach.planning.robot_model import RobotModel

Array = NDArray[np.float64]


class ArmShapes:
    """The planner's own shapes of the arm and the held object, at one state: joints (7,) in rad."""

    def __init__(self, robot: RobotModel, joints_rad: ArrayLike, tip_offset_m: float) -> None:
        shapes = robot.with_held_object(tip_offset_m)
        data, checks = robot.model.createData(), pin.GeometryData(shapes)
        q = np.asarray(joints_rad, dtype=float)
        pin.updateGeometryPlacements(robot.model, data, shapes, checks, q)
        self._placed = [(s.geometry, checks.oMg[i]) for i, s in enumerate(shapes.geometryObjects)]

    def within(self, points_m: Array, distance_m: float) -> NDArray[np.bool_]:
        """Whether each of (n, 3) points in `link_base` is in a shape, or nearer to one than a distance."""
        near = np.zeros(len(points_m), dtype=bool)
        for shape, place in self._placed:
            left = np.flatnonzero(~near)
            local = (points_m[left] - place.translation) @ place.rotation
            near[left] = _distance_m(shape, local) < distance_m
        return near


def _distance_m(shape: coal.CollisionGeometry, points_m: Array) -> Array:
    """Of (n, 3) points in the shape's frame from its surface, (n,); not above zero inside."""
    if isinstance(shape, coal.Box):
        beyond = np.abs(points_m) - shape.halfSide
        return np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    if isinstance(shape, coal.Capsule):
        along = points_m[:, 2] - np.clip(points_m[:, 2], -shape.halfLength, shape.halfLength)
        return np.sqrt(points_m[:, 0] ** 2 + points_m[:, 1] ** 2 + along**2) - shape.radius
    raise TypeError(f"the arm has a shape of kind {type(shape).__name__}, expected Box or Capsule")
