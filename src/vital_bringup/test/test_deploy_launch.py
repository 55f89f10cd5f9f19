"""The real launch file, started as a user starts it: one trial from sentence to report."""

import json
import os
import tempfile
import unittest
from pathlib import Path

import launch_testing.actions
import launch_testing.asserts
import launch_testing.markers
import pytest
from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from ros_domain import own_domain

REPORT = Path(tempfile.mkdtemp()) / "report.json"


@pytest.mark.launch_test
@launch_testing.markers.keep_alive
def generate_test_description():
    os.environ["ROS_DOMAIN_ID"] = str(own_domain())
    file = Path(get_package_share_directory("vital_bringup")) / "launch" / "deploy.launch.py"
    arguments = {"task": "usb_insertion", "trials": "1", "seed": "1000", "report": str(REPORT)}
    return LaunchDescription(
        [
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(file)), launch_arguments=arguments.items()),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class TestDeploy(unittest.TestCase):
    def test_trial_runs_and_the_deployment_ends_by_itself(self, proc_info):
        proc_info.assertWaitForShutdown(process="deploy", timeout=150)


@launch_testing.post_shutdown_test()
class TestAfterwards(unittest.TestCase):
    def test_every_node_ended_cleanly(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)

    def test_operator_got_a_line_for_the_trial(self, proc_output):
        launch_testing.asserts.assertInStderr(proc_output, "trial 1/1, seed 1000", process="deploy")

    def test_report_tells_what_was_measured(self):
        report = json.loads(REPORT.read_text())
        (trial,) = report["trials"]
        assert trial["phase"] in ("policy", "done") and report["summary"]["completed"] == 1
        assert trial["localization_error_m"] < 0.03
        assert trial["reach_error_m"] < 0.01
        assert trial["commands_sent"] > 20
        assert trial["tick_median_ms"] > 0
