"""A short-lived node that looks at the graph."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

POLL_S = 0.1
# Without a daemon each command discovers the graph itself. A node whose first announcements were missed
# announces itself every 3 s, so that a complete list takes a little longer than that.
DISCOVERY_S = 3.3
DISCOVERY_TIMEOUT_S = 7.0

NamesAndTypes = list[tuple[str, list[str]]]


def add_spin_time(parser: Any) -> None:
    """Add the option for how long the graph is looked at."""
    parser.add_argument("--spin-time", type=float, default=None, help="Spin time in seconds to wait for discovery")
    parser.add_argument("--no-daemon", action="store_true", help="Do not use a daemon (there is none here)")
    parser.add_argument("-s", "--use-sim-time", action="store_true", help="Enable ROS simulation time")


@contextmanager
def graph_node(
    options: argparse.Namespace,
    name: str | None = None,
    signal_handlers: SignalHandlerOptions = SignalHandlerOptions.ALL,
) -> Iterator[Node]:
    """Yield a node that is gone afterwards."""
    rclpy.init(args=[], signal_handler_options=signal_handlers)
    node = rclpy.create_node(
        name or f"_ros2cli_{os.getpid()}",
        use_global_arguments=False,
        start_parameter_services=False,
        enable_rosout=False,
        parameter_overrides=[rclpy.Parameter("use_sim_time", value=bool(getattr(options, "use_sim_time", False)))],
    )
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def wait_until(node: Node, condition: Callable[[], bool], timeout_s: float) -> bool:
    """Spin until the condition holds and return whether it does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        rclpy.spin_once(node, timeout_sec=POLL_S)
        time.sleep(POLL_S)
    return True


def discovery_timeout_s(options: argparse.Namespace) -> float:
    """Return how long to wait for something that is named: --spin-time, or else two announcements long."""
    return DISCOVERY_TIMEOUT_S if options.spin_time is None else options.spin_time


def settle(options: argparse.Namespace) -> None:
    """Wait until every node must have been discovered: --spin-time, or else one announcement long."""
    time.sleep(DISCOVERY_S if options.spin_time is None else options.spin_time)


def is_hidden(name: str) -> bool:
    """Return whether a name has a part that starts with an underscore."""
    return any(part.startswith("_") for part in name.split("/"))


def full_name(name: str, namespace: str) -> str:
    """Return a node's full name."""
    return f"{namespace.rstrip('/')}/{name}"


def absolute(name: str) -> str:
    """Return a name with a leading slash."""
    return name if name.startswith("/") else f"/{name}"


def node_names(node: Node, include_hidden: bool = False) -> list[str]:
    """Return the full names of the nodes in the graph in order, hidden ones only if asked for."""
    names = [full_name(*entry) for entry in node.get_node_names_and_namespaces()]
    return sorted(name for name in names if include_hidden or not is_hidden(name.rsplit("/", 1)[-1]))


def wait_for_node(node: Node, name: str, timeout_s: float) -> bool:
    """Wait for a node and return whether it is there."""
    return wait_until(node, lambda: name in node_names(node, include_hidden=True), timeout_s)


def visible(names_and_types: Iterable[tuple[str, list[str]]], include_hidden: bool = False) -> NamesAndTypes:
    """Return names with types in order, hidden ones only if asked for."""
    return sorted((name, types) for name, types in names_and_types if include_hidden or not is_hidden(name))


def print_names(names_and_types: NamesAndTypes, *, show_types: bool = False, count_only: bool = False) -> None:
    """Print names, with their types or only their number."""
    if count_only:
        print(len(names_and_types))
        return
    for name, types in names_and_types:
        print(f"{name} [{', '.join(types)}]" if show_types else name)


def add_list_options(parser: argparse.ArgumentParser, things: str) -> None:
    """Add the options of a `list` verb."""
    add_spin_time(parser)
    parser.add_argument("-t", "--show-types", action="store_true", help=f"Additionally show the {things} type")
    parser.add_argument("-c", f"--count-{things}s", dest="count", action="store_true", help="Only show the number")
    if things != "action":
        parser.add_argument(
            "-a",
            "--all",
            f"--include-hidden-{things}s",
            dest="include_hidden",
            action="store_true",
            help=f"Consider hidden {things}s as well",
        )


def call(node: Node, service_type: Any, name: str, request: Any, timeout_s: float = DISCOVERY_TIMEOUT_S) -> Any:
    """Call a service and return its response.

    Raises:
        RuntimeError: when the service or its response does not come in time.
    """
    client = node.create_client(service_type, name)
    if not client.wait_for_service(timeout_sec=timeout_s):
        raise RuntimeError(f"Wait for service timed out: '{name}'")
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=timeout_s)
    if not future.done():
        raise RuntimeError(f"Exception while calling service '{name}': no response within {timeout_s} s")
    return future.result()
