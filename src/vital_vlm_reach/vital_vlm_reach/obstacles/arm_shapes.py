"""Where the arm and what it holds are: the distance of points from their shapes."""

import coal
import numpy as np
import pinocchio as pin
from numpy.typing import ArrayLike, NDArray

from vital_core.arm.xarm7 import FLANGE_TO_TCP_M, JOINT_NAMES
from vital_vlm_reach.planning.robot_model import HELD_RADIUS_M, RobotModel

Array = NDArray[np.float64]


class ArmShapes:
    """The planner's own shapes of the arm and the held object, at one state: joints (7,) in rad.

    tip_forward_m: how far what is held reaches ahead of the TCP, as a card does.
    """

    def __init__(
        self, robot: RobotModel, joints_rad: ArrayLike, tip_offset_m: float, tip_forward_m: float = 0.0
    ) -> None:
        shapes = robot.with_held_object(tip_offset_m)
        if tip_forward_m > 0.0:
            shapes.addGeometryObject(_plate(robot, tip_offset_m, tip_forward_m))
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


def _plate(robot: RobotModel, tip_offset_m: float, tip_forward_m: float) -> pin.GeometryObject:
    """What reaches ahead of the TCP as far as the tip, and as far above the TCP as the tip is below."""
    centre_m = np.array([tip_forward_m / 2, 0.0, FLANGE_TO_TCP_M])
    box = coal.Box(tip_forward_m, 2 * HELD_RADIUS_M, 2 * tip_offset_m)
    flange = robot.model.getJointId(JOINT_NAMES[-1])
    return pin.GeometryObject("plate", flange, pin.SE3(np.eye(3), centre_m), box)


def _distance_m(shape: coal.CollisionGeometry, points_m: Array) -> Array:
    """Of (n, 3) points in the shape's frame from its surface, (n,); not above zero inside."""
    if isinstance(shape, coal.Box):
        beyond = np.abs(points_m) - shape.halfSide
        return np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    if isinstance(shape, coal.Capsule):
        along = points_m[:, 2] - np.clip(points_m[:, 2], -shape.halfLength, shape.halfLength)
        return np.sqrt(points_m[:, 0] ** 2 + points_m[:, 1] ** 2 + along**2) - shape.radius
    raise TypeError(f"the arm has a shape of kind {type(shape).__name__}, expected Box or Capsule")
