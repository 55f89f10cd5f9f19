"""Walks through behaviours.yaml: rows with entities or a command are run, the others must name a test.

They are run with whichever `ros2` and `launch` there are: the stand-ins, or those of a ROS installation.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import launch
import pytest
import yaml

HERE = Path(__file__).resolve().parent
TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load((HERE.parent / "behaviours.yaml").read_text())
STANDS_IN = Path(launch.__file__).is_relative_to(HERE.parent)
ROWS = [
    (f"{area}: {row['name']}", row)
    for area, rows in TABLE.items()
    for row in rows
    if STANDS_IN or area != "refusals"  # which are what only the stand-ins do
]

LAUNCH_FILE = """\
from ament_index_python.packages import get_package_share_directory
from launch import *
from launch.actions import *
from launch.conditions import *
from launch.event_handlers import *
from launch.launch_description_sources import *
from launch.substitutions import *
from launch_ros.actions import *
from launch_ros.parameter_descriptions import *

SHARE = get_package_share_directory("demo_pkg")


def generate_launch_description():
{setup}
    return LaunchDescription([
{entities}
    ])
"""


def indented(text: str, spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in text.splitlines())


def pattern(text: str) -> str:
    escaped = re.escape(text)
    return escaped.replace("<n>", r"\d+").replace("<any>", ".*")


def assert_in_order(texts: list[str], output: str) -> None:
    position = 0
    for text in texts:
        match = re.compile(pattern(text)).search(output, position)
        assert match is not None, f"{text!r} does not come (in this order) in:\n{output}"
        position = match.end()


def assert_output(row: dict[str, Any], output: str) -> None:
    assert_in_order(row.get("shows", []), output)
    for text in row.get("shows_unordered", []):
        assert_in_order([text], output)
    for text in row.get("hides", []):
        assert re.search(pattern(text), output) is None, f"{text!r} appears in:\n{output}"
    for text, count in row.get("count", {}).items():
        assert len(re.findall(pattern(text), output)) == count, output


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS if "test" not in row])
def test_behaviour(row: dict[str, Any], start: Any, tmp_path: Path) -> None:
    if "ros2" in row:
        command = [
            str(HERE / part.removeprefix("test/")) if part.startswith("test/") else part for part in row["ros2"].split()
        ]
    else:
        launch_file = tmp_path / "row.launch.py"
        content = {"setup": indented(row.get("setup", ""), 4), "entities": indented(row["entities"], 8)}
        launch_file.write_text(LAUNCH_FILE.format(**content))
        command = ["launch", str(launch_file), *row.get("args", [])]
    started = start("ros2", *command, **{"ROS_LOG_DIR": str(tmp_path / "log"), **row.get("variables", {})})
    for text, name in row.get("signals", {}).items():
        started.wait_for(pattern(text))
        started.send_signal(signal.Signals[name])
    returncode = started.finish()
    assert_output(row, started.output)
    assert returncode == row.get("rc", 0), started.output
    if "log" in row:
        (log,) = (tmp_path / "log").glob("*-*/launch.log")
        assert_in_order(row["log"], log.read_text())


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS if "test" in row])
def test_named_tests_exist(row: dict[str, Any]) -> None:
    file, _, function = row["test"].partition("::")
    assert f"def {function or 'test_'}" in (HERE / file).read_text()


def test_every_row_is_complete_and_named_once() -> None:
    names = [name for name, _ in ROWS]
    assert len(names) == len(set(names))
    for name, row in ROWS:
        assert row.get("real"), name
        assert sum(key in row for key in ("entities", "ros2", "test")) == 1, name
