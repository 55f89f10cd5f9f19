"""How a node's process ends, with real processes: by which signals, with its parent, how soon and with what code."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import wait_until

PATIENCE_S = 60.0
SHELL = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"
LAUNCH = "import os; os.environ['VITAL_LAUNCH_PID'] = str(os.getpid()); " + SHELL
NODE = """
import os, sys, threading, time
from pathlib import Path
from rclpy.action import ActionClient, ActionServer
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from vital_core.errors import ErrorCode, VitalError
from vital_ros.process.node_main import exit_with, run_node
from vital_interfaces.action import ExecuteTrajectory
out, ways = Path(sys.argv[1]), sys.argv[2:]

class Small(Node):
    def __init__(self):
        super().__init__("small")
        self.spun = 0
        self.create_timer(0.01, self.tick)
        if "slow to make" in ways:
            (out / "pid").write_text(str(os.getpid()))
            time.sleep(600)
        if "acts" in ways:
            self.server = ActionServer(self, ExecuteTrajectory, "act", lambda goal: None)
            self.client = ActionClient(self, ExecuteTrajectory, "act")
        if "refused" in ways:
            (out / "pid").write_text(str(os.getpid()))
            raise VitalError(ErrorCode.BUSY, "as a test")
        if "thread" in ways:
            threading.Thread(target=self.write_slowly).start()
    def tick(self):
        self.spun += 1
        (out / "pid").exists() or (out / "pid").write_text(str(os.getpid()))
    def write_slowly(self):
        while not (out / "goodbye").exists():
            time.sleep(0.05)
        time.sleep(0.5)
        (out / "written").write_text("whole")
    def on_exit(self):
        print("in the buffer")
        (out / "goodbye").write_text(str(self.spun))
        self.get_logger().info("last line of the log")

class Lingering(Small):
    def lingers(self, asked_s):
        asked_s > 0.3 or (out / "asked").exists() or (out / "asked").write_text(str(self.spun))
        return asked_s < 0.5

class Aborts:
    def __del__(self, abort=os.abort):
        abort()

if "unarmed" in ways:
    (out / "pid").write_text(str(os.getpid()))
    while not (out / "go").exists():
        time.sleep(0.01)
at_the_interpreters_end = Aborts() if "aborts" in ways else None
executor = EventsExecutor if "events" in ways else SingleThreadedExecutor
code = run_node(Lingering if "lingers" in ways else Small, make_executor=executor, args=[])
threads = [task.joinpath("comm").read_text() for task in Path("/proc/self/task").iterdir()]
(out / "threads").write_text("".join(threads))
exit_with(code)
"""


class Running:
    """A small node in a process of its own."""

    def __init__(self, out: Path, *ways: str, parent: str = "", nohup: bool = False) -> None:
        self.out = out
        file = out / "node.py"
        file.write_text(NODE)
        before = [*(["nohup"] if nohup else []), sys.executable, *(["-c", parent] if parent else [])]
        environment = {name: value for name, value in os.environ.items() if name != "VITAL_LAUNCH_PID"}
        self.process = subprocess.Popen(
            [*before, str(file), str(out), *ways],
            env={**environment, "ROS_LOG_DIR": str(out / "log")},
            stdout=(out / "printed").open("w"),
            stderr=(out / "errors").open("w"),
        )
        self.pid = int(self.wait_for("pid"))

    def wait_for(self, name: str) -> str:
        """The text of a file that the node writes."""
        file = self.out / name
        wait_until(lambda: file.exists() and file.read_text() != "", f"no {name}: {self.errors()}")
        return file.read_text()

    def errors(self) -> str:
        return (self.out / "errors").read_text()

    def alive(self) -> bool:
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state != "Z"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start_one(*ways: str, **options) -> Running:
        started.append(Running(tmp_path, *ways, **options))
        return started[-1]

    yield start_one
    for one in started:
        one.process.kill()
        one.process.wait()
        if one.alive():
            os.kill(one.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_node_after_its_last_word_with_code_0(start, number):
    node = start()
    node.process.send_signal(number)
    assert node.process.wait(PATIENCE_S) == 0, node.errors()
    assert int(node.wait_for("goodbye")) > 0
    assert (node.out / "printed").read_text() == "in the buffer\n"
    (log,) = (node.out / "log").glob("*.log")
    assert "last line of the log" in log.read_text() and "Traceback" not in node.errors()


def test_a_signal_while_the_node_is_being_made_ends_it_at_once(start):
    node = start("slow to make")
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(PATIENCE_S) == 0
    assert "Traceback" not in node.errors()


@pytest.mark.parametrize("ways", [["acts"], ["acts", "events"], ["refused"], ["refused", "events"]])
def test_nothing_of_dds_is_left_when_the_process_ends(start, ways):
    node = start(*ways)
    if "refused" not in ways:
        node.process.send_signal(signal.SIGINT)
    assert node.process.wait(PATIENCE_S) == (2 if "refused" in ways else 0), node.errors()
    threads = set(node.wait_for("threads").split())
    assert {name for name in threads if name.startswith("dds.")} <= {"dds.shm.wdog"}


def test_what_the_interpreter_takes_down_later_neither_delays_nor_aborts(start):
    node = start("aborts")
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(PATIENCE_S) == 0, node.errors()


def test_a_thread_of_the_nodes_own_ends_its_work_first(start):
    node = start("thread")
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(PATIENCE_S) == 0
    assert (node.out / "written").read_text() == "whole"


def test_a_node_that_lingers_is_spun_on_until_it_says_so(start):
    node = start("lingers")
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(PATIENCE_S) == 0
    assert int(node.wait_for("goodbye")) > int(node.wait_for("asked")) + 5


@pytest.mark.parametrize("parent", [SHELL, LAUNCH], ids=["by hand", "launched"])
def test_a_node_ends_in_order_when_its_parent_is_killed(start, parent):
    node = start(parent=parent)
    node.process.kill()
    wait_until(lambda: not node.alive(), "the node outlives its parent")
    assert int(node.wait_for("goodbye")) > 0


def test_a_node_whose_launch_died_before_the_node_could_ask_for_the_signal_ends(start):
    node = start("unarmed", parent=LAUNCH)
    node.process.kill()
    node.process.wait()
    (node.out / "go").touch()
    wait_until(lambda: not node.alive(), "the node outlives its launch")


def test_a_node_started_with_nohup_outlives_its_parent_and_a_hangup(start):
    node = start(parent=SHELL, nohup=True)
    node.process.kill()
    node.process.wait()
    os.kill(node.pid, signal.SIGHUP)
    spun_on = time.monotonic() + 1.0
    while time.monotonic() < spun_on:
        assert node.alive()
        time.sleep(0.05)
    os.kill(node.pid, signal.SIGINT)
    wait_until(lambda: not node.alive(), "the node stays")
    assert node.wait_for("goodbye")


def test_a_launched_node_ends_with_its_launch_even_under_nohup(start):
    node = start(parent=LAUNCH, nohup=True)
    node.process.kill()
    wait_until(lambda: not node.alive(), "the node outlives its launch")
