"""A node of the project in this process, beside one that sends to it, asks it and hears what it says."""

import contextlib
import gc
import inspect
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from fuzzed_nodes import NODES
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from ros_domain import own_domain

from vital_ros.boundary import guard_parameter_services, refusals_of

JOIN_S = 10.0
LONGEST_S = 0.1  # of the processor, for one message


class SpunNode:
    """The node under test, spun while something is waited for."""

    def __init__(self, node: Node, executor: Executor, threads_before: Collection[threading.Thread]) -> None:
        self.node, self._executor = node, executor
        self._threads_before = threads_before
        self.asker = Node("asker")
        self._shown: dict[str, str] = {}
        self.asker.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        executor.add_node(node)
        executor.add_node(self.asker)

    def close(self) -> None:
        """As `run_node` ends a node; its threads end with it, not in what is left of it."""
        with contextlib.suppress(AttributeError):
            self.node.on_exit()
        for thread in set(threading.enumerate()) - set(self._threads_before):
            if type(thread) is threading.Thread:  # others are a library's
                thread.join(JOIN_S)
        for node in (self.node, self.asker):
            self._executor.remove_node(node)
            node.destroy_node()
        self._executor.shutdown(timeout_sec=1.0)

    def run_timers(self) -> None:
        """What a message left behind is worked with."""
        for timer in list(self.node.timers):
            timer.callback()

    def answer(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """What a callback returns, of a coroutine too."""
        if not inspect.iscoroutinefunction(callback):
            return timed(callback, *arguments)
        task = self._executor.create_task(callback, *arguments)
        self.until(task.done)
        return task.result()

    def asked(self, client: Any, request: Any) -> Any:
        """A service's answer, over DDS."""
        self.until(client.service_is_ready)
        answer = client.call_async(request)
        self.until(answer.done)
        return answer.result()

    def until(self, true: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Spin until something is true."""
        deadline_s = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline_s, "it did not come to be"
            self._executor.spin_once(timeout_sec=0.1)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self.node.get_fully_qualified_name():
                self._shown |= {value.key: value.value for value in status.values}

    def refusals_are_shown(self) -> bool:
        """Whether the node has said in `/diagnostics` what it refused."""
        counts = {f"refused {name}": str(count) for name, count in refusals_of(self.node).counts.items()}
        return counts.items() <= self._shown.items()

    def refused(self, name: str) -> int:
        """Messages that were refused there."""
        return refusals_of(self.node).counts.get(name, 0)


def timed(callback: Callable[..., Any], *arguments: Any) -> Any:
    """What a callback returns, in little time; garbage of the tests' own making does not count."""
    gc.disable()
    try:
        start_s = time.thread_time()
        answer = callback(*arguments)
        took_s = time.thread_time() - start_s
    finally:
        gc.enable()
    assert took_s < LONGEST_S, f"took {took_s:.2f} s of the processor"
    return answer


@contextlib.contextmanager
def spun(name: str, folder: Path, make_executor: Callable[[], Executor] = SingleThreadedExecutor) -> Iterator[SpunNode]:
    """The node of this name in `fuzzed_nodes`, in a ROS domain of this process."""
    parameters = NODES[name].parameters(folder)
    arguments = [item for key, value in parameters.items() for item in ("-p", f"{key}:={value}")]
    rclpy.init(args=["--ros-args", *arguments], domain_id=own_domain(4))
    try:
        threads_before = threading.enumerate()
        node = NODES[name].make(folder)
        guard_parameter_services(node)
        here = SpunNode(node, make_executor(), threads_before)
        kept = NODES[name].also(node)
        try:
            yield here
        finally:
            for closed in kept:
                with contextlib.suppress(AttributeError):
                    closed.close()
            here.close()
    finally:
        rclpy.try_shutdown()
