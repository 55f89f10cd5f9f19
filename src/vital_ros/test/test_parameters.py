"""ROS parameters from a dataclass: what is declared, what is taken, what is refused and how."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
import rclpy
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_domain import own_domain

from vital_core.errors import ErrorCode, VitalError
from vital_ros.parameters import declare, described


class Bottom(Enum):
    SIM = "sim"
    ROBOT = "robot"


@dataclass(frozen=True)
class Everything:
    """A parameter of each kind."""

    name: Annotated[str, Meta(description="a name")] = "x"
    on: Annotated[bool, Meta(description="whether")] = False
    count: Annotated[int, Meta(ge=1, le=10, description="how many")] = 3
    rate_hz: Annotated[float, Meta(ge=0.5, le=100.0, description="how often, Hz")] = 30.0
    way: Annotated[Literal["up", "down"], Meta(description="where to")] = "up"
    bottom: Annotated[Bottom, Meta(description="what is below")] = Bottom.SIM
    matrix: Annotated[tuple[float, ...], Meta(min_length=2, max_length=2, description="two numbers")] = (1.0, 0.0)
    names: Annotated[list[str], Meta(description="some")] = field(default_factory=lambda: ["a"])


@pytest.fixture(scope="module", autouse=True)
def ros() -> Iterator[None]:
    rclpy.init(domain_id=own_domain())
    yield
    rclpy.shutdown()


def node_with(**given: Any) -> Node:
    return Node("some_node", parameter_overrides=[Parameter(name, value=value) for name, value in given.items()])


def declared(config: type = Everything, **given: Any) -> Any:
    node = node_with(**given)
    try:
        return declare(node, config)
    finally:
        node.destroy_node()


def refusal(config: type = Everything, **given: Any) -> VitalError:
    with pytest.raises(VitalError) as refused:
        declared(config, **given)
    return refused.value


def test_defaults_are_the_dataclass():
    assert declared() == Everything()


def test_values_of_each_kind_are_taken():
    values = {"name": "y", "on": True, "count": 4, "rate_hz": 2.5, "way": "down", "names": ["b", "c"]}
    found = declared(**values, bottom="robot", matrix=[0.5, 2.0])
    assert found == Everything(**values, bottom=Bottom.ROBOT, matrix=(0.5, 2.0))


@settings(deadline=None)
@given(st.integers(1, 10), st.floats(0.5, 100.0))
def test_every_value_within_its_range_is_taken(count: int, rate_hz: float):
    found = declared(count=count, rate_hz=rate_hz)
    assert (found.count, found.rate_hz) == (count, rate_hz)


@settings(deadline=None)
@given(st.integers(-(2**62), 2**62).filter(lambda n: not 1 <= n <= 10))
def test_every_count_beyond_its_range_is_refused(count: int):
    assert refusal(count=count).code is ErrorCode.BAD_PARAMETER


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("count", 11, "expected a whole number from 1 to 10: how many"),
        ("count", 2.0, "expected a whole number"),
        ("rate_hz", 0.0, "expected a number with a point from 0.5 to 100: how often, Hz"),
        ("rate_hz", 1, "expected a number with a point"),
        ("rate_hz", float("nan"), "rate_hz"),
        ("name", 1, "expected text: a name"),
        ("on", "yes", "expected true or false: whether"),
        ("way", "left", "up"),
        ("bottom", "moon", "bottom"),
        ("matrix", [1.0], "matrix"),
        ("names", [1.0], "names"),
    ],
)
def test_a_value_that_will_not_do_is_refused_in_one_line_that_names_it(name: str, value: Any, said: str):
    error = refusal(**{name: value})
    assert error.code is ErrorCode.BAD_PARAMETER
    assert name in error.message and said in error.message and "\n" not in error.message


def test_a_prefix_tells_parameters_of_one_kind_apart():
    node = node_with(left_count=4, right_count=5)
    left, right = (declare(node, Everything, prefix) for prefix in ("left_", "right_"))
    assert (left.count, right.count) == (4, 5)
    node.destroy_node()


def test_what_the_dataclass_refuses_is_refused():
    @dataclass(frozen=True)
    class Even:
        number: Annotated[int, Meta(ge=0, le=10, description="an even one")] = 2

        def __post_init__(self) -> None:
            if self.number % 2:
                raise ValueError(f"number is {self.number}, expected an even one")

    assert declared(Even, number=4).number == 4
    assert "number is 3, expected an even one" in refusal(Even, number=3).message


def test_ros_is_told_description_range_and_choices():
    node = node_with()
    declare(node, Everything)
    count, rate, way, bottom = (node.describe_parameter(name) for name in ("count", "rate_hz", "way", "bottom"))
    assert count.description == "how many" and rate.description == "how often, Hz"
    assert (count.integer_range[0].from_value, count.integer_range[0].to_value) == (1, 10)
    assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (0.5, 100.0)
    assert way.additional_constraints == "one of up, down" and bottom.additional_constraints == "one of sim, robot"
    node.destroy_node()


def test_a_parameter_cannot_be_set_while_the_node_runs():
    node = node_with()
    declare(node, Everything)
    results = node.set_parameters([Parameter("count", value=5)])
    assert not results[0].successful and node.get_parameter("count").value == 3
    node.destroy_node()


@pytest.mark.parametrize(
    "hint",
    [int, Annotated[int, Meta(ge=0, le=1)], Annotated[int, Meta(description="x")], Annotated[int, Meta(ge=0)]],
)
def test_a_field_without_description_or_range_is_a_fault_of_the_program(hint: Any):
    bare = dataclass(frozen=True)(type("Bare", (), {"__annotations__": {"number": hint}, "number": 0}))
    with pytest.raises(TypeError, match="number"):
        described(bare)


def test_a_field_without_default_is_a_fault_of_the_program():
    bare = dataclass(frozen=True)(type("Bare", (), {"__annotations__": {"x": Annotated[str, Meta(description="x")]}}))
    with pytest.raises(TypeError, match="x has no"):
        described(bare)
