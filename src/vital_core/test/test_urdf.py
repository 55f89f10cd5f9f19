"""The URDF: the same arm as `vital_core.arm.kinematics`, whole and well formed."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.urdf import GRIPPER_JOINT_NAMES, urdf
from vital_core.arm.xarm7 import JOINT_NAMES, JOINTS, LOWER_RAD, TCP_FRAME, UPPER_RAD
from vital_core.errors import ErrorCode, VitalError


def _pose(origin: ET.Element | None) -> np.ndarray:
    if origin is None:
        return np.eye(4)
    xyz, rpy = ([float(v) for v in origin.get(key, "0 0 0").split()] for key in ("xyz", "rpy"))
    return pose_of.from_rpy(xyz, rpy)


def _tcp_of_urdf(root: ET.Element, positions: dict[str, float]) -> np.ndarray:
    """Pose of link_tcp in link_base, straight from the XML."""
    joint_to = {j.find("child").get("link"): j for j in root.findall("joint")}
    chain, frame = np.eye(4), TCP_FRAME
    while frame != "link_base":
        joint = joint_to[frame]
        step = _pose(joint.find("origin"))
        if joint.get("type") == "revolute":
            axis = np.array([float(v) for v in joint.find("axis").get("xyz").split()])
            step = step @ pose_of.from_vector((0, 0, 0), axis * positions[joint.get("name")])
        chain, frame = step @ chain, joint.find("parent").get("link")
    return chain


def test_tcp_of_the_urdf_is_the_tcp_of_the_kinematics():
    root, rng = ET.fromstring(urdf()), np.random.default_rng(0)
    for q in rng.uniform(LOWER_RAD, UPPER_RAD, (20, 7)):
        tcp = _tcp_of_urdf(root, dict(zip(JOINT_NAMES, q, strict=True)))
        np.testing.assert_allclose(tcp, kinematics.forward(q), atol=1e-9)


def test_links_form_one_tree_and_carry_the_vendors_names():
    root = ET.fromstring(urdf())
    links = [link.get("name") for link in root.findall("link")]
    children = [j.find("child").get("link") for j in root.findall("joint")]
    assert len(set(links)) == len(links) and len(set(children)) == len(children)
    assert set(links) - set(children) == {"world"}
    assert {"link_base", "link7", "link_eef", "link_tcp", "xarm_gripper_base_link"} <= set(links)
    names = [j.get("name") for j in root.findall("joint") if j.get("type") == "revolute"]
    assert names == [*JOINT_NAMES, *GRIPPER_JOINT_NAMES]


def test_limits_are_those_of_the_joint_table():
    joints = {j.get("name"): j for j in ET.fromstring(urdf()).findall("joint")}
    for joint in JOINTS:
        limit = joints[joint.name].find("limit")
        assert float(limit.get("lower")) == pytest.approx(joint.lower)
        assert float(limit.get("upper")) == pytest.approx(joint.upper)


def test_every_mass_has_an_inertia_that_a_solid_body_can_have():
    for inertial in ET.fromstring(urdf()).iter("inertial"):
        moments = np.array([float(inertial.find("inertia").get(k)) for k in ("ixx", "iyy", "izz")])
        assert float(inertial.find("mass").get("value")) > 0.0
        assert (moments > 0.0).all() and 2 * moments.max() <= moments.sum() + 1e-12


def test_ros2_control_is_there_only_when_asked_for():
    assert ET.fromstring(urdf()).find("ros2_control") is None
    control = ET.fromstring(urdf("mock")).find("ros2_control")
    assert control.find("hardware/plugin").text == "mock_components/GenericSystem"
    assert [j.get("name") for j in control.findall("joint")] == [*JOINT_NAMES, "drive_joint"]
    with pytest.raises(VitalError, match="'moc'") as refusal:
        urdf("moc")
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_plugin_gets_its_parameters_and_the_seven_joints_alone():
    control = ET.fromstring(urdf("uf_robot_hardware/UFRobotSystemHardware", {"robot_ip": "R192.168.1.2"}))
    control = control.find("ros2_control")
    assert {p.get("name"): p.text for p in control.findall("hardware/param")} == {"robot_ip": "R192.168.1.2"}
    assert [j.get("name") for j in control.findall("joint")] == [*JOINT_NAMES]
