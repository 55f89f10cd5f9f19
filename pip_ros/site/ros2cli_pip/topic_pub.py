"""`ros2 topic pub`."""

from __future__ import annotations

import argparse
import time
from typing import Any

import rclpy
from rclpy.node import Node

from ros2cli_pip.graph import add_spin_time, graph_node
from ros2cli_pip.messages import interface_type, parse_yaml_dict, set_fields
from ros2cli_pip.qos import add_qos_options, profile_from_options


def _positive_float(text: str) -> float:
    value = float(text)
    if value <= 0.0:
        raise argparse.ArgumentTypeError("value must be positive")
    return value


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("topic_name", help="Name of the ROS topic to publish to (e.g. '/chatter')")
    parser.add_argument("message_type", help="Type of the ROS message (e.g. 'std_msgs/msg/String')")
    parser.add_argument("values", nargs="?", default="{}", help="Values to fill the message with, in YAML format")
    parser.add_argument("-r", "--rate", metavar="N", type=_positive_float, default=1.0, help="Rate in Hz (default: 1)")
    parser.add_argument("-p", "--print", metavar="N", type=int, default=1, help="Only print every N-th message")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-1", "--once", action="store_true", help="Publish one message and exit")
    group.add_argument("-t", "--times", type=int, default=0, help="Publish this number of times and then exit")
    parser.add_argument(
        "-w",
        "--wait-matching-subscriptions",
        type=int,
        metavar="N",
        help="Wait until finding this many subscriptions (default: 1 with --once or --times, or else 0)",
    )
    parser.add_argument(
        "--max-wait-time-secs", type=_positive_float, metavar="N", help="How long to wait for subscriptions"
    )
    parser.add_argument(
        "--keep-alive", metavar="N", type=float, default=0.1, help="Stay N seconds after the last message"
    )
    parser.add_argument("-n", "--node-name", help="Name of the created publishing node")
    add_spin_time(parser)
    add_qos_options(parser)


def _wait_for_subscriptions(publisher: Any, number: int, max_wait_s: float | None) -> None:
    start, next_word = time.monotonic(), 0.0
    while publisher.get_subscription_count() < number:
        waited_s = time.monotonic() - start
        if max_wait_s is not None and waited_s > max_wait_s:
            raise RuntimeError(
                f"Timed out waiting for subscribers: Expected {number} subscribers within {max_wait_s} s"
            )
        if waited_s >= next_word:
            print(f"Waiting for at least {number} matching subscription(s)...", flush=True)
            next_word += 1.0
        time.sleep(0.1)


def _publish(node: Node, publisher: Any, values: dict[str, Any], options: argparse.Namespace, times: int) -> None:
    count = 0

    def publish_one() -> None:
        nonlocal count
        count += 1
        message = publisher.msg_type()
        set_fields(message, values, now=node.get_clock().now().to_msg())
        if options.print and count % options.print == 0:
            print(f"publishing #{count}: {message!r}\n", flush=True)
        publisher.publish(message)

    timer = node.create_timer(1.0 / options.rate, publish_one)
    while rclpy.ok() and (times == 0 or count < times):
        rclpy.spin_once(node)
    node.destroy_timer(timer)
    if times:
        time.sleep(options.keep_alive)


def pub(options: argparse.Namespace) -> str | None:
    """Publish messages at a rate, for ever or a number of times."""
    message_class = interface_type(options.message_type, "msg")
    values = parse_yaml_dict(options.values)
    times = 1 if options.once else options.times
    wanted = options.wait_matching_subscriptions
    wanted = (1 if times else 0) if wanted is None else wanted
    with graph_node(options, options.node_name) as node:
        try:
            set_fields(message_class(), values, now=node.get_clock().now().to_msg())
        except Exception as error:
            return f"Failed to populate field: {error}"
        publisher = node.create_publisher(message_class, options.topic_name, profile_from_options(options))
        _wait_for_subscriptions(publisher, wanted, options.max_wait_time_secs)
        print("publisher: beginning loop", flush=True)
        _publish(node, publisher, values, options, times)
    return None
