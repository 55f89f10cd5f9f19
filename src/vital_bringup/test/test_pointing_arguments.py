"""What points and what plans are arguments of every launch file, with the reach node's own defaults."""

import importlib.util
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from launch import LaunchContext

from vital_bringup.launching import launch_hardware, launch_parts
from vital_vlm_reach.planning.planners import PLANNERS
from vital_vlm_reach.pointing.backends import BACKENDS, PointingSettings
from vital_vlm_reach.reach_parameters import ReachParameters

LAUNCH_FILES = sorted((Path(__file__).parents[1] / "launch").glob("*.launch.py"))
NAMES = {
    "pointing", "pointing_model", "endpoint", "revision", "pointing_dialect", "pointing_device", "pointing_dtype",
}  # fmt: skip


@pytest.mark.parametrize("file", LAUNCH_FILES, ids=lambda f: f.name)
def test_every_launch_file_takes_what_points_and_what_plans(file):
    spec = importlib.util.spec_from_file_location("launched", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert {name for name, *_ in module.ARGUMENTS} >= {*NAMES, "planner", "obstacles", "references"}


def test_arguments_have_the_nodes_defaults_and_choices():
    usual = PointingSettings()
    arguments = {name: (default, choices) for name, default, _, choices in launch_parts.POINTING_ARGUMENTS}
    assert {name: default for name, (default, _) in arguments.items()} == {name: getattr(usual, name) for name in NAMES}
    assert arguments["pointing"][1] == BACKENDS


def test_arguments_reach_the_node_under_the_same_names():
    context = LaunchContext()
    given = {"pointing": "server", "endpoint": "http://gpu.lab:8000/v1", "pointing_model": "Qwen/Qwen3-VL-8B-Instruct"}
    defaults = {name: default for name, default, *_ in launch_parts.POINTING_ARGUMENTS}
    context.launch_configurations.update({**defaults, **given})
    assert launch_parts.pointing_parameters(context) == {**defaults, **given}


def test_planners_and_obstacles_are_those_of_the_node():
    arguments = {name: (default, choices) for name, default, _, choices in launch_parts.PLANNING_ARGUMENTS}
    assert arguments["planner"] == (ReachParameters().planner, PLANNERS)
    of_node = get_args(get_type_hints(ReachParameters)["obstacles"])
    assert arguments["obstacles"] == ("auto", ("auto", *of_node))


@pytest.mark.parametrize(
    ("hardware", "given", "obstacles"),
    [("sim", "auto", "camera"), ("robot", "auto", "camera"), ("mock", "auto", "none"), ("mock", "camera", "camera")],
)
def test_obstacles_are_looked_for_where_there_is_a_scene_camera(hardware, given, obstacles):
    found = launch_parts.planning_parameters(context_of(hardware=hardware, obstacles=given))
    assert (found["planner"], found["obstacles"]) == ("embedded", obstacles)


@pytest.mark.parametrize(
    ("hardware", "given", "references"),
    [
        ("sim", "auto", "shipped"),
        ("mock", "auto", "none"),
        ("robot", "auto", "none"),
        ("robot", "/lab/views", "/lab/views"),
        ("sim", "none", "none"),
    ],
)
def test_a_real_target_is_not_laid_onto_pictures_of_a_simulated_one(hardware, given, references):
    found = launch_parts.planning_parameters(context_of(hardware=hardware, references=given))
    assert found["references"] == references


def context_of(**values: str) -> LaunchContext:
    context = LaunchContext()
    defaults = {name: default for name, default, *_ in launch_parts.COMMON_ARGUMENTS}
    context.launch_configurations.update({**defaults, **values})
    return context


@pytest.mark.parametrize("planner", PLANNERS)
def test_moveit_plans_in_a_process_of_its_own_where_it_was_asked_for(planner):
    nodes = [node.node_executable for node in launch_parts.reach_nodes(context_of(planner=planner))]
    assert ("moveit_node" in nodes) == (planner == "moveit") and "vlm_reach_node" in nodes


def test_moveit_that_is_not_installed_is_refused_with_the_line_that_brings_it(monkeypatch):
    monkeypatch.setattr(launch_hardware, "_installed", lambda package: not package.startswith("moveit"))
    assert launch_hardware.problem(context_of()) is None
    told = launch_hardware.problem(context_of(planner="moveit"))
    assert told.startswith("[BAD_PARAMETER 11] planner:=moveit needs") and "ros-jazzy-moveit-py" in told
