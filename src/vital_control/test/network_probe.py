"""Looks for the gate as any participant could, for at most the seconds given; prints what it found as JSON."""

import json
import sys
import time

import rclpy
from rclpy.node import Node

from vital_interfaces.srv import AcquireControl, Stop

GATE_TOPICS = ("/vital/gate_state", "/vital/command", "/xarm7_traj_controller/joint_trajectory")


def ask(node: Node, seconds: float) -> tuple[list[str], list[str]]:
    """Services of the gate that were found, and those that answered."""
    calls = {
        "/vital/acquire_control": (AcquireControl, AcquireControl.Request(owner="policy", task="usb_insertion")),
        "/vital/stop": (Stop, Stop.Request(reason="looked whether it can be reached")),
    }
    clients = {name: node.create_client(kind, name) for name, (kind, _) in calls.items()}
    deadline_s = time.monotonic() + seconds
    answers: dict = {}
    while time.monotonic() < deadline_s and not (
        len(answers) == len(calls) and all(answer.done() for answer in answers.values())
    ):
        for name, client in clients.items():
            if name not in answers and client.service_is_ready():
                answers[name] = client.call_async(calls[name][1])
        rclpy.spin_once(node, timeout_sec=0.1)
    return sorted(answers), sorted(name for name, answer in answers.items() if answer.done())


def known(node: Node, topic: str) -> bool:
    """Whether anybody sends or listens on a topic."""
    return bool(node.get_publishers_info_by_topic(topic) or node.get_subscriptions_info_by_topic(topic))


def main() -> None:
    """Entry point."""
    rclpy.init()
    node = Node("probe", start_parameter_services=False, enable_rosout=False)
    services, answered = ask(node, float(sys.argv[1]))
    found = {
        "nodes": [f"{space.rstrip('/')}/{name}" for name, space in node.get_node_names_and_namespaces()],
        "topics": [name for name in GATE_TOPICS if known(node, name)],
        "services": services,
        "answered": answered,
    }
    found["nodes"].remove("/probe")
    sys.stdout.write(json.dumps(found))
    rclpy.shutdown()


if __name__ == "__main__":
    main()
