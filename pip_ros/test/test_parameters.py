"""How parameter values get their types."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from launch import LaunchContext
from launch.substitutions import LaunchConfiguration, TextSubstitution
from launch_ros._names import join_namespaces
from launch_ros._parameter_typing import evaluate_dict
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue, expand_text

RATE = LaunchConfiguration("rate")


def evaluate(value: Any) -> Any:
    context = LaunchContext()
    context.launch_configurations.update(rate="4", empty="", flag="true", urdf="<robot name='a: b'/>", list="[1, 2.5]")
    return evaluate_dict(context, {"p": value})["p"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (1.5, 1.5),
        (True, True),
        ("007", "007"),
        ("true", "true"),
        ([1, 2], [1, 2]),
        ([1, 2.5], [1.0, 2.5]),
        (["a", "b"], ["a", "b"]),
        ((True, False), [True, False]),
        (RATE, 4),
        ([RATE], 4),
        ([RATE, "2"], 42),
        (["a", RATE], "a4"),
        (LaunchConfiguration("empty"), ""),
        (LaunchConfiguration("flag"), True),
        (LaunchConfiguration("list"), [1.0, 2.5]),
        (ParameterValue(RATE, value_type=float), 4.0),
        (ParameterValue(RATE, value_type=str), "4"),
        (ParameterValue(RATE, value_type=int), 4),
        (ParameterValue(LaunchConfiguration("flag"), value_type=bool), True),
        (ParameterValue(LaunchConfiguration("list"), value_type=list[float]), [1.0, 2.5]),
        (ParameterValue(LaunchConfiguration("urdf"), value_type=str), "<robot name='a: b'/>"),
        (ParameterValue("1e-3", value_type=float), 0.001),
        (ParameterValue(3, value_type=float), 3.0),
        (ParameterValue("5"), 5),
    ],
)
def test_parameter_types(value: Any, expected: Any) -> None:
    result = evaluate(value)
    assert result == expected
    assert type(result) is type(expected)
    if isinstance(expected, list):
        assert [type(element) for element in result] == [type(element) for element in expected]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([], TypeError),
        (None, TypeError),
        ([1, "a"], TypeError),
        ([1, True], TypeError),
        (LaunchConfiguration("urdf"), TypeError),
        (TextSubstitution(text="{a: 1}"), TypeError),
        (ParameterValue(TextSubstitution(text="four"), value_type=int), ValueError),
        (ParameterValue(TextSubstitution(text="1.5"), value_type=int), ValueError),
        (ParameterValue(TextSubstitution(text="1"), value_type=bool), ValueError),
        (ParameterValue(RATE, value_type=list[int]), ValueError),
    ],
)
def test_values_that_are_no_parameters_are_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate(value)


def test_nested_dictionaries_are_joined_by_dots() -> None:
    assert evaluate_dict(LaunchContext(), {"a": {"b": {"c": 1}, "d": "x"}}) == {"a.b.c": 1, "a.d": "x"}


@pytest.mark.parametrize("parameters", ["file.yaml", {"a": 1}, [1], [ParameterValue(1)]])
def test_parameters_of_another_kind_are_refused(parameters: Any) -> None:
    with pytest.raises(TypeError, match="Expected"):
        Node(package="p", executable="e", parameters=parameters)


@given(st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), st.text()))
def test_text_survives_the_parameter_file(parameters: dict[str, str]) -> None:
    evaluated = evaluate_dict(LaunchContext(), parameters)
    assert yaml.safe_load(yaml.dump(evaluated, default_flow_style=False)) == parameters


@pytest.mark.parametrize(
    ("base", "namespace", "expected"),
    [
        (None, "", ""),
        (None, "a", "/a"),
        (None, "/a/b", "/a/b"),
        ("/a", "", "/a"),
        ("/a", "b", "/a/b"),
        ("/a", "/b", "/b"),
        ("/", "b", "/b"),
        ("/", "", "/"),
        ("/a", "b/c", "/a/b/c"),
    ],
)
def test_namespaces_join(base: str | None, namespace: str, expected: str) -> None:
    assert join_namespaces(base, namespace) == expected


def test_substitutions_in_text_are_expanded_from_the_inside() -> None:
    context = LaunchContext()
    context.launch_configurations.update(which="colour", colour="red")
    assert expand_text(context, "a: $(var $(var which)) b: $(var gone none)") == "a: red b: none"
    with pytest.raises(Exception, match="needs a ROS installation"):
        expand_text(context, "$(eval 1 + 1)")
