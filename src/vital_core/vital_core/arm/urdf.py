"""The arm as a URDF: xArm 7 with its gripper and wrist camera, built from the table in `vital_core.arm.xarm7`.

Link and joint names are those of the vendor's `xarm_description`. Shapes are primitives that enclose the
vendor's meshes closely enough for planning (own approximations); masses are rounded, inertias those of solid
primitives.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vital_core.arm.xarm7 import (
    BASE_FRAME,
    FLANGE_TO_TCP_M,
    GRIPPER_CLOSED_RAD,
    GRIPPER_JOINT,
    HOME_RAD,
    JOINTS,
    MAX_JOINT_SPEED_RAD_S,
    TCP_FRAME,
    Joint,
)
from vital_core.errors import ErrorCode, VitalError

Vector = ArrayLike

GRIPPER_FRAME = "xarm_gripper_base_link"
WRIST_CAMERA_FRAME = "wrist_camera_optical_frame"
# Nominal mount of the wrist camera beside the gripper, in link_tcp: m, and URDF roll, pitch, yaw in rad.
WRIST_CAMERA_XYZ_M = (0.060, 0.0, -0.060)
WRIST_CAMERA_RPY_RAD = (float(np.deg2rad(21.5)), 0.0, float(-np.pi / 2))
_PLUGINS = {"mock": "mock_components/GenericSystem"}
_WHITE, _DARK = "0.92 0.92 0.93 1", "0.15 0.15 0.16 1"


@dataclass(frozen=True)
class Rod:
    """A round bar from ``start_m`` to ``end_m`` in the link's frame; its ends are rounded by a ball each."""

    start_m: Vector
    end_m: Vector
    radius_m: float


@dataclass(frozen=True)
class Block:
    """A box: centre and full size in m, along the link's axes."""

    centre_m: Vector
    size_m: Vector


@dataclass(frozen=True)
class Body:
    """A link's mass and shapes."""

    mass_kg: float
    shapes: tuple[Rod | Block, ...]
    colour: str = _WHITE


# Each arm link's frame is at its own joint; shapes run to the next joint.
BODIES: Mapping[str, Body] = {
    BASE_FRAME: Body(2.5, (Rod((0, 0, 0.05), (0, 0, 0.16), 0.063),)),
    "link1": Body(2.4, (Rod((0, 0, -0.06), (0, 0, 0.0), 0.058),)),
    "link2": Body(1.9, (Rod((0, -0.05, 0), (0, -0.243, 0), 0.055),)),
    "link3": Body(1.7, (Rod((0, 0, 0), (0.0525, 0, 0), 0.052),)),
    "link4": Body(1.8, (Rod((0, 0, 0), (0.0775, -0.06, 0), 0.050), Rod((0.0775, -0.06, 0), (0.0775, -0.27, 0), 0.042))),
    "link5": Body(1.4, (Rod((0, 0, -0.02), (0, 0, 0.0), 0.046),)),
    "link6": Body(1.4, (Rod((0, 0, 0), (0.076, 0.0, 0), 0.045), Rod((0.076, 0.0, 0), (0.076, 0.055, 0), 0.042))),
    "link7": Body(0.2, (Rod((0, 0, -0.025), (0, 0, -0.012), 0.036),)),
    GRIPPER_FRAME: Body(0.54, (Block((0, 0, 0.05), (0.075, 0.115, 0.10)),), _DARK),
    "left_outer_knuckle": Body(0.03, (Rod((0, 0.004, 0.004), (0, 0.033, 0.039), 0.008),), _DARK),
    "left_finger": Body(0.05, (Block((0, -0.018, 0.025), (0.022, 0.017, 0.07)),), _DARK),
    "left_inner_knuckle": Body(0.02, (Rod((0, 0.004, 0.004), (0, 0.030, 0.036), 0.006),), _DARK),
    "right_outer_knuckle": Body(0.03, (Rod((0, -0.004, 0.004), (0, -0.033, 0.039), 0.008),), _DARK),
    "right_finger": Body(0.05, (Block((0, 0.018, 0.025), (0.022, 0.017, 0.07)),), _DARK),
    "right_inner_knuckle": Body(0.02, (Rod((0, -0.004, 0.004), (0, -0.030, 0.036), 0.006),), _DARK),
    "wrist_camera_link": Body(0.04, (Block((0, 0, -0.015), (0.03, 0.03, 0.03)),), _DARK),
}

# (joint, parent, child, origin, axis about x): the first drives, the others follow it one to one.
_GRIPPER_JOINTS = (
    (GRIPPER_JOINT, GRIPPER_FRAME, "left_outer_knuckle", (0, 0.035, 0.059098), 1),
    ("left_finger_joint", "left_outer_knuckle", "left_finger", (0, 0.035465, 0.042039), -1),
    ("left_inner_knuckle_joint", GRIPPER_FRAME, "left_inner_knuckle", (0, 0.02, 0.074098), 1),
    ("right_outer_knuckle_joint", GRIPPER_FRAME, "right_outer_knuckle", (0, -0.035, 0.059098), -1),
    ("right_finger_joint", "right_outer_knuckle", "right_finger", (0, -0.035465, 0.042039), 1),
    ("right_inner_knuckle_joint", GRIPPER_FRAME, "right_inner_knuckle", (0, -0.02, 0.074098), -1),
)
GRIPPER_JOINT_NAMES = tuple(row[0] for row in _GRIPPER_JOINTS)


def urdf(ros2_control: str | None = None, hardware_parameters: Mapping[str, str] | None = None) -> str:
    """The complete URDF as a string.

    ros2_control: None for no such tag, "mock" for mock components, or the name of a hardware plugin such as
    "uf_robot_hardware/UFRobotSystemHardware". Raises VitalError(BAD_PARAMETER) for anything else. The mock arm has
    a gripper; a plugin gets the seven joints alone (the vendor's one takes no more). hardware_parameters: what the
    plugin is told.
    """
    robot = ET.Element("robot", name="xarm7")
    _link(robot, "world")
    for name, body in BODIES.items():
        _add_body(_link(robot, name), body)
    for name in ("link_eef", TCP_FRAME, WRIST_CAMERA_FRAME):
        _link(robot, name)
    _fixed(robot, "world_joint", "world", BASE_FRAME)
    parents = [BASE_FRAME, *(f"link{i}" for i in range(1, 7))]
    for i, (joint, parent) in enumerate(zip(JOINTS, parents, strict=True)):
        _arm_joint(robot, joint, parent, f"link{i + 1}")
    _fixed(robot, "joint_eef", "link7", "link_eef")
    _fixed(robot, "gripper_fix", "link_eef", GRIPPER_FRAME)
    _fixed(robot, "joint_tcp", GRIPPER_FRAME, TCP_FRAME, (0, 0, FLANGE_TO_TCP_M))
    _add_gripper(robot)
    _fixed(robot, "wrist_camera_joint", TCP_FRAME, "wrist_camera_link", WRIST_CAMERA_XYZ_M, WRIST_CAMERA_RPY_RAD)
    _fixed(robot, "wrist_camera_optical_joint", "wrist_camera_link", WRIST_CAMERA_FRAME)
    if ros2_control is not None:
        _add_ros2_control(robot, ros2_control, hardware_parameters or {})
    ET.indent(robot)
    return '<?xml version="1.0"?>\n' + ET.tostring(robot, encoding="unicode") + "\n"


def _text(values: Vector | float) -> str:
    return " ".join(f"{v:.12g}" for v in np.atleast_1d(np.asarray(values, dtype=float)))


def _link(robot: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(robot, "link", name=name)


def _origin(parent: ET.Element, xyz: Vector = (0, 0, 0), rpy: Vector = (0, 0, 0)) -> None:
    ET.SubElement(parent, "origin", xyz=_text(xyz), rpy=_text(rpy))


def _joint(robot: ET.Element, kind: str, name: str, parent: str, child: str) -> ET.Element:
    joint = ET.SubElement(robot, "joint", name=name, type=kind)
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=child)
    return joint


def _fixed(
    robot: ET.Element, name: str, parent: str, child: str, xyz: Vector = (0, 0, 0), rpy: Vector = (0, 0, 0)
) -> None:
    _origin(_joint(robot, "fixed", name, parent, child), xyz, rpy)


def _arm_joint(robot: ET.Element, joint: Joint, parent: str, child: str) -> None:
    element = _joint(robot, "revolute", joint.name, parent, child)
    _origin(element, joint.xyz, joint.rpy)
    ET.SubElement(element, "axis", xyz="0 0 1")
    _limit(element, joint.lower, joint.upper, joint.effort_nm, MAX_JOINT_SPEED_RAD_S)


def _limit(joint: ET.Element, lower: float, upper: float, effort: float, speed: float) -> None:
    values = {"lower": lower, "upper": upper, "effort": effort, "velocity": speed}
    ET.SubElement(joint, "limit", {k: _text(v) for k, v in values.items()})


def _add_gripper(robot: ET.Element) -> None:
    for name, parent, child, origin, axis in _GRIPPER_JOINTS:
        joint = _joint(robot, "revolute", name, parent, child)
        _origin(joint, origin)
        ET.SubElement(joint, "axis", xyz=f"{axis} 0 0")
        _limit(joint, 0.0, GRIPPER_CLOSED_RAD, 50.0, 2.0)
        if name != GRIPPER_JOINT:
            ET.SubElement(joint, "mimic", joint=GRIPPER_JOINT, multiplier="1", offset="0")


def _add_body(link: ET.Element, body: Body) -> None:
    _add_inertial(link, body)
    for tag in ("visual", "collision"):
        for shape in body.shapes:
            for geometry, xyz, rpy in _primitives(shape):
                element = ET.SubElement(link, tag)
                _origin(element, xyz, rpy)
                ET.SubElement(element, "geometry").append(geometry)
                if tag == "visual":
                    material = ET.SubElement(element, "material", name=f"{link.get('name')}_colour")
                    ET.SubElement(material, "color", rgba=body.colour)


def _primitives(shape: Rod | Block) -> Iterator[tuple[ET.Element, ArrayLike, ArrayLike]]:
    """(geometry, xyz, rpy) of the URDF primitives that make up a shape."""
    if isinstance(shape, Block):
        yield ET.Element("box", size=_text(shape.size_m)), shape.centre_m, (0, 0, 0)
        return
    start, end = np.asarray(shape.start_m, float), np.asarray(shape.end_m, float)
    length, rpy = _along_z(end - start)
    cylinder = {"radius": _text(shape.radius_m), "length": _text(length)}
    yield ET.Element("cylinder", cylinder), (start + end) / 2, rpy
    for centre in (start, end):
        yield ET.Element("sphere", radius=_text(shape.radius_m)), centre, (0, 0, 0)


def _along_z(axis: np.ndarray) -> tuple[float, np.ndarray]:
    """Length of ``axis`` (3,) and the roll, pitch, yaw that turn z onto it."""
    length = float(np.linalg.norm(axis))
    x, y, z = axis / length
    return length, np.array([0.0, np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)])


def _add_inertial(link: ET.Element, body: Body) -> None:
    """Mass and inertia of the box around the link's shapes."""
    lower = np.min([np.minimum(*_extent(s)) for s in body.shapes], axis=0)
    upper = np.max([np.maximum(*_extent(s)) for s in body.shapes], axis=0)
    inertial = ET.SubElement(link, "inertial")
    _origin(inertial, (lower + upper) / 2)
    ET.SubElement(inertial, "mass", value=_text(body.mass_kg))
    squares = (upper - lower) ** 2
    ixx, iyy, izz = body.mass_kg / 12.0 * (squares.sum() - squares)
    moments = {"ixx": ixx, "iyy": iyy, "izz": izz, "ixy": 0.0, "ixz": 0.0, "iyz": 0.0}
    ET.SubElement(inertial, "inertia", {k: _text(v) for k, v in moments.items()})


def _extent(shape: Rod | Block) -> tuple[np.ndarray, np.ndarray]:
    """Two opposite corners of a shape's box."""
    if isinstance(shape, Block):
        centre, half = np.asarray(shape.centre_m, float), np.asarray(shape.size_m, float) / 2
        return centre - half, centre + half
    ends = np.array([shape.start_m, shape.end_m], float)
    return ends.min(axis=0) - shape.radius_m, ends.max(axis=0) + shape.radius_m


def _add_ros2_control(robot: ET.Element, hardware: str, parameters: Mapping[str, str]) -> None:
    plugin = _PLUGINS.get(hardware, hardware)
    if "/" not in plugin:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"ros2_control is '{hardware}', expected 'mock' or a hardware plugin '<package>/<class>'",
        )
    system = ET.SubElement(robot, "ros2_control", name="xarm7", type="system")
    element = ET.SubElement(system, "hardware")
    ET.SubElement(element, "plugin").text = plugin
    for name, value in parameters.items():
        ET.SubElement(element, "param", name=name).text = value
    for joint, home in zip(JOINTS, HOME_RAD, strict=True):
        _add_interfaces(system, joint.name, ("position", "velocity"), float(home))
    if hardware == "mock":
        _add_interfaces(system, GRIPPER_JOINT, ("position",), GRIPPER_CLOSED_RAD)


def _add_interfaces(system: ET.Element, name: str, commands: Sequence[str], initial: float) -> None:
    joint = ET.SubElement(system, "joint", name=name)
    for command in commands:
        ET.SubElement(joint, "command_interface", name=command)
    for state in ("position", "velocity"):
        interface = ET.SubElement(joint, "state_interface", name=state)
        value = initial if state == "position" else 0.0
        ET.SubElement(interface, "param", name="initial_value").text = _text(value)
