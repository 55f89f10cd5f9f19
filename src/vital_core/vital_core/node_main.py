"""How every ROS node of the project starts and ends.

rclpy's own signal handlers invalidate the context before `spin` returns, so a node that has something to say
on its way out (the arm at rest) could not. Here SIGINT and SIGTERM only end the spinning; the node's
`on_exit`, when it has one, still publishes; a second signal during that is ignored.
"""

import signal
import sys
from collections.abc import Callable
from types import FrameType

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from vital_core.errors import VitalError

EXIT_REFUSED = 2


def run_node(
    make_node: Callable[[], Node],
    *,
    make_executor: Callable[[], Executor] = SingleThreadedExecutor,
    args: list[str] | None = None,
) -> int:
    """Make the node, spin it until SIGINT or SIGTERM, let it say goodbye; returns the exit code.

    A VitalError while making the node (a bad parameter, a missing checkpoint), or one that a thread of the node has
    left in its attribute `fatal`, is logged as one line and gives `EXIT_REFUSED`.
    """
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    executor = make_executor()
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        executor.wake()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    node: Node | None = None
    try:
        node = make_node()
        executor.add_node(node)
        while not stopping and rclpy.ok():
            executor.spin_once(timeout_sec=0.5)
            if (error := getattr(node, "fatal", None)) is not None:
                raise error
    except VitalError as error:
        rclpy.logging.get_logger("vital").fatal(str(error))
        return EXIT_REFUSED
    except ExternalShutdownException:
        pass
    finally:
        _say_goodbye(node, executor)
    return 0


def _say_goodbye(node: Node | None, executor: Executor) -> None:
    if node is not None:
        on_exit = getattr(node, "on_exit", None)
        if on_exit is not None and rclpy.ok():
            on_exit()
        executor.remove_node(node)
        node.destroy_node()
    executor.shutdown(timeout_sec=1.0)
    rclpy.try_shutdown()


def exit_with(code: int) -> None:
    """End the process with ``code`` after flushing what was printed."""
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
