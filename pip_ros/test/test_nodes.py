"""Real nodes, started by `ros2 launch`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

LAUNCH_FILE = """\
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterValue

RATE = LaunchConfiguration("rate")


def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument("rate", default_value="4"),
        PushRosNamespace("lab"),
        Node(
            package="demo_pkg", executable="greeter", name="host", namespace="room",
            parameters=[{{"whom": "nobody"}}, {{"whom": "guests", "rate": {rate}}}],
            remappings=[("greetings", "/said")],
        ),
    ])
"""


def launch_file(tmp_path: Path, rate: str) -> Path:
    file = tmp_path / "host.launch.py"
    file.write_text(LAUNCH_FILE.format(rate=rate))
    return file


def test_settings_reach_a_node(tmp_path: Path, start: Any, ros2: Any) -> None:
    launch = start("ros2", "launch", launch_file(tmp_path, "ParameterValue(RATE, value_type=float)"))
    launch.wait_for(r"\[greeter-1\] \[INFO\] \[\d+\.\d+\] \[lab.room.host\]: parameters guests 4.0")
    assert ros2("topic", "echo", "--once", "/said") == (0, "data: hello guests\n---\n")
    returncode, output = ros2("node", "list")
    assert (returncode, output) == (0, "/lab/room/host\n")
    launch.send_signal(signal.SIGINT)
    assert launch.finish() == 0
    assert "process has finished cleanly" in launch.output


def test_an_integer_for_a_float_parameter_kills_the_node(tmp_path: Path, start: Any) -> None:
    launch = start("ros2", "launch", launch_file(tmp_path, "RATE"))
    assert launch.finish() == 0
    assert "InvalidParameterTypeException" in launch.output
    assert "process has died [pid" in launch.output
