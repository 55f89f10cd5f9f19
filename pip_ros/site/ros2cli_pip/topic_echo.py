"""`ros2 topic echo`."""

from __future__ import annotations

import argparse
import time
from typing import Any

import rclpy

from ros2cli_pip.graph import absolute, add_spin_time, discovery_timeout_s, graph_node
from ros2cli_pip.messages import DEFAULT_TRUNCATE_LENGTH, interface_type, to_yaml
from ros2cli_pip.qos import add_qos_options, profile_for_publishers
from ros2cli_pip.topic_types import topic_class, topic_types


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("topic_name", help="Name of the ROS topic to listen to (e.g. '/chatter')")
    parser.add_argument("message_type", nargs="?", help="Type of the ROS message (e.g. 'std_msgs/msg/String')")
    parser.add_argument("--field", help="Echo a selected field of a message ('.' leads to sub-fields)")
    parser.add_argument("-f", "--full-length", action="store_true", help="Output all elements")
    parser.add_argument(
        "-l",
        "--truncate-length",
        type=int,
        default=DEFAULT_TRUNCATE_LENGTH,
        help=f"The length to truncate arrays, bytes, and string to (default: {DEFAULT_TRUNCATE_LENGTH})",
    )
    parser.add_argument("--no-arr", action="store_true", help="Don't print array fields of messages")
    parser.add_argument("--no-str", action="store_true", help="Don't print string fields of messages")
    parser.add_argument("--flow-style", action="store_true", help="Print collections in the block style")
    parser.add_argument("--once", action="store_true", help="Print the first message received and then exit")
    parser.add_argument("--timeout", type=float, metavar="N", help="Exit after N seconds without a message")
    add_spin_time(parser)
    add_qos_options(parser)


def _message_class(node: Any, topic: str, options: argparse.Namespace) -> Any:
    if options.message_type is not None:
        topic_types(node, topic, min(1.0, discovery_timeout_s(options)))
        return interface_type(options.message_type, "msg")
    message_class = topic_class(node, topic, discovery_timeout_s(options), blocking=False)
    if message_class is None:
        raise RuntimeError("Could not determine the type for the passed topic")
    return message_class


def _selected(message: Any, field: str | None) -> Any:
    for name in field.split(".") if field else ():
        if not hasattr(message, name):
            raise RuntimeError(f"Invalid field '{field}': {type(message).__name__} has no attribute '{name}'")
        message = getattr(message, name)
    return message


def echo(options: argparse.Namespace) -> None:
    """Print messages, one YAML document each."""
    received = 0

    def print_message(message: Any) -> None:
        nonlocal received
        received += 1
        text = to_yaml(
            _selected(message, options.field),
            None if options.full_length else options.truncate_length,
            options.no_arr,
            options.no_str,
            options.flow_style,
        )
        print(text.removesuffix("...\n"), end="---\n", flush=True)

    with graph_node(options) as node:
        topic = absolute(options.topic_name)
        message_class = _message_class(node, topic, options)
        profile = profile_for_publishers(node, topic, options)
        subscription = node.create_subscription(message_class, topic, print_message, profile)
        deadline = None if options.timeout is None else time.monotonic() + options.timeout
        while rclpy.ok() and not (options.once and received):
            if deadline is not None and time.monotonic() > deadline:
                break
            rclpy.spin_once(node, timeout_sec=0.5)
        node.destroy_subscription(subscription)
