"""Every launch file closes the network before its first process, and opens it only when that is asked for."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
from launch import LaunchContext, LaunchDescription, LaunchService
from launch.actions import ExecuteProcess, OpaqueFunction, SetEnvironmentVariable, SetLaunchConfiguration
from launch_ros.actions import Node

from vital_bringup.launching import launch_parts as parts
from vital_ros.process.network import NETWORK, PROFILE, network_settings

LAUNCH_FILES = sorted((Path(parts.__file__).parents[2] / "launch").glob("*.launch.py")) or sorted(
    (Path(parts.__file__).parents[5] / "share" / "vital_bringup" / "launch").glob("*.launch.py")
)


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.name.replace(".", "_"), path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environment_before_nodes(path: Path, context: LaunchContext) -> dict[str, str]:
    """What the launch file sets before it starts anything, by its `setup` with every argument's default."""
    module = loaded(path)
    for name, default, _, _ in module.ARGUMENTS:
        context.launch_configurations.setdefault(name, default)
    actions = module.setup(context)
    first = next(i for i, action in enumerate(actions) if isinstance(action, Node))
    for action in actions[:first]:
        if isinstance(action, SetEnvironmentVariable):
            action.execute(context)
    assert not any(isinstance(action, SetEnvironmentVariable) for action in actions[first:])
    return dict(context.environment)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing about the network, as under a plain `ros2 launch`; what a launch sets is undone."""
    names = (*network_settings({}).variables, "ROS_STATIC_PEERS")
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_there_are_launch_files():
    assert len(LAUNCH_FILES) >= 3


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_file_closes_the_network_before_its_first_node(path: Path):
    environment = environment_before_nodes(path, LaunchContext())
    assert Path(environment[PROFILE]).name.startswith("loopback")
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SYSTEM_DEFAULT"


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_file_opens_the_network_when_told_so(path: Path):
    context = LaunchContext()
    context.launch_configurations["network"] = "open"
    environment = environment_before_nodes(path, context)
    assert environment[NETWORK] == "open" and Path(environment[PROFILE]).name == "open.xml"


@pytest.mark.parametrize("network", ["loopback", "open"])
def test_vendors_process_started_by_a_launch_is_as_closed_as_ours(network: str, tmp_path: Path):
    written = tmp_path / "environment"
    process = ExecuteProcess(cmd=["sh", "-c", f"env > {written}"], output="log")
    service = LaunchService(argv=[])
    service.include_launch_description(
        LaunchDescription(
            [
                SetLaunchConfiguration("network", network),
                OpaqueFunction(function=parts.network_actions),
                process,
            ]
        )
    )
    assert service.run() == 0
    seen = dict(line.split("=", 1) for line in written.read_text().splitlines() if "=" in line)
    assert seen[NETWORK] == network and Path(seen[PROFILE]).stem.startswith(network)


def test_default_of_the_argument_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(os.environ, NETWORK, "open")
    fresh = importlib.util.module_from_spec(importlib.util.find_spec("vital_bringup.launching.launch_parts"))
    fresh.__spec__.loader.exec_module(fresh)
    defaults = {name: default for name, default, _, _ in fresh.COMMON_ARGUMENTS}
    assert defaults["network"] == "open"
