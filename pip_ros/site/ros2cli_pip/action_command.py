"""`ros2 action`: list, send_goal."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient, get_action_names_and_types
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ros2cli_pip.graph import add_list_options, graph_node, print_names, settle, visible, wait_until
from ros2cli_pip.main import VerbParser
from ros2cli_pip.messages import interface_type, parse_yaml_dict, set_fields, to_yaml

POLL_S = 0.1
STATUS_NAMES = {
    GoalStatus.STATUS_ACCEPTED: "ACCEPTED",
    GoalStatus.STATUS_EXECUTING: "EXECUTING",
    GoalStatus.STATUS_CANCELING: "CANCELING",
    GoalStatus.STATUS_SUCCEEDED: "SUCCEEDED",
    GoalStatus.STATUS_CANCELED: "CANCELED",
    GoalStatus.STATUS_ABORTED: "ABORTED",
}


def make_parser() -> VerbParser:
    """Return the parser of `ros2 action`."""
    verbs = VerbParser("action", "Various action related sub-commands")
    add_list_options(verbs.add("list", "Output a list of action names"), "action")
    send = verbs.add("send_goal", "Send an action goal")
    send.add_argument("action_name", help="Name of the ROS action (e.g. '/fibonacci')")
    send.add_argument("action_type", help="Type of the ROS action (e.g. 'example_interfaces/action/Fibonacci')")
    send.add_argument("goal", nargs="?", default="{}", help="Goal request values in YAML format")
    send.add_argument("-f", "--feedback", action="store_true", help="Echo feedback messages for the goal")
    send.add_argument("-t", "--timeout", type=float, metavar="N", help="Wait N seconds for the server and the result")
    return verbs


def list_actions(options: argparse.Namespace) -> int:
    """Print the actions."""
    with graph_node(options) as node:
        settle(options)
        actions = visible(get_action_names_and_types(node))
        print_names(actions, show_types=options.show_types, count_only=options.count)
    return 0


def _print_feedback(message: Any) -> None:
    print(f"Feedback:\n    {to_yaml(message.feedback)}", flush=True)


def _cancel(node: Node, goal_handle: Any) -> None:
    print("Canceling goal...", flush=True)
    future = goal_handle.cancel_goal_async()
    rclpy.spin_until_future_complete(node, future)
    if not future.result().goals_canceling:
        raise RuntimeError("Failed to cancel goal")
    print("Goal canceled.")


def _run_goal(node: Node, client: ActionClient, goal: Any, options: argparse.Namespace) -> str | None:
    print(f"Sending goal:\n     {to_yaml(goal)}", flush=True)
    future = client.send_goal_async(goal, _print_feedback if options.feedback else None)
    rclpy.spin_until_future_complete(node, future)
    goal_handle = future.result()
    if not goal_handle.accepted:
        print("Goal was rejected.")
        return None
    # A KeyboardInterrupt can strike where Python only prints it (in a destructor); a flag is not lost.
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        print(f"Goal accepted with ID: {bytes(goal_handle.goal_id.uuid).hex()}\n", flush=True)
        result_future = goal_handle.get_result_async()
        deadline_s = time.monotonic() + (options.timeout or float("inf"))
        while not (result_future.done() or interrupted.is_set() or time.monotonic() > deadline_s):
            rclpy.spin_until_future_complete(node, result_future, timeout_sec=POLL_S)
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted.is_set():
        _cancel(node, goal_handle)
        raise KeyboardInterrupt
    if not result_future.done():
        _cancel(node, goal_handle)
        return f"No result within {options.timeout} s"
    result = result_future.result()
    print(f"Result:\n    {to_yaml(result.result)}")
    print(f"Goal finished with status: {STATUS_NAMES.get(result.status, 'UNKNOWN')}")
    return None


def send_goal(options: argparse.Namespace) -> str | None:
    """Send a goal and print its result; Ctrl-C cancels it."""
    action_class = interface_type(options.action_type, "action")
    values = parse_yaml_dict(options.goal)
    goal = action_class.Goal()
    # Without rclpy's handlers the context outlives Ctrl-C, so that the goal can still be canceled.
    with graph_node(options, signal_handlers=SignalHandlerOptions.NO) as node:
        try:
            set_fields(goal, values, now=node.get_clock().now().to_msg())
        except Exception as error:
            return f"Failed to populate message fields: {error!r}"
        client = ActionClient(node, action_class, options.action_name)
        print("Waiting for an action server to become available...", flush=True)
        if not wait_until(node, client.server_is_ready, options.timeout or float("inf")):
            return f"No action server within {options.timeout} s"
        return _run_goal(node, client, goal, options)


def main(arguments: list[str]) -> int | str | None:
    """Run `ros2 action`."""
    options = make_parser().parse(arguments)
    if isinstance(options, int):
        return options
    return list_actions(options) if options.verb == "list" else send_goal(options)
