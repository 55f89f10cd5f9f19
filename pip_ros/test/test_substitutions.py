"""Substitutions and conditions, without a launch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from launch import LaunchContext
from launch.actions import ExecuteProcess, TimerAction
from launch.conditions import IfCondition, UnlessCondition
from launch.substitutions import (
    AllSubstitution,
    AndSubstitution,
    AnySubstitution,
    EnvironmentVariable,
    EqualsSubstitution,
    IfElseSubstitution,
    LaunchConfiguration,
    NotEqualsSubstitution,
    NotSubstitution,
    OrSubstitution,
    PathJoinSubstitution,
    SubstitutionFailure,
    ThisLaunchFileDir,
)


@pytest.fixture
def context() -> LaunchContext:
    one = LaunchContext()
    one.launch_configurations.update(x="1", word="arm", yes="true", no="False")
    return one


@pytest.mark.parametrize(
    ("substitution", "expected"),
    [
        (LaunchConfiguration("x"), "1"),
        (LaunchConfiguration("y", default=["a", LaunchConfiguration("x")]), "a1"),
        (LaunchConfiguration("y", default=5), "5"),
        (LaunchConfiguration(["wo", "rd"]), "arm"),
        (PathJoinSubstitution(["a", LaunchConfiguration("word"), "b"]), "a/arm/b"),
        (PathJoinSubstitution(["a", "/b"]), "/b"),
        (EnvironmentVariable("NO_SUCH_VARIABLE", default_value="d"), "d"),
        (EqualsSubstitution(LaunchConfiguration("word"), "arm"), "true"),
        (EqualsSubstitution("1", "1.0"), "true"),
        (EqualsSubstitution("TRUE", True), "true"),
        (EqualsSubstitution("a", "A"), "false"),
        (NotEqualsSubstitution("a", "b"), "true"),
        (NotSubstitution(LaunchConfiguration("no")), "true"),
        (AndSubstitution("true", LaunchConfiguration("no")), "false"),
        (OrSubstitution("0", LaunchConfiguration("yes")), "true"),
        (AnySubstitution("0", "false", "1"), "true"),
        (AllSubstitution("1", "true", "0"), "false"),
        (IfElseSubstitution(LaunchConfiguration("no"), if_value="a", else_value="b"), "b"),
        (NotSubstitution("yes"), "false"),
        (AndSubstitution("on", "1"), "true"),
    ],
)
def test_value(context: LaunchContext, substitution: Any, expected: str) -> None:
    assert substitution.perform(context) == expected


@pytest.mark.parametrize(
    "substitution",
    [
        LaunchConfiguration("y"),
        EnvironmentVariable("NO_SUCH_VARIABLE"),
        ThisLaunchFileDir(),
        NotSubstitution("maybe"),
        NotSubstitution(""),
        NotSubstitution("["),
    ],
)
def test_failure(context: LaunchContext, substitution: Any) -> None:
    with pytest.raises(SubstitutionFailure):
        substitution.perform(context)


@pytest.mark.parametrize("text", ["true", "True", " TRUE\n", "1"])
def test_true_words(text: str) -> None:
    assert IfCondition(text).evaluate(LaunchContext())
    assert not UnlessCondition(text).evaluate(LaunchContext())


@pytest.mark.parametrize("value", [5, 1.5, True, Path("a"), ["a", ["b"]], None])
def test_only_text_and_substitutions_are_text(value: Any) -> None:
    with pytest.raises(TypeError):
        ExecuteProcess(cmd=[value])


def test_a_timer_takes_no_boolean() -> None:
    with pytest.raises(TypeError):
        TimerAction(period=True, actions=[])


def test_path_join_takes_no_nested_lists() -> None:
    with pytest.raises(TypeError):
        PathJoinSubstitution(["a", ["b", LaunchConfiguration("x")]])  # type: ignore[list-item]
