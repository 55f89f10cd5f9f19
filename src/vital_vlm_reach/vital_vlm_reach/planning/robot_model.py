"""What touches what: the arm's shapes against each other and against the scene (Pinocchio and coal).

Joint positions are (7,) in rad, lengths in m, everything in `link_base`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import coal
import numpy as np
import pinocchio as pin
from numpy.typing import ArrayLike, NDArray

from vital_core.arm.urdf import BODIES, GRIPPER_FRAME, urdf
from vital_core.arm.xarm7 import BASE_FRAME, FLANGE_TO_TCP_M, JOINT_NAMES

HELD_OBJECT = "held_object"
HELD_RADIUS_M = 0.016
# Links that are never nearer than this along the chain are kept apart by the joint limits themselves.
MIN_LINKS_BETWEEN = 3
# Without any margin coal misses shapes that lie in each other exactly on an axis of symmetry.
_LEAST_MARGIN_M = 1e-5
# The base and the first link stand on the table and turn about the vertical.
FIRST_FREE_LINK = 2


@dataclass(frozen=True)
class Obstacle:
    """A box in the scene: centre and full size in m, along the axes of `link_base`."""

    name: str
    centre_m: tuple[float, float, float]
    size_m: tuple[float, float, float]


def chain_rank(link: str) -> int:
    """Place of a link along the chain: 0 base, 1 to 7 links, 8 the hand and what is fixed to it."""
    if link == BASE_FRAME:
        return 0
    number = link.removeprefix("link")
    return int(number) if number.isdigit() else 8


def kept_apart(one: str, other: str) -> bool:
    """Whether the joint limits themselves keep two links apart."""
    return abs(chain_rank(one) - chain_rank(other)) < MIN_LINKS_BETWEEN


def _of_shape(name: str) -> str:
    return name.rsplit("_", 1)[0]


class RobotModel:
    """The arm with seven joints, its gripper wide open, and what it holds."""

    def __init__(self) -> None:
        description = urdf()
        model = pin.buildModelFromXML(description)
        shapes = pin.buildGeomFromUrdfString(model, description, pin.GeometryType.COLLISION)
        gripper = [model.getJointId(name) for name in model.names[1:] if name not in JOINT_NAMES]
        self.model, reduced = pin.buildReducedModel(model, [shapes], gripper, pin.neutral(model))
        self.shapes = _round_rods(reduced[0])

    def with_held_object(self, tip_offset_m: float) -> pin.GeometryModel:
        """The arm's shapes and a capsule from above the TCP to the held object's tip."""
        shapes = self.shapes.copy()
        upper, lower = FLANGE_TO_TCP_M - 0.02, FLANGE_TO_TCP_M + tip_offset_m - HELD_RADIUS_M
        place = pin.SE3(np.eye(3), np.array([0.0, 0.0, (upper + lower) / 2]))
        flange = self.model.getJointId(JOINT_NAMES[-1])
        capsule = coal.Capsule(HELD_RADIUS_M, lower - upper)
        shapes.addGeometryObject(pin.GeometryObject(f"{HELD_OBJECT}_0", flange, place, capsule))
        return shapes


def _round_rods(shapes: pin.GeometryModel) -> pin.GeometryModel:
    """A cylinder and the balls at its ends are one capsule, which is cheaper to check."""
    rounded = pin.GeometryModel()
    for shape in shapes.geometryObjects:
        if isinstance(shape.geometry, coal.Sphere):
            continue
        if isinstance(shape.geometry, coal.Cylinder):
            rod = coal.Capsule(shape.geometry.radius, 2 * shape.geometry.halfLength)
            shape = pin.GeometryObject(shape.name, shape.parentJoint, shape.placement, rod)
        rounded.addGeometryObject(shape)
    return rounded


class CollisionScene:
    """The arm among obstacles. A state is in collision when two shapes come within ``margin_m``."""

    def __init__(
        self, robot: RobotModel, obstacles: Sequence[Obstacle], *, tip_offset_m: float, margin_m: float = 0.0
    ) -> None:
        self._model, self._data = robot.model, robot.model.createData()
        self._shapes = robot.with_held_object(tip_offset_m)
        # By name: the objects themselves move when others are added.
        ranks = [chain_rank(_of_shape(shape.name)) for shape in self._shapes.geometryObjects]
        for obstacle in obstacles:
            place = pin.SE3(np.eye(3), np.asarray(obstacle.centre_m, dtype=float))
            box = coal.Box(*map(float, obstacle.size_m))
            self._shapes.addGeometryObject(pin.GeometryObject(obstacle.name, 0, place, box))
        self._arm_shapes = len(ranks)
        self._pair(ranks, len(obstacles))
        self._checks = pin.GeometryData(self._shapes)
        self.margin_m = margin_m
        self._near = pin.BroadPhaseManager_DynamicAABBTreeCollisionManager(self._model, self._shapes, self._checks)

    def _pair(self, ranks: Sequence[int], obstacles: int) -> None:
        """ranks: of the arm's shapes, which come before the obstacles."""
        for i, rank in enumerate(ranks):
            for k in range(i + 1, len(ranks)):
                if abs(ranks[k] - rank) >= MIN_LINKS_BETWEEN:
                    self._shapes.addCollisionPair(pin.CollisionPair(i, k))
            for k in range(len(ranks), len(ranks) + obstacles):
                if rank >= FIRST_FREE_LINK:
                    self._shapes.addCollisionPair(pin.CollisionPair(i, k))

    @property
    def margin_m(self) -> float:
        """Distance that counts as a collision."""
        return float(self._checks.collisionRequests[0].security_margin)

    @margin_m.setter
    def margin_m(self, value: float) -> None:
        for request in self._checks.collisionRequests:
            request.security_margin = max(value, _LEAST_MARGIN_M)

    def in_collision(self, joints_rad: ArrayLike) -> bool:
        """Whether anything touches."""
        q = np.asarray(joints_rad, dtype=float)
        return bool(pin.computeCollisions(self._model, self._data, self._near, q, True))

    def clearance_m(self, joints_rad: ArrayLike) -> float:
        """Smallest distance between the arm and an obstacle; below 0: how deep they are in each other."""
        q = np.asarray(joints_rad, dtype=float)
        pin.computeDistances(self._model, self._data, self._shapes, self._checks, q)
        pairs = zip(self._shapes.collisionPairs, self._checks.distanceResults, strict=True)
        return min((r.min_distance for pair, r in pairs if pair.second >= self._arm_shapes), default=float("inf"))

    def tcp_m(self, joints_rad: ArrayLike) -> NDArray[np.float64]:
        """(3,) position of the TCP."""
        pin.forwardKinematics(self._model, self._data, np.asarray(joints_rad, dtype=float))
        flange = self._data.oMi[self._model.njoints - 1]
        return flange.translation + FLANGE_TO_TCP_M * flange.rotation[:, 2]

    def touching(self, joints_rad: ArrayLike) -> list[tuple[str, str]]:
        """Names of every two shapes that touch, numbers of primitives left out."""
        q = np.asarray(joints_rad, dtype=float)
        pin.computeCollisions(self._model, self._data, self._shapes, self._checks, q, False)
        names = [shape.name for shape in self._shapes.geometryObjects]
        found: set[tuple[str, str]] = set()
        for pair, result in zip(self._shapes.collisionPairs, self._checks.collisionResults, strict=True):
            if result.isCollision():
                found.add((_link_name(names[pair.first]), _link_name(names[pair.second])))
        return sorted(found)


def _link_name(shape: str) -> str:
    link = _of_shape(shape)
    return link if link in BODIES or link == HELD_OBJECT else shape


def touching_text(pairs: Sequence[tuple[str, str]]) -> str:
    """`link5 and table, xarm_gripper_base_link and keep_out`, shortened for an operator."""
    told = [f"{a.replace(GRIPPER_FRAME, 'gripper')} and {b.replace(GRIPPER_FRAME, 'gripper')}" for a, b in pairs[:3]]
    return ", ".join(told) + (f" and {len(pairs) - 3} more" if len(pairs) > 3 else "")
