"""`ros2 service`: list, type, call."""

from __future__ import annotations

import argparse
import time

import rclpy

from ros2cli_pip.graph import (
    absolute,
    add_list_options,
    add_spin_time,
    discovery_timeout_s,
    graph_node,
    print_names,
    settle,
    visible,
    wait_until,
)
from ros2cli_pip.main import VerbParser
from ros2cli_pip.messages import interface_type, parse_yaml_dict, set_fields


def make_parser() -> VerbParser:
    """Return the parser of `ros2 service`."""
    verbs = VerbParser("service", "Various service related sub-commands")
    add_list_options(verbs.add("list", "Output a list of available services"), "service")
    type_ = verbs.add("type", "Output a service's type")
    type_.add_argument("service_name", help="Name of the ROS service to get type (e.g. '/talker/list_parameters')")
    call = verbs.add("call", "Call a service")
    call.add_argument("service_name", help="Name of the ROS service to call to (e.g. '/add_two_ints')")
    call.add_argument("service_type", help="Type of the ROS service (e.g. 'std_srvs/srv/Empty')")
    call.add_argument("values", nargs="?", default="{}", help="Values of the request in YAML format")
    call.add_argument("-r", "--rate", metavar="N", type=float, help="Repeat the call at a specific rate in Hz")
    add_spin_time(type_)
    add_spin_time(call)
    return verbs


def list_services(options: argparse.Namespace) -> None:
    """Print the services."""
    with graph_node(options) as node:
        settle(options)
        services = visible(node.get_service_names_and_types(), options.include_hidden)
        print_names(services, show_types=options.show_types, count_only=options.count)


def print_type(options: argparse.Namespace) -> int:
    """Print a service's type; exit code 1 without a word if nobody knows the service."""
    name = absolute(options.service_name)
    with graph_node(options) as node:
        wait_until(node, lambda: name in dict(node.get_service_names_and_types()), discovery_timeout_s(options))
        types = dict(node.get_service_names_and_types()).get(name, [])
        print(*types, sep="\n", end="\n" if types else "")
        return 0 if types else 1


def call_service(options: argparse.Namespace) -> str | None:
    """Call a service once, or at a rate, and print its responses."""
    if options.rate is not None and options.rate <= 0:
        return "rate must be greater than zero"
    service_class = interface_type(options.service_type, "srv")
    values = parse_yaml_dict(options.values)
    with graph_node(options) as node:
        client = node.create_client(service_class, options.service_name)
        request = service_class.Request()
        try:
            set_fields(request, values, now=node.get_clock().now().to_msg())
        except Exception as error:
            return f"Failed to populate field: {error}"
        if not client.service_is_ready():
            print("waiting for service to become available...", flush=True)
            wait_until(node, client.service_is_ready, float("inf"))
        while True:
            start = time.monotonic()
            print(f"requester: making request: {request!r}\n", flush=True)
            future = client.call_async(request)
            rclpy.spin_until_future_complete(node, future)
            print(f"response:\n{future.result()!r}\n", flush=True)
            if options.rate is None or not rclpy.ok():
                return None
            time.sleep(max(0.0, start + 1.0 / options.rate - time.monotonic()))


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 service`."""
    options = make_parser().parse(arguments)
    if isinstance(options, int):
        return options
    verbs = {"list": list_services, "type": print_type, "call": call_service}
    return verbs[options.verb](options)  # type: ignore[operator, no-any-return]
