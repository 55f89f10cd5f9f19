"""Boxes, of which everything that touches is built, and what the rest of the world asks of the things made of them."""

from dataclasses import dataclass
from typing import Protocol

import mujoco
from scipy.spatial.transform import Rotation

Vector = tuple[float, float, float]
HOUSING_HEIGHT_M = 0.045
# Reaches into the table, so that a housing that leans stands on a block rather than on one edge.
SKIRT_HEIGHT_M = 0.068


@dataclass(frozen=True)
class Box:
    """A box in the frame of what it is a part of."""

    name: str
    """Told from the other parts by it."""
    centre_m: Vector
    """Of the box."""
    half_m: Vector
    """Half sizes."""
    rotation_rad: Vector = (0.0, 0.0, 0.0)
    """Rotation vector."""


class Target(Protocol):
    """What a task's world is built around."""

    @property
    def object_mass_kg(self) -> float:
        """Mass of what is held or picked up."""

    def target_boxes(self) -> list[Box]:
        """The thing on the table, in its own frame."""


class HeldObject(Protocol):
    """What the hand asks of a thing that it holds from the start; all in that thing's frame."""

    @property
    def grip_m(self) -> Vector:
        """Full size of the part between the fingers."""

    @property
    def object_mass_kg(self) -> float:
        """Its mass."""

    @property
    def tip_m(self) -> float:
        """Distance of the tip from the origin along z."""

    @property
    def tip_x_m(self) -> float:
        """Distance of the tip from the origin along x."""

    def object_boxes(self) -> list[Box]:
        """The thing, the part called `grip` between the fingers."""


class Housed(Target, Protocol):
    """A target in a housing that stands on the table."""

    @property
    def housing_m(self) -> tuple[float, float]:
        """Full size (x, y) of the housing around the opening."""

    @property
    def skirt_top_m(self) -> float:
        """Where the outer faces below the rim begin, along z."""

    def lining_boxes(self) -> list[Box]:
        """Dark faces of the inside, for seeing only."""


def box_between(name: str, lower: Vector, upper: Vector) -> Box:
    """The box between two opposite corners, m."""
    (x0, y0, z0), (x1, y1, z1) = lower, upper
    centre = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2)
    return Box(name, centre, ((x1 - x0) / 2, (y1 - y0) / 2, (z1 - z0) / 2))


def add_box(body: mujoco.MjsBody, prefix: str, box: Box, rgba: list[float], **fields: object) -> None:
    """Add a box to a body under construction."""
    x, y, z, w = Rotation.from_rotvec(box.rotation_rad).as_quat()
    body.add_geom(
        name=f"{prefix}_{box.name}",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=list(box.centre_m),
        size=list(box.half_m),
        quat=[w, x, y, z],
        rgba=rgba,
        **fields,
    )
