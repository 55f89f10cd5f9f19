"""What the launch files promise: arguments that explain themselves, parameters that keep their type, tactile rules."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from launch import LaunchContext

from vital_bringup.launching import launch_hardware, launch_parts
from vital_bringup.launching.launch_arguments import LEFT_OUT, declared, text
from vital_bringup.launching.launch_arguments import given as given_argument

FILES = sorted((Path(__file__).parents[1] / "launch").glob("*.launch.py"))


def loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.name.partition(".")[0], file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def context_of(**values: str) -> LaunchContext:
    context = LaunchContext()
    context.launch_configurations.update(values)
    return context


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_argument_says_what_it_is_and_has_a_default_that_is_allowed(file):
    arguments = loaded(file).ARGUMENTS
    names = [name for name, *_ in arguments]
    assert len(set(names)) == len(names) > 10
    for name, default, description, choices in arguments:
        assert len(description) > 10 and default != "", name
        assert choices is None or default in choices, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_docstring_of_a_launch_file_uses_only_arguments_that_it_has(file):
    module = loaded(file)
    names = {name for name, *_ in module.ARGUMENTS}
    used = {word.partition(":=")[0] for word in (module.__doc__ or "").split() if ":=" in word}
    assert used and used <= names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_arguments_are_declared_with_their_defaults(file):
    arguments = loaded(file).ARGUMENTS
    context = LaunchContext()
    for action in declared(arguments):
        action.visit(context)
    assert all(text(name, context) == default for name, default, *_ in arguments)


@pytest.mark.parametrize("word", LEFT_OUT)
def test_what_is_left_out_has_words(word):
    assert given_argument("report", context_of(report=word)) == ""


WORDS = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=20)
PARAMETER = st.booleans() | st.integers(-(2**53), 2**53) | WORDS | st.lists(WORDS, max_size=4)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), PARAMETER, max_size=5))
def test_parameters_reach_a_node_with_the_type_that_they_have_here(parameters):
    words = launch_hardware.as_arguments(parameters)
    assert words[::2] == ["-p"] * len(parameters)
    pairs = [word.split(":=", 1) for word in words[1::2]]
    assert {name: yaml.safe_load(value) for name, value in pairs} == parameters


@pytest.mark.parametrize(
    ("hardware", "tactile", "mock_sensors", "expected"),
    [
        ("sim", "auto", "false", "required"),
        ("robot", "auto", "false", "required"),
        ("mock", "auto", "false", "none"),
        ("mock", "auto", "true", "required"),
        ("mock", "required", "false", "required"),
        ("robot", "none", "false", "none"),
    ],
)
def test_touch_is_required_unless_there_is_no_pad(hardware, tactile, mock_sensors, expected):
    context = context_of(hardware=hardware, tactile=tactile, mock_sensors=mock_sensors)
    assert launch_parts.gate_parameters(context) == {"hardware": hardware, "tactile": expected}


def test_process_that_ends_alone_is_named_with_its_code():
    said = launch_hardware.ended_alone("gate_node-2", -9)
    assert said == "[NODE_LOST 50] gate_node-2 ended with exit code -9: the system is not whole"


@pytest.mark.parametrize("hardware", launch_hardware.NEEDED)
def test_every_package_that_a_bottom_needs_comes_with_the_line_that_brings_it(hardware):
    assert all(package in launch_hardware.INSTALL_WITH for package in launch_hardware.NEEDED[hardware])


@pytest.mark.parametrize("number", ["-1", "1.5", "many", ""])
def test_what_is_no_whole_number_is_refused(number):
    context = context_of(task="usb_insertion", trials=number, hardware="sim", rviz="false")
    with pytest.raises(RuntimeError, match=r"\[BAD_PARAMETER 11\] trials:="):
        launch_parts.check_arguments(context, "deploy.launch.py", (), ("trials",))
