"""`ros2 topic`: list, info, type, echo, hz, pub."""

from __future__ import annotations

import argparse
from typing import Any

from ros2cli_pip import topic_echo, topic_hz, topic_pub
from ros2cli_pip.graph import (
    absolute,
    add_list_options,
    add_spin_time,
    discovery_timeout_s,
    graph_node,
    print_names,
    settle,
    visible,
)
from ros2cli_pip.main import VerbParser
from ros2cli_pip.topic_types import topic_types


def make_parser() -> VerbParser:
    """Return the parser of `ros2 topic`."""
    verbs = VerbParser("topic", "Various topic related sub-commands")
    add_list_options(verbs.add("list", "Output a list of available topics"), "topic")
    info = verbs.add("info", "Print information about a topic")
    info.add_argument("topic_name", help="Name of the ROS topic to get info (e.g. '/chatter')")
    info.add_argument("-v", "--verbose", action="store_true", help="Print nodes and quality of service too")
    add_spin_time(info)
    type_ = verbs.add("type", "Print a topic's type")
    type_.add_argument("topic_name", help="Name of the ROS topic to get type (e.g. '/chatter')")
    add_spin_time(type_)
    topic_echo.add_options(verbs.add("echo", "Output messages from a topic"))
    topic_hz.add_options(verbs.add("hz", "Print the average receiving rate to screen"))
    topic_pub.add_options(verbs.add("pub", "Publish a message to a topic"))
    return verbs


def list_topics(options: argparse.Namespace) -> None:
    """Print the topics."""
    with graph_node(options) as node:
        settle(options)
        topics = visible(node.get_topic_names_and_types(), options.include_hidden)
        print_names(topics, show_types=options.show_types, count_only=options.count)


def _print_endpoints(infos: list[Any], kind: str) -> None:
    for info in infos:
        profile = info.qos_profile
        print(
            f"Node name: {info.node_name}\nNode namespace: {info.node_namespace}\n"
            f"Topic type: {info.topic_type}\nEndpoint type: {kind}\n"
            f"GID: {'.'.join(f'{byte:02x}' for byte in info.endpoint_gid)}\nQoS profile:\n"
            f"  Reliability: {profile.reliability.name}\n"
            f"  History (Depth): {profile.history.name}\n"
            f"  Durability: {profile.durability.name}\n"
            f"  Lifespan: {_duration(profile.lifespan)}\n"
            f"  Deadline: {_duration(profile.deadline)}\n"
            f"  Liveliness: {profile.liveliness.name}\n"
            f"  Liveliness lease duration: {_duration(profile.liveliness_lease_duration)}\n"
        )


def _duration(duration: Any) -> str:
    infinite_ns = 2**63 - 1
    return "Infinite" if duration.nanoseconds >= infinite_ns else f"{duration.nanoseconds} nanoseconds"


def info(options: argparse.Namespace) -> str | None:
    """Print type, publishers and subscriptions of a topic."""
    with graph_node(options) as node:
        topic = absolute(options.topic_name)
        types = topic_types(node, topic, discovery_timeout_s(options))
        if not types:
            return f"Unknown topic '{options.topic_name}'"
        settle(options)
        verbose = "\n" if options.verbose else ""
        print(f"Type: {types[0] if len(types) == 1 else types}{verbose}")
        print(f"Publisher count: {node.count_publishers(topic)}{verbose}")
        if verbose:
            _print_endpoints(node.get_publishers_info_by_topic(topic), "PUBLISHER")
        print(f"Subscription count: {node.count_subscribers(topic)}{verbose}")
        if verbose:
            _print_endpoints(node.get_subscriptions_info_by_topic(topic), "SUBSCRIPTION")
    return None


def print_type(options: argparse.Namespace) -> int:
    """Print a topic's type; exit code 1 without a word if nobody knows the topic."""
    with graph_node(options) as node:
        types = topic_types(node, absolute(options.topic_name), discovery_timeout_s(options))
        print(*types, sep="\n", end="\n" if types else "")
        return 0 if types else 1


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 topic`."""
    options = make_parser().parse(arguments)
    if isinstance(options, int):
        return options
    verbs = {
        "list": list_topics,
        "info": info,
        "type": print_type,
        "echo": topic_echo.echo,
        "hz": topic_hz.hz,
        "pub": topic_pub.pub,
    }
    return verbs[options.verb](options)
