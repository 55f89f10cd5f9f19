"""A workspace that is built and sourced by colcon alone, in a virtual environment, without `./vital`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

INTERFACES = Path(__file__).parents[2] / "vital_interfaces"
CMAKE = """
cmake_minimum_required(VERSION 3.8)
project(probe)
find_package(ament_cmake REQUIRED)
include({file})
ament_package()
"""
MANIFEST = """
<package format="3"><name>probe</name><version>0.1.0</version><description>A probe.</description>
<maintainer email="nobody@example.org">Nobody</maintainer><license>Apache-2.0</license>
<buildtool_depend>ament_cmake</buildtool_depend><export><build_type>ament_cmake</build_type></export></package>
"""


def python_path_after_sourcing(workspace: Path, **environment: str) -> list[str]:
    """Build a package with the interfaces' hook, source it in a new shell, and read PYTHONPATH there."""
    (workspace / "probe").mkdir()
    (workspace / "probe/CMakeLists.txt").write_text(CMAKE.format(file=INTERFACES / "cmake/python_libraries.cmake"))
    (workspace / "probe/package.xml").write_text(MANIFEST)
    build = [sys.executable, "-m", "colcon", "--log-base", "log", "build"]
    build += ["--cmake-args", f"-DPython3_EXECUTABLE={sys.executable}"]
    prefix = os.environ["AMENT_PREFIX_PATH"].split(os.pathsep)[-1]
    inherited = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    built = {**inherited, "CMAKE_PREFIX_PATH": prefix, "AMENT_PREFIX_PATH": prefix, **environment}
    log = subprocess.run(build, cwd=workspace, env=built, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert log.returncode == 0, log.stdout
    shell = ["bash", "-c", 'source install/setup.bash && printf %s "$PYTHONPATH"']
    # The workspace below is the wheels' prefix or the ROS installation: setup.bash asks for nothing else.
    clean = {"PATH": os.environ["PATH"], "HOME": str(workspace)}
    done = subprocess.run(shell, cwd=workspace, env=clean, check=True, capture_output=True, text=True)
    return done.stdout.split(os.pathsep)


@pytest.fixture
def virtual_environment(tmp_path: Path) -> Path:
    """The folders of one; what is in it does not matter here."""
    libraries = tmp_path / "venv/lib/python3.12/site-packages"
    libraries.mkdir(parents=True)
    return tmp_path / "venv"


def test_sourced_workspace_brings_the_libraries_it_was_built_with(tmp_path, virtual_environment):
    found = python_path_after_sourcing(tmp_path, VIRTUAL_ENV=str(virtual_environment))
    assert str(virtual_environment / "lib/python3.12/site-packages") in found


def test_workspace_built_without_one_brings_none(tmp_path, virtual_environment):
    assert not any("venv" in entry for entry in python_path_after_sourcing(tmp_path))
