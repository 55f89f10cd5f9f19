"""A launch test of a real node, collected by the plugin itself."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import launch_testing
import launch_testing.asserts
import pytest
from launch import LaunchDescription
from launch_ros.actions import Node
from launch_testing.actions import ReadyToTest
from ros_domain import own_domain

GREETER = Path(__file__).resolve().parent / "nodes" / "greeter.py"


@pytest.mark.launch_test
def generate_test_description():
    greeter = Node(
        executable=sys.executable,
        arguments=[str(GREETER)],
        name="host",
        parameters=[{"whom": "lab"}],
        additional_env={"ROS_DOMAIN_ID": str(own_domain(1)), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
    )
    return LaunchDescription([greeter, ReadyToTest()]), {"greeter": greeter}


class TestGreeter(unittest.TestCase):
    def test_it_has_its_parameters(self, proc_output, greeter):
        proc_output.assertWaitFor("[host]: parameters lab 1.0", process=greeter, timeout=20)


@launch_testing.post_shutdown_test()
class TestAfterShutdown(unittest.TestCase):
    def test_it_ended_well(self, proc_info, greeter):
        launch_testing.asserts.assertExitCodes(proc_info, process=greeter)
