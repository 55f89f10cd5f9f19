"""A residual training over ROS in simulation, watched: whether the learner keeps up, and the policy its 6 Hz.

./vital shell -c "python bench/residual_session.py --minutes 45 task:=usb_insertion demos:=recordings/usb"
"""

import argparse
import itertools
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vital_core.statistics import percentile
from vital_interfaces.msg import LearnerState, PolicyState, TrainingState
from vital_ros.qos import LATCHED

ACTOR_BEGINS = 8000  # updates; before it they cost less
PHASES = {v: k for k, v in vars(TrainingState).items() if k.isupper() and isinstance(v, int)}


@dataclass
class Seen:
    """What was heard, with the steady clock's seconds."""

    learner: list[tuple[float, LearnerState]] = field(default_factory=list)
    ticks: list[PolicyState] = field(default_factory=list)
    phases: list[tuple[float, TrainingState]] = field(default_factory=list)


class Watcher(Node):
    """Keeps every message that tells of pace."""

    def __init__(self) -> None:
        super().__init__("residual_session_bench")
        self.seen = Seen()
        self.create_subscription(LearnerState, "/vital/learner_state", self._kept(self.seen.learner), 100)
        self.create_subscription(PolicyState, "/vital/policy_state", self.seen.ticks.append, 100)
        self.create_subscription(TrainingState, "/vital/training_state", self._kept(self.seen.phases), LATCHED)

    @staticmethod
    def _kept(where: list) -> Callable:
        return lambda message: where.append((time.monotonic(), message))


def row(what: str, measured: str) -> None:
    """A line of the table."""
    print(f"| {what} | {measured} |")


def time_in_phases(phases: list[tuple[float, TrainingState]], end_s: float) -> dict[str, float]:
    """Seconds spent in each; waiting is for the learner."""
    spent: dict[str, float] = {}
    after = [*(at for at, _ in phases[1:]), end_s]
    for (begin, state), end in zip(phases, after, strict=True):
        name = PHASES[state.phase].lower()
        spent[name] = spent.get(name, 0.0) + end - begin
    return spent


def busy_rates(learner: list[tuple[float, LearnerState]]) -> list[float]:
    """Updates a second between two messages, where both had work left and the actor learned too."""
    return [
        (b.updates - a.updates) / (at_b - at_a)
        for (at_a, a), (at_b, b) in itertools.pairwise(learner)
        if a.owed and b.owed and a.updates >= ACTOR_BEGINS
    ]


def report(seen: Seen, end_s: float) -> None:
    """The table."""
    print("| what | measured |\n|---|---|")
    if not seen.learner or not seen.phases:
        row("nothing was heard of", "the learner" if seen.phases else "the session")
        return
    spent = time_in_phases(seen.phases, end_s)
    total, last = sum(spent.values()), seen.learner[-1][1]
    row("length", f"{total / 60:.1f} min: {last.steps} steps in {last.episodes} episodes, {last.updates} updates")
    row("of it", ", ".join(f"{name} {100 * s / total:.0f} %" for name, s in sorted(spent.items())))
    row("success of the last twenty", f"{100 * last.success_20:.0f} %")
    if rates := busy_rates(seen.learner):
        row("updates a second with the actor's, while there is work: median", f"{percentile(rates, 50):.0f}")
    owed = [state.owed for _, state in seen.learner]
    row("updates owed: median, most", f"{percentile(owed, 50):.0f}, {max(owed)}")
    ticks = [t for t in seen.ticks if t.phase == "running" and math.isfinite(t.inference_s)]
    ms, late = [1000 * t.inference_s for t in ticks], [1000 * abs(t.lateness_s) for t in ticks]
    row("policy tick: median, p99", f"{percentile(ms, 50):.1f}, {percentile(ms, 99):.1f} ms")
    row("its lateness: p99, most", f"{percentile(late, 99):.1f}, {max(late, default=math.nan):.1f} ms")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=45.0, help="after which Ctrl-C is pressed")
    parser.add_argument("more", nargs="*", help="launch arguments, name:=value")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in a background job it may be ignored, and inherited so
    rclpy.init(args=[])
    node, executor = Watcher(), SingleThreadedExecutor()
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    launch = subprocess.Popen(["ros2", "launch", "vital_bringup", "residual_training.launch.py", *options.more])
    try:
        launch.wait(60.0 * options.minutes)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        launch.send_signal(signal.SIGINT)
    end_s, code = time.monotonic(), launch.wait(60.0)
    executor.shutdown(1.0)
    spinner.join(5.0)
    rclpy.try_shutdown()
    report(node.seen, end_s)
    sys.exit(code)


if __name__ == "__main__":
    main()
