"""`ros2 run`, `ros2 pkg`, `ros2 interface`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ros2cli_pip.interface_command import nested_type

Ros2 = Callable[..., tuple[int, str]]


def test_run_passes_arguments_and_exit_code(ros2: Ros2, prefix: Path) -> None:
    failing = prefix / "lib" / "demo_pkg" / "failing"
    failing.write_text("#!/bin/sh\necho got $*\nexit 5\n")
    failing.chmod(0o755)
    returncode, output = ros2("run", "demo_pkg", "failing", "--ros-args", "-p", "a:=1", "--prefix", "x")
    failing.unlink()
    assert returncode == 5
    assert "got --ros-args -p a:=1 --prefix x" in output
    assert "[ros2run]: Process exited with failure 5" in output


def test_run_takes_a_prefix_command(ros2: Ros2) -> None:
    returncode, output = ros2("run", "--prefix", "env COLOUR=green", "demo_pkg", "probe")
    assert returncode == 0
    assert "colour: green" in output


def test_run_waits_for_the_node_after_ctrl_c(start: Any) -> None:
    run = start("ros2", "run", "demo_pkg", "probe", "stay")
    run.wait_for("staying")
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.finish() == 0
    assert "got SIGINT" in run.output


@pytest.mark.parametrize(("options", "ending"), [(["demo_pkg"], ""), (["--share", "demo_pkg"], "/share/demo_pkg")])
def test_pkg_prefix(ros2: Ros2, prefix: Path, options: list[str], ending: str) -> None:
    assert ros2("pkg", "prefix", *options) == (0, f"{prefix}{ending}\n")


def test_pkg_list(ros2: Ros2) -> None:
    returncode, output = ros2("pkg", "list")
    assert returncode == 0
    assert {"demo_pkg", "rclpy", "std_msgs"} <= set(output.split())


def test_interface_show(ros2: Ros2) -> None:
    returncode, output = ros2("interface", "show", "--no-comments", "geometry_msgs/msg/PoseStamped")
    assert returncode == 0
    assert output.splitlines() == [
        "std_msgs/Header header",
        "\tbuiltin_interfaces/Time stamp",
        "\t\tint32 sec",
        "\t\tuint32 nanosec",
        "\tstring frame_id",
        "Pose pose",
        "\tPoint position",
        "\t\tfloat64 x",
        "\t\tfloat64 y",
        "\t\tfloat64 z",
        "\tQuaternion orientation",
        "\t\tfloat64 x 0",
        "\t\tfloat64 y 0",
        "\t\tfloat64 z 0",
        "\t\tfloat64 w 1",
    ]


def test_interface_show_of_a_service(ros2: Ros2) -> None:
    returncode, output = ros2("interface", "show", "std_srvs/srv/SetBool")
    assert returncode == 0
    assert output.splitlines()[0].startswith("bool data #")
    assert "---" in output.splitlines()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("std_msgs/String", "Expected three parts"),
        ("no_such_pkg/msg/String", "Unknown package 'no_such_pkg'"),
        ("std_msgs/msg/Strong", "Could not find the interface"),
    ],
)
def test_interface_that_is_not_there(ros2: Ros2, name: str, words: str) -> None:
    returncode, output = ros2("interface", "show", name)
    assert returncode == 1
    assert words in output


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("string name", None),
        ("float64[36] covariance", None),
        ("string<=10 name 'x'", None),
        ("uint8 A=1", None),
        ("uint8 A = 1  # one", None),
        ("# a comment", None),
        ("---", None),
        ("Point[] points  # many", "p/msg/Point"),
        ("geometry_msgs/Point[<=3] points", "geometry_msgs/msg/Point"),
        ("builtin_interfaces/Time stamp", "builtin_interfaces/msg/Time"),
    ],
)
def test_nested_type_of_a_line(line: str, expected: str | None) -> None:
    assert nested_type(line, "p") == expected
