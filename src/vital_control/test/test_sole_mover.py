"""One gate in a ROS domain: real gates in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.node import Node
from ros_domain import own_domain
from waiting import wait_until

from vital_ros.process.domain_lock import SOCKETS, DomainLock, Sole

DOMAIN = own_domain()
PATIENCE_S = 60.0
GATE = [sys.executable, "-m", "vital_control.gate_node", "--ros-args"]


@pytest.fixture
def watcher() -> Iterator[Node]:
    context = rclpy.Context()
    context.init(domain_id=DOMAIN)
    node = Node("watcher", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def start(watcher: Node) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts gates."""
    started: list[subprocess.Popen] = []

    def start_one(*arguments: str) -> subprocess.Popen:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN)}
        started.append(subprocess.Popen([*GATE, *arguments], env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def wait_until_it_serves(gate: subprocess.Popen, watcher: Node, gates: int = 1) -> None:
    """This gate and no other: it holds the domain's lock, and its service is seen beside those of the dead."""
    wait_until(lambda: f"/command_gate, pid {gate.pid}," in SOCKETS.read_text(errors="replace"), "its lock")
    wait_until(lambda: watcher.count_services("/vital/stop") >= gates, "a gate")


@pytest.mark.parametrize("arguments", [[], ["-r", "__ns:=/elsewhere", "-r", "__node:=another_name"]])
def test_a_second_gate_is_refused_by_the_name_of_the_first(start, watcher, arguments):
    first = start()
    wait_until_it_serves(first, watcher)
    second = start(*arguments)
    _, said = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert "BUSY 53" in said and f"/command_gate, pid {first.pid}" in said and "Traceback" not in said
    assert first.poll() is None
    wait_until(lambda: watcher.count_services("/vital/stop") == 1, "one gate and no other")


def test_a_gate_that_nobody_has_discovered_yet_is_the_only_one_all_the_same(start):
    lock = DomainLock(DOMAIN, "/silent_gate", Sole.GATE)
    second = start()
    _, said = second.communicate(timeout=PATIENCE_S)
    lock.release()
    assert second.returncode == 2
    assert f"BUSY 53] the arm of ROS domain {DOMAIN} is taken by /silent_gate, pid {os.getpid()}" in said


def test_a_gate_starts_at_once_after_one_that_was_killed(start, watcher):
    first = start()
    wait_until_it_serves(first, watcher)
    first.kill()
    first.wait()
    second = start()
    wait_until_it_serves(second, watcher, gates=2)  # the dead one is still in the watcher's books
    second.send_signal(signal.SIGINT)
    assert second.wait(PATIENCE_S) == 0


def test_a_gate_waits_for_one_that_is_about_to_end(start, watcher):
    first = start()
    wait_until_it_serves(first, watcher)
    second = start()
    publishers = "/xarm7_traj_controller/joint_trajectory"
    wait_until(lambda: len(watcher.get_publishers_info_by_topic(publishers)) == 2 and second.poll() is None)
    first.send_signal(signal.SIGINT)
    assert first.wait(PATIENCE_S) == 0
    wait_until_it_serves(second, watcher)
    second.send_signal(signal.SIGINT)
    assert second.wait(PATIENCE_S) == 0
