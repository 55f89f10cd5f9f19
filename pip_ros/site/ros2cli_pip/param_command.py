"""`ros2 param`: list, get, set, dump."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import yaml
from rcl_interfaces.msg import Parameter, ParameterType
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import get_parameter_value, parameter_value_to_python

from ros2cli_pip.graph import (
    DISCOVERY_TIMEOUT_S,
    absolute,
    add_spin_time,
    call,
    graph_node,
    node_names,
    settle,
    wait_for_node,
)
from ros2cli_pip.main import VerbParser

LABELS = {
    ParameterType.PARAMETER_BOOL: "Boolean value is:",
    ParameterType.PARAMETER_INTEGER: "Integer value is:",
    ParameterType.PARAMETER_DOUBLE: "Double value is:",
    ParameterType.PARAMETER_STRING: "String value is:",
    ParameterType.PARAMETER_BYTE_ARRAY: "Byte values are:",
    ParameterType.PARAMETER_BOOL_ARRAY: "Boolean values are:",
    ParameterType.PARAMETER_INTEGER_ARRAY: "Integer values are:",
    ParameterType.PARAMETER_DOUBLE_ARRAY: "Double values are:",
    ParameterType.PARAMETER_STRING_ARRAY: "String values are:",
    ParameterType.PARAMETER_NOT_SET: "Parameter not set.",
}


def make_parser() -> VerbParser:
    """Return the parser of `ros2 param`."""
    verbs = VerbParser("param", "Various param related sub-commands")
    parsers = {
        "list": verbs.add("list", "Output a list of available parameters"),
        "get": verbs.add("get", "Get parameter"),
        "set": verbs.add("set", "Set parameter"),
        "dump": verbs.add("dump", "Show all of the parameters of a node in a YAML file format"),
    }
    for verb, parser in parsers.items():
        nargs = "?" if verb == "list" else None
        parser.add_argument("node_name", nargs=nargs, help="Name of the ROS node")
        parser.add_argument("--include-hidden-nodes", action="store_true", help="Consider hidden nodes as well")
        parser.add_argument("--timeout", type=float, default=DISCOVERY_TIMEOUT_S, help="Wait N seconds for the node")
        add_spin_time(parser)
    parsers["get"].add_argument("parameter_name", help="Name of the parameter")
    parsers["get"].add_argument("--hide-type", action="store_true", help="Hide the type information")
    parsers["set"].add_argument("parameter_name", help="Name of the parameter")
    parsers["set"].add_argument("value", help="Value of the parameter")
    return verbs


def _parameter_names(node: Node, node_name: str) -> list[str]:
    response = call(node, ListParameters, f"{node_name}/list_parameters", ListParameters.Request())
    return sorted(response.result.names)


def _parameter_values(node: Node, node_name: str, names: list[str]) -> list[Any]:
    request = GetParameters.Request(names=names)
    return list(call(node, GetParameters, f"{node_name}/get_parameters", request).values)


def _plain(value: Any) -> Any:
    plain = parameter_value_to_python(value)
    return plain.tolist() if hasattr(plain, "tolist") else plain


def list_parameters(node: Node, options: argparse.Namespace) -> None:
    """Print the parameters of one node or of all that have parameter services."""
    if options.node_name is not None:
        for name in _parameter_names(node, absolute(options.node_name)):
            print(f"  {name}")
        return
    settle(options)
    services = {name for name, _ in node.get_service_names_and_types()}
    for node_name in node_names(node, options.include_hidden_nodes):
        if f"{node_name}/list_parameters" in services:
            print(f"{node_name}:")
            for name in _parameter_names(node, node_name):
                print(f"  {name}")


def get_parameter(node: Node, options: argparse.Namespace) -> str | None:
    """Print a parameter's value."""
    values = _parameter_values(node, absolute(options.node_name), [options.parameter_name])
    if not values:
        return "Parameter not set"
    value = _plain(values[0])
    if options.hide_type:
        print(value)
    else:
        print(LABELS[values[0].type], *([] if value is None else [value]))
    return None


def set_parameter(node: Node, options: argparse.Namespace) -> None:
    """Set a parameter; a refusal goes to standard error, with exit code 0 as in the real one."""
    value = get_parameter_value(string_value=options.value)
    request = SetParameters.Request(parameters=[Parameter(name=options.parameter_name, value=value)])
    response = call(node, SetParameters, f"{absolute(options.node_name)}/set_parameters", request)
    result = response.results[0]
    reason = f": {result.reason}" if result.reason else ""
    if result.successful:
        print(f"Set parameter successful{reason}")
    else:
        print(f"Setting parameter failed{reason}", file=sys.stderr)


def dump_parameters(node: Node, options: argparse.Namespace) -> None:
    """Print all parameters of a node as a parameter file."""
    node_name = absolute(options.node_name)
    names = _parameter_names(node, node_name)
    parameters: dict[str, Any] = {}
    for name, value in zip(names, _parameter_values(node, node_name, names), strict=True):
        *groups, last = name.split(".")
        inner = parameters
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = _plain(value)
    print(yaml.safe_dump({node_name: {"ros__parameters": parameters}}, default_flow_style=False))


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 param`."""
    options = make_parser().parse(arguments)
    if isinstance(options, int):
        return options
    verbs = {"list": list_parameters, "get": get_parameter, "set": set_parameter, "dump": dump_parameters}
    with graph_node(options) as node:
        if options.node_name is not None and not wait_for_node(node, absolute(options.node_name), options.timeout):
            return "Node not found"
        return verbs[options.verb](node, options)  # type: ignore[operator, no-any-return]
