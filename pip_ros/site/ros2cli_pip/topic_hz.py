"""`ros2 topic hz`."""

from __future__ import annotations

import argparse
import time
from collections import deque
from statistics import fmean, pstdev

import rclpy

from ros2cli_pip.graph import absolute, add_spin_time, discovery_timeout_s, graph_node
from ros2cli_pip.qos import add_qos_options, profile_for_publishers
from ros2cli_pip.topic_types import topic_class

DEFAULT_WINDOW_SIZE = 10000
REPORT_PERIOD_NS = 1_000_000_000


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("value must be a positive integer")
    return int(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("topic_name", help="Name of the ROS topic to listen to (e.g. '/chatter')")
    parser.add_argument(
        "-w",
        "--window",
        dest="window_size",
        type=_positive_int,
        default=DEFAULT_WINDOW_SIZE,
        metavar="WINDOW",
        help=f"window size, in # of messages, for calculating rate (default: {DEFAULT_WINDOW_SIZE})",
    )
    parser.add_argument("--wall-time", action="store_true", help="calculates rate using wall time")
    add_spin_time(parser)
    add_qos_options(parser)


class ArrivalRate:
    """The rate of arrivals over a window of periods."""

    def __init__(self, window_size: int) -> None:
        self._periods_ns: deque[int] = deque(maxlen=window_size)
        self._last_ns: int | None = None
        self._reported_ns: int | None = None

    def arrive(self, now_ns: int) -> None:
        """Count an arrival; a clock that went back starts anew."""
        if self._last_ns is not None and now_ns >= self._last_ns:
            self._periods_ns.append(now_ns - self._last_ns)
        else:
            self._periods_ns.clear()
        self._last_ns = now_ns

    def report(self) -> str | None:
        """Return the rate in words, at most once in a second and only after new arrivals."""
        if not self._periods_ns or self._last_ns is None:
            return None
        if self._reported_ns is None:
            self._reported_ns = self._last_ns
            return None
        if self._last_ns < self._reported_ns + REPORT_PERIOD_NS:
            return None
        self._reported_ns = self._last_ns
        periods_s = [period * 1e-9 for period in self._periods_ns]
        mean_s = fmean(periods_s)
        rate_hz = 1.0 / mean_s if mean_s > 0.0 else 0.0
        return (
            f"average rate: {rate_hz:.3f}\n\tmin: {min(periods_s):.3f}s max: {max(periods_s):.3f}s "
            f"std dev: {pstdev(periods_s):.5f}s window: {len(periods_s)}"
        )


def hz(options: argparse.Namespace) -> None:
    """Print the rate at which messages arrive, until interrupted."""
    rate = ArrivalRate(options.window_size)
    with graph_node(options) as node:
        topic = absolute(options.topic_name)
        message_class = topic_class(node, topic, discovery_timeout_s(options), blocking=True)
        clock = node.get_clock()

        def on_message(_: bytes) -> None:
            rate.arrive(time.time_ns() if options.wall_time else clock.now().nanoseconds)

        profile = profile_for_publishers(node, topic, options)
        node.create_subscription(message_class, topic, on_message, profile, raw=True)
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.5)
            report = rate.report()
            if report is not None:
                print(report, flush=True)
