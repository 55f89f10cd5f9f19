"""The arm as links that turn in one another, read from a URDF: primitives, and meshes where their files are here."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose

Array = NDArray[np.float64]
GREY = (0.8, 0.8, 0.8)


@dataclass(frozen=True)
class Shape:
    """A primitive in a link's frame. kind: box, cylinder (along z) or sphere; size: (x, y, z), (radius, length) or
    (radius,), m. colour: red, green and blue from 0 to 1."""

    kind: str
    size: tuple[float, ...]
    t_link_shape: Pose
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Link:
    """A link, in its parent's frame where its joint is at 0. axis: (3,) it turns about, None where it is fixed;
    joint: whose angle counts, another's where it follows one."""

    name: str
    parent: str
    t_parent_link: Pose
    joint: str
    axis: Array | None
    shapes: tuple[Shape, ...]

    def wxyz(self, angle_rad: float) -> Array:
        """(4,) quaternion of the link in its parent with its joint at this angle, w first; many times a second."""
        axis = np.zeros(3) if self.axis is None else self.axis
        w, x, y, z = self._wxyz_at_zero
        s, (a, b, c) = math.cos(angle_rad / 2.0), (math.sin(angle_rad / 2.0) * axis).tolist()
        return np.array(
            [w * s - x * a - y * b - z * c, w * a + x * s + y * c - z * b, w * b - x * c + y * s + z * a,
             w * c + x * b - y * a + z * s]
        )  # fmt: skip

    @cached_property
    def _wxyz_at_zero(self) -> tuple[float, ...]:
        return tuple(np.roll(pose_of.to_quaternion(self.t_parent_link), 1).tolist())

    def pose(self, joints_rad: Mapping[str, float]) -> Pose:
        """In the parent's frame; a joint that is not known is at 0."""
        if self.axis is None:
            return self.t_parent_link
        turned = pose_of.from_vector((0, 0, 0), self.axis * joints_rad.get(self.joint, 0.0))
        return self.t_parent_link @ turned


def links_of(urdf: str) -> list[Link]:
    """The links of a URDF, parents first. The root's parent is empty."""
    robot = ET.fromstring(urdf)
    shapes = {link.get("name", ""): _shapes(link) for link in robot.findall("link")}
    joints = {_name(joint, "child"): joint for joint in robot.findall("joint")}
    ordered: list[Link] = []
    waiting = [name for name in shapes if name not in joints]
    while waiting:
        name = waiting.pop(0)
        ordered.append(_link(name, joints.get(name), shapes[name]))
        waiting += [child for child, joint in joints.items() if _name(joint, "parent") == name and child in shapes]
    return ordered


def _name(joint: ET.Element, end: str) -> str:
    found = joint.find(end)
    return "" if found is None else found.get("link", "")


def _link(name: str, joint: ET.Element | None, shapes: tuple[Shape, ...]) -> Link:
    if joint is None:
        return Link(name, "", np.eye(4), "", None, shapes)
    axis, mimic = joint.find("axis"), joint.find("mimic")
    angle = joint.get("name", "") if mimic is None else mimic.get("joint", "")
    turns = None if axis is None or joint.get("type") == "fixed" else _numbers(axis, "xyz")
    return Link(name, _name(joint, "parent"), _origin(joint), angle, turns, shapes)


def _shapes(link: ET.Element) -> tuple[Shape, ...]:
    found = []
    for visual in link.findall("visual"):
        for geometry in visual.findall("geometry/*"):
            if (size := _size(geometry)) is not None:
                found.append(Shape(geometry.tag, size, _origin(visual), _colour(visual)))
    return tuple(found)


def _size(geometry: ET.Element) -> tuple[float, ...] | None:
    names = {"box": ("size",), "cylinder": ("radius", "length"), "sphere": ("radius",)}.get(geometry.tag)
    return None if names is None else tuple(float(v) for name in names for v in geometry.get(name, "0").split())


def _colour(visual: ET.Element) -> tuple[float, float, float]:
    colour = visual.find("material/color")
    if colour is None:
        return GREY
    red, green, blue = _numbers(colour, "rgba")[:3].tolist()
    return red, green, blue


def _origin(element: ET.Element) -> Pose:
    origin = element.find("origin")
    if origin is None:
        return np.eye(4)
    return pose_of.from_rpy(_numbers(origin, "xyz"), _numbers(origin, "rpy"))


def _numbers(element: ET.Element, name: str) -> Array:
    return np.array([float(v) for v in element.get(name, "0 0 0").split()])
