"""`ros2 node`: list, info."""

from __future__ import annotations

import argparse

from rclpy.action import get_action_client_names_and_types_by_node, get_action_server_names_and_types_by_node

from ros2cli_pip.graph import (
    NamesAndTypes,
    absolute,
    add_spin_time,
    discovery_timeout_s,
    graph_node,
    node_names,
    settle,
    visible,
    wait_for_node,
)
from ros2cli_pip.main import VerbParser


def make_parser() -> VerbParser:
    """Return the parser of `ros2 node`."""
    verbs = VerbParser("node", "Various node related sub-commands")
    list_ = verbs.add("list", "Output a list of available nodes")
    list_.add_argument("-a", "--all", action="store_true", help="Display all nodes even hidden ones")
    list_.add_argument("-c", "--count-nodes", action="store_true", help="Only display the number of nodes")
    info = verbs.add("info", "Output information about a node")
    info.add_argument("node_name", help="Node name to request information")
    info.add_argument("--include-hidden", action="store_true", help="Display hidden topics and services as well")
    add_spin_time(list_)
    add_spin_time(info)
    return verbs


def list_nodes(options: argparse.Namespace) -> int:
    """Print the nodes."""
    with graph_node(options) as node:
        settle(options)
        names = node_names(node, options.all)
        if options.count_nodes:
            print(len(names))
        elif names:
            print(*names, sep="\n")
    return 0


def _print_section(title: str, names_and_types: NamesAndTypes) -> None:
    print(f"  {title}:")
    print(*[f"    {name}: {', '.join(types)}" for name, types in names_and_types], sep="\n")


def info(options: argparse.Namespace) -> str | None:
    """Print a node's topics, services and actions."""
    full = absolute(options.node_name)
    namespace, _, name = full.rpartition("/")
    with graph_node(options) as node:
        if not wait_for_node(node, full, discovery_timeout_s(options)):
            return f"Unable to find node '{options.node_name}'"
        settle(options)
        where = (name, namespace or "/")
        sections = {
            "Subscribers": node.get_subscriber_names_and_types_by_node(*where),
            "Publishers": node.get_publisher_names_and_types_by_node(*where),
            "Service Servers": node.get_service_names_and_types_by_node(*where),
            "Service Clients": node.get_client_names_and_types_by_node(*where),
            "Action Servers": get_action_server_names_and_types_by_node(node, *where),
            "Action Clients": get_action_client_names_and_types_by_node(node, *where),
        }
        print(full)
        for title, names_and_types in sections.items():
            _print_section(title, visible(names_and_types, options.include_hidden))
    return None


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 node`."""
    options = make_parser().parse(arguments)
    if isinstance(options, int):
        return options
    return list_nodes(options) if options.verb == "list" else info(options)
