"""The description of the arm over each bottom."""

import xml.etree.ElementTree as ET

import pytest

from vital_core.arm.arm_description import MOCK, ROBOT, SIM, VENDOR_PLUGIN, arm_description
from vital_core.arm.xarm7 import JOINT_NAMES


def plugins(hardware: str, robot_ip: str = "") -> list[str]:
    root = ET.fromstring(arm_description(hardware, robot_ip))
    return [element.text or "" for element in root.findall("ros2_control/hardware/plugin")]


def test_only_what_ros2_control_drives_names_a_plugin():
    assert plugins(SIM) == [] and plugins(MOCK) == ["mock_components/GenericSystem"]
    assert plugins(ROBOT, "10.0.0.7") == [VENDOR_PLUGIN]


def test_the_vendors_plugin_gets_the_address_behind_the_letter_that_it_cuts_off():
    root = ET.fromstring(arm_description(ROBOT, "10.0.0.7"))
    parameters = {e.attrib["name"]: e.text for e in root.findall("ros2_control/hardware/param")}
    assert parameters["robot_ip"] == "R10.0.0.7" and parameters["dof"] == "7"
    assert parameters["velocity_control"] == "false"


@pytest.mark.parametrize("hardware", [SIM, MOCK, ROBOT])
def test_every_description_has_the_same_arm(hardware):
    root = ET.fromstring(arm_description(hardware, "10.0.0.7"))
    assert set(JOINT_NAMES) <= {joint.attrib["name"] for joint in root.findall("joint")}
