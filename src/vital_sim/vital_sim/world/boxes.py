"""Boxes, of which everything that touches is built."""

from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """A box by name; centre and half sizes in m, rotation vector in rad, all in the owner's frame."""

    name: str
    centre_m: Vector
    half_m: Vector
    rotation_rad: Vector = (0.0, 0.0, 0.0)


def box_between(name: str, lower: Vector, upper: Vector) -> Box:
    """The box between two opposite corners, m."""
    (x0, y0, z0), (x1, y1, z1) = lower, upper
    centre = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2)
    return Box(name, centre, ((x1 - x0) / 2, (y1 - y0) / 2, (z1 - z0) / 2))
