"""`ros2 launch`: files by path, log directories, start-up."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ros2cli_pip.launch_command import parse_launch_arguments

HERE = Path(__file__).resolve().parent
Ros2 = Callable[..., tuple[int, str]]


@pytest.mark.parametrize("arguments", [[], ["whom:=lab"]])
def test_a_launch_file_is_found_by_its_path(ros2: Ros2, arguments: list[str]) -> None:
    returncode, output = ros2("launch", HERE / "launch" / "greet.launch.py", *arguments)
    assert returncode == 0
    assert f"hello {'lab' if arguments else 'world'}" in output


def test_a_single_argument_that_is_no_file_is_refused(ros2: Ros2) -> None:
    returncode, output = ros2("launch", "no_such_file.launch.py")
    assert returncode == 1
    assert "No launch file supplied" in output


def test_options_may_follow_the_file(ros2: Ros2) -> None:
    returncode, output = ros2("launch", "demo_pkg", "greet.launch.py", "-d", "whom:=lab", "-n")
    assert returncode == 0
    assert "hello lab" in output
    assert "[DEBUG]" in output


def test_every_launch_has_a_log_directory(ros2: Ros2, tmp_path: Path) -> None:
    home = {"ROS_LOG_DIR": "", "ROS_HOME": str(tmp_path / "ros"), "HOME": str(tmp_path)}
    for number in range(2):
        _, output = ros2("launch", "demo_pkg", "greet.launch.py", f"whom:=number{number}", **home)
        directory = Path(re.search(r"found below (.*)", output)[1])  # type: ignore[index]
        assert directory.parent == tmp_path / "ros" / "log"
        assert re.fullmatch(rf"\d{{4}}(-\d\d){{5}}-\d{{6}}-{re.escape(os.uname().nodename)}-\d+", directory.name)
        assert (tmp_path / "ros" / "log" / "latest").resolve() == directory.resolve()
        log = (directory / "launch.log").read_text()
        assert re.search(rf"^\d+\.\d{{7}} \[INFO\] \[launch.user\]: hello number{number}", log, re.MULTILINE)


def test_log_formats_can_be_overridden(ros2: Ros2, tmp_path: Path) -> None:
    formats = {
        "OVERRIDE_LAUNCH_SCREEN_FORMAT": "default_with_timestamp",
        "OVERRIDE_LAUNCH_LOG_FORMAT": "log {msg}",
        "ROS_LOG_DIR": str(tmp_path),
    }
    _, output = ros2("launch", "demo_pkg", "greet.launch.py", **formats)
    assert re.search(r"\d+\.\d+ \[INFO\] \[launch.user\]: hello", output)
    (log,) = tmp_path.glob("*-*/launch.log")
    assert "log hello world" in log.read_text()


def test_ros2_without_arguments_lists_its_commands(ros2: Ros2) -> None:
    returncode, output = ros2()
    assert returncode == 0
    for command in ("launch", "run", "pkg", "topic", "node", "service", "action", "param", "interface"):
        assert f"  {command} " in output


name = st.text(st.characters(categories=["L", "N"]), min_size=1)


@given(st.lists(st.tuples(name, st.text(min_size=1))))
def test_launch_arguments_are_read_back_as_written(pairs: list[tuple[str, str]]) -> None:
    arguments = [f"{argument}:={value}" for argument, value in pairs]
    assert parse_launch_arguments(arguments) == dict(pairs)
