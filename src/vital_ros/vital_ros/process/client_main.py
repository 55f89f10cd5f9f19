"""`main` of a node that works through a list and ends: spun in one thread, its work done in another.

So a signal is answered at once, whatever the work waits for.
"""

import threading
from collections.abc import Callable
from typing import NoReturn, TypeVar

import rclpy
from rclpy.executors import Executor
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_ros.boundary import guard_parameter_services
from vital_ros.process import process_end
from vital_ros.process.network import refuse_outside_sockets
from vital_ros.process.node_main import EXIT_REFUSED, join_network, take_down

EXIT_FAULT = 1
WORD_EVERY_S = 10.0
WHOLE_AGAIN_S = 10.0
ClientNode = TypeVar("ClientNode", bound=Node)


def _spin(executor: Executor, stopping: threading.Event) -> None:
    while not stopping.is_set() and rclpy.ok():
        executor.spin_once(timeout_sec=0.2)


def _supervise(node: Node, work: Callable[[], int], stopping: threading.Event) -> int:
    outcome = [EXIT_FAULT]

    def run() -> None:
        try:
            outcome[0] = work()
        except VitalError as error:
            if error.code is not ErrorCode.CANCELLED:
                node.get_logger().error(str(error))

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    while worker.is_alive() and not stopping.is_set():
        worker.join(0.2)
    worker.join(1.0)
    return outcome[0]


def wait_until_ready(node: Node, missing: Callable[[], list[str]], stopping: threading.Event, timeout_s: float) -> None:
    """Wait until nothing is ``missing``, with a line now and then. Raises VitalError: NODE_LOST naming what is still
    missing when nothing about it has changed for ``timeout_s``, CANCELLED once ``stopping`` is set."""
    deadline, next_word, before = steady_s() + timeout_s, steady_s() + WORD_EVERY_S, missing()
    while names := missing():
        if names != before:
            deadline, before = steady_s() + timeout_s, names
        if stopping.wait(0.2):
            raise VitalError(ErrorCode.CANCELLED, "stopped while waiting for the system to come up")
        if steady_s() > deadline:
            raise VitalError(ErrorCode.NODE_LOST, f"no answer from: {', '.join(names)}, within {timeout_s:.0f} s")
        if steady_s() > next_word:
            next_word += WORD_EVERY_S
            node.get_logger().info(f"waiting for: {', '.join(names)}")


def whole_again(node: Node, missing: Callable[[], list[str]], stopping: threading.Event) -> bool:
    """Whether nothing is ``missing`` after a while: a part may have been held up and no more. Says what is."""
    try:
        wait_until_ready(node, missing, stopping, WHOLE_AGAIN_S)
    except VitalError as error:
        node.get_logger().error(str(error))
        return False
    return True


def run_client(
    make: Callable[[], ClientNode], work: Callable[[ClientNode, threading.Event], int], name: str
) -> NoReturn:
    """Make the node, do ``work(node, stopping)`` and exit with the code that it returns.

    Exit code 2 when the node refuses its parameters or the network is refused, 1 when the work ends with a VitalError.
    """
    network = join_network()
    if network is None:
        process_end.exit_with(EXIT_REFUSED)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stopping = threading.Event()
    process_end.on_stop_signal(stopping.set)
    code, node, executor = EXIT_FAULT, None, EventsExecutor()
    try:
        node = made = make()
        refuse_outside_sockets(network)
        guard_parameter_services(node)
        executor.add_node(node)
        spinner = threading.Thread(target=_spin, args=(executor, stopping), daemon=True)
        spinner.start()
        code = _supervise(node, lambda: work(made, stopping), stopping)
        stopping.set()
        spinner.join(2.0)
    except VitalError as error:
        rclpy.logging.get_logger(name).fatal(str(error))
        code = EXIT_REFUSED
    take_down(node, executor)
    process_end.exit_with(code)
