"""How every ROS node of the project starts and ends.

rclpy's own signal handlers invalidate the context before `spin` returns, so a node that has something to say
on its way out (the arm at rest) could not. Here a signal (`process_end`) only ends the spinning; a node with
`lingers` is spun on as long as that says so, and its `on_exit`, when it has one, still publishes. A second signal
during that is ignored.
"""

import gc
from collections.abc import Callable

import rclpy
from rclpy.action import ActionClient, ActionServer
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_ros.boundary import guard_parameter_services
from vital_ros.process import process_end
from vital_ros.process.network import NetworkSettings, apply_network_settings, refuse_outside_sockets
from vital_ros.process.process_end import exit_with
from vital_ros.process.shared_memory import free_dead_segments

__all__ = ["EXIT_REFUSED", "exit_with", "join_network", "run_node", "take_down"]

EXIT_REFUSED = 2
SPIN_S = 0.2  # a signal is seen between two spins
LINGERING_SPIN_S = 0.02


class _AskedTooSoon(BaseException):
    """A signal has asked for the end before there was a node."""


class _Asked:
    """Whether and when a signal has asked for the end. Until there is a node nobody else hears of it: it is raised."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._since_s: float | None = None
        self.working = False
        process_end.on_stop_signal(self._stop)

    def _stop(self) -> None:
        if self._since_s is None:
            self._since_s = steady_s()
            if not self.working:
                raise _AskedTooSoon
        self._executor.wake()

    def to_end(self, node: Node) -> bool:
        """Whether the node may end now."""
        if self._since_s is None:
            return False
        lingers: Callable[[float], bool] | None = getattr(node, "lingers", None)
        return lingers is None or not lingers(steady_s() - self._since_s)

    @property
    def spin_s(self) -> float:
        """How long to spin before looking again."""
        return SPIN_S if self._since_s is None else LINGERING_SPIN_S


def join_network() -> NetworkSettings | None:
    """Settle who reaches this process, to be called before `rclpy.init`; None, with a line, when that is refused."""
    log = rclpy.logging.get_logger("vital")
    # Before the settings look at how much room there is.
    free_dead_segments()
    try:
        settings = apply_network_settings()
    except VitalError as error:
        log.fatal(str(error))
        return None
    if settings.notice:
        log.warning(settings.notice)
    return settings


def run_node(
    make_node: Callable[[], Node],
    *,
    make_executor: Callable[[], Executor] = SingleThreadedExecutor,
    args: list[str] | None = None,
) -> int:
    """Make the node, spin it until a signal asks for the end, let it say goodbye; returns the exit code.

    After the signal `node.lingers(seconds since)`, when there is one, is asked between callbacks and must become
    false. A VitalError while making the node (a bad parameter, a missing checkpoint), or one that a thread of the
    node has left in its attribute `fatal`, is logged as one line and gives `EXIT_REFUSED`. So does a network that is
    not as closed as it should be.
    """
    network = join_network()
    if network is None:
        return EXIT_REFUSED
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    executor = make_executor()
    node: Node | None = None
    code = 0
    try:
        asked = _Asked(executor)
        node = make_node()
        refuse_outside_sockets(network)
        guard_parameter_services(node)
        asked.working = True
        executor.add_node(node)
        while rclpy.ok() and not asked.to_end(node):
            executor.spin_once(timeout_sec=asked.spin_s)
            if (error := getattr(node, "fatal", None)) is not None:
                raise error
    except VitalError as error:
        rclpy.logging.get_logger("vital").fatal(str(error))
        code = EXIT_REFUSED
    except (ExternalShutdownException, _AskedTooSoon):
        pass
    finally:
        _say_goodbye(node)
        take_down(node, executor)
    return code


def _say_goodbye(node: Node | None) -> None:
    on_exit = getattr(node, "on_exit", None)
    if on_exit is not None and rclpy.ok():
        on_exit()


def take_down(node: Node | None, executor: Executor) -> None:
    """Take the process off the graph, so that everybody else knows at once; node: None when it was not made whole.

    A process that ends before that is missed for 20 s, and where it held a lock in Fast DDS's shared memory its
    publishers wait for 1 to 3 s.
    """
    if node is not None:
        executor.remove_node(node)
        for waitable in list(node.waitables):
            # `destroy_node` leaves these to the garbage collector, and keeps the participant for them.
            if isinstance(waitable, ActionServer | ActionClient):
                waitable.destroy()
        node.destroy_node()
    # In this order: an executor that outlives its context complains when it is collected.
    executor.shutdown(timeout_sec=1.0)
    gc.collect()
    rclpy.try_shutdown()
