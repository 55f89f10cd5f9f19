"""Every parameter of every node says what it is, and every number what it may be."""

from pathlib import Path

import pytest
from fuzzed_nodes import NODES
from rclpy.parameter import Parameter
from readme_tables import OF_EVERY_NODE
from spun_node import spun

NUMBERS = (Parameter.Type.INTEGER, Parameter.Type.DOUBLE)


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_is_described_bounded_and_set_at_start_only(name: str, tmp_path: Path):
    with spun(name, tmp_path) as here:
        for parameter in here.node.get_parameters_by_prefix("").values():
            if parameter.name in OF_EVERY_NODE:
                continue
            described = here.node.describe_parameter(parameter.name)
            assert described.description, f"{parameter.name} says nothing of itself"
            assert described.read_only, f"{parameter.name} would be set without effect"
            if parameter.type_ in NUMBERS:
                assert described.floating_point_range or described.integer_range, f"{parameter.name} has no range"
