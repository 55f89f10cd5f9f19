"""ROS domains of the tests: those of one test process are no other's, so that two may run side by side."""

import gc
import os
import sys
from typing import Any

# Their ports are below and above those that Linux hands out by itself (32768 to 60999).
DOMAINS = (*range(1, 102), *range(215, 232))
PER_PROCESS = 5


def own_domain(number: int = 0) -> int:
    """A ROS domain of this test process; another ``number``, 0 to 4, is another domain."""
    if not 0 <= number < PER_PROCESS:
        raise ValueError(f"number is {number}, expected 0 to {PER_PROCESS - 1}")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    run, place = (os.getppid(), int(worker.removeprefix("gw"))) if worker else (os.getpid(), 0)
    share = (run + place) % (len(DOMAINS) // PER_PROCESS)
    return DOMAINS[share * PER_PROCESS + number]


def living_nodes() -> list[str]:
    """Names of the nodes in this process that still take part in a domain: the shutdown of its context ends none,
    `destroy_node` does."""
    if "rclpy.node" not in sys.modules:
        return []
    kind = sys.modules["rclpy.node"].Node
    nodes = [thing for thing in gc.get_objects() if issubclass(type(thing), kind)]
    return sorted(node.get_name() for node in nodes if _is_alive(node.handle))


def _is_alive(handle: Any) -> bool:
    try:
        with handle:
            return True
    except sys.modules["rclpy.exceptions"].InvalidHandle:
        return False
