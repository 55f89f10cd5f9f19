"""Nodes that are there twice, a second stack, a task that is cancelled, a clock that jumps."""

import signal
import subprocess
import time
from pathlib import Path

from ament_index_python.packages import get_package_prefix

from vital_bringup.chaos.faults.kind import Expect, Injected, Scene
from vital_bringup.chaos.stack import Stack
from vital_bringup.chaos.watching.clocks import PACKAGES, REREAD_S
from vital_core.clock import steady_s, wait_until
from vital_core.errors import ErrorCode

TWICE_S = 6.0
REFUSED_WITHIN_S = 15.0
CANCELLED_WITHIN_S = 1.0
DOUBLED = (r"(?i)(second|another|already|more than one|twice|two (gates|simulators|policies|publishers))",)
CLOCK = (r"(?i)(STALE|clock|in the future|ms old|s old)",)
HOUR_S = 3600


def _twice(scene: Scene, node: str, *, joints_trusted: bool = True) -> Injected:
    """Start a node once more beside the stack, and end it after a while."""
    at_s = steady_s()
    executable = Path(get_package_prefix(PACKAGES[node])) / "lib" / PACKAGES[node] / node
    command = [str(executable), "--ros-args", "--log-level", "warn"]
    second = scene.stack.start([*command, "-p", f"task:={scene.driver.task}"])
    try:
        wait_until(lambda: second.poll() is not None, at_s + TWICE_S)
    finally:
        if second.poll() is None:
            second.send_signal(signal.SIGTERM)  # which asks for no traceback of a Python that still imports
        try:
            second.wait(10.0)
        except subprocess.TimeoutExpired:
            second.kill()
            second.wait(5.0)
    return Injected(
        {"node": node, "exit_code": second.returncode},
        Expect.SAFE,
        at_s,
        steady_s(),
        named=DOUBLED,
        joints_trusted=joints_trusted,
    )


def second_gate(scene: Scene) -> Injected:
    """A second command gate for 6 s."""
    return _twice(scene, "gate_node")


def second_simulator(scene: Scene) -> Injected:
    """A second simulator for 6 s: everything that an arm and its sensors publish is there twice."""
    return _twice(scene, "sim_node", joints_trusted=False)


def second_policy(scene: Scene) -> Injected:
    """A second policy node for 6 s."""
    return _twice(scene, "policy_node")


def second_stack(scene: Scene) -> Injected:
    """A second deployment in the same domain: it must end by itself, and name the reason."""
    at_s, folder = steady_s(), scene.folder / f"second_{time.monotonic_ns()}"
    second = Stack(folder, scene.stack.domain)
    refused = wait_until(lambda: not second.running, at_s + REFUSED_WITHIN_S)
    ending = second.ended(at_s) if refused else second.end()
    answers = []
    if not refused:
        answers.append(f"a second stack in the same domain was up for {REFUSED_WITHIN_S:.0f} s beside the first")
    elif ending.code != 1:
        answers.append(f"the second stack ended with exit code {ending.code}, expected 1")
    if left := ending.left():
        answers.append(f"the second stack left {left}")
    if refused:
        # Its word counts as the line that names the fault.
        with scene.stack.log.open("ab") as log:
            log.write(second.log.read_bytes())
    expect = Expect.GOES_ON if refused else Expect.SAFE
    return Injected(
        {"refused": refused},
        expect,
        at_s,
        steady_s(),
        named=DOUBLED,
        answers=tuple(answers),
        joints_trusted=refused,
    )


def cancelled(scene: Scene) -> Injected:
    """A cancel of the task."""
    goal, at_s = scene.driver.goal, steady_s()
    assert goal is not None
    phase = goal.phase
    scene.driver.cancel(goal)
    ended = wait_until(lambda: not goal.running, at_s + CANCELLED_WITHIN_S + 1.0)
    answers: tuple[str, ...] = ()
    if not ended:
        answers = (f"the task had not ended {CANCELLED_WITHIN_S + 1.0:.0f} s after it was cancelled",)
    elif goal.ended_s - at_s > CANCELLED_WITHIN_S:
        answers = (f"the task ended {goal.ended_s - at_s:.2f} s after it was cancelled, expected 1 s",)
    elif goal.code not in (ErrorCode.CANCELLED, ErrorCode.OK):
        answers = (f"a cancelled task ended with {goal.code.name}, expected CANCELLED",)
    return Injected({"phase": phase}, Expect.STOPS, at_s, at_s, answers=answers)


def clock_jumps(scene: Scene) -> Injected:
    """The clock of one node jumps by an hour, for 3 s, and back."""
    clock = scene.clock
    assert clock is not None
    offset_s, at_s = scene.draw.choice((-HOUR_S, HOUR_S)), steady_s()
    clock.set(offset_s)
    time.sleep(3.0 + REREAD_S)
    clock.set(0)
    parameters = {"node": clock.node, "offset_s": offset_s}
    named = CLOCK if clock.node in ("gate_node", "policy_node") else ()
    return Injected(parameters, Expect.SAFE, at_s, steady_s(), named=named)
