"""Processes that die, freeze or are told to end: each node, and the launch itself."""

import os
import signal
import time

from vital_bringup.chaos.faults.kind import Expect, Injected, Scene
from vital_bringup.chaos.stack import NODES
from vital_core.clock import steady_s

MOVERS = ("gate_node", "sim_node")  # without which the arm must not go on
LONGEST_HARMLESS_S = 0.5
SEEN_SILENCE = (
    r"(?i)(NODE_LOST|TIMEOUT|STALE|SENSOR_FAULT|stopped coming|held|no sign of life|heartbeat|silent|frozen|late|gap)",
)


def _ended_node(scene: Scene, number: signal.Signals) -> Injected:
    node = scene.draw.choice(NODES)
    pid, at_s = scene.stack.nodes()[node], steady_s()
    scene.stack.signal(pid, number)
    return Injected(
        {"node": node, "signal": number.name},
        Expect.ENDS,
        at_s,
        at_s,
        named=(rf"NODE_LOST.*{node}",),
        codes=(1,),
    )


def node_killed(scene: Scene) -> Injected:
    """SIGKILL to a node."""
    return _ended_node(scene, signal.SIGKILL)


def node_told_to_end(scene: Scene) -> Injected:
    """SIGTERM to a node."""
    return _ended_node(scene, signal.SIGTERM)


def _frozen(scene: Scene, seconds: float) -> Injected:
    node = scene.draw.choice(NODES)
    pid = scene.stack.nodes()[node]
    policy_acts = node == "policy_node" and scene.driver.gate is not None and scene.driver.gate.owner == "policy"
    at_s = steady_s()
    scene.stack.signal(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        scene.stack.signal(pid, signal.SIGCONT)
    parameters = {"node": node, "frozen_s": seconds}
    if seconds <= LONGEST_HARMLESS_S:
        return Injected(parameters, Expect.GOES_ON, at_s, at_s + seconds)
    expect = Expect.STOPS if node in MOVERS or policy_acts else Expect.SAFE
    named = SEEN_SILENCE if expect is Expect.STOPS else ()
    return Injected(parameters, expect, at_s, at_s + seconds, named=named)


def node_frozen_briefly(scene: Scene) -> Injected:
    """SIGSTOP, and SIGCONT after 0.3 s."""
    return _frozen(scene, 0.3)


def node_frozen(scene: Scene) -> Injected:
    """SIGSTOP, and SIGCONT after 2 s."""
    return _frozen(scene, 2.0)


def node_frozen_long(scene: Scene) -> Injected:
    """SIGSTOP, and SIGCONT after 10 s."""
    return _frozen(scene, 10.0)


def _ended_launch(scene: Scene, number: signal.Signals, *, group: bool, codes: tuple[int, ...]) -> Injected:
    pid, at_s = scene.stack.launch.pid, steady_s()
    if group:
        os.killpg(pid, number)
    else:
        scene.stack.signal(pid, number)
    parameters = {"signal": number.name, "to": "process group" if group else "launch"}
    return Injected(parameters, Expect.ENDS, at_s, at_s, codes=codes, end_within_s=10.0)


def launch_killed(scene: Scene) -> Injected:
    """SIGKILL to the launch: nobody is left to tell the nodes."""
    return _ended_launch(scene, signal.SIGKILL, group=False, codes=(-signal.SIGKILL,))


def launch_told_to_end(scene: Scene) -> Injected:
    """SIGTERM to the launch, as a service manager does."""
    return _ended_launch(scene, signal.SIGTERM, group=False, codes=(-signal.SIGTERM, 0, 1))


def terminal_closed(scene: Scene) -> Injected:
    """SIGHUP to all processes of the terminal."""
    return _ended_launch(scene, signal.SIGHUP, group=True, codes=(-signal.SIGHUP, 0, 1))


def launch_interrupted(scene: Scene) -> Injected:
    """SIGINT to the launch, as Ctrl-C does."""
    return _ended_launch(scene, signal.SIGINT, group=False, codes=(0,))
