"""What signals do to a launch and to its processes."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from launch import LaunchContext
from launch.actions import ExecuteProcess
from launch.utilities import perform_substitutions

LAUNCH_FILE = """\
from launch import LaunchDescription
from launch_ros.actions import Node


def generate_launch_description():
    return LaunchDescription([Node(package="demo_pkg", executable="probe", arguments=["stay"], output="screen")])
"""


def staying(tmp_path: Path) -> Path:
    file = tmp_path / "staying.launch.py"
    file.write_text(LAUNCH_FILE)
    return file


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def wait_until_dead(pid: int, timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not is_alive(pid)


def test_escalation_timeouts_are_five_seconds_unless_configured() -> None:
    process, context = ExecuteProcess(cmd=["true"]), LaunchContext()
    timeouts = (process.sigterm_timeout, process.sigkill_timeout)
    assert [perform_substitutions(context, timeout) for timeout in timeouts] == ["5", "5"]
    context.launch_configurations.update(sigterm_timeout="1", sigkill_timeout="2")
    assert [perform_substitutions(context, timeout) for timeout in timeouts] == ["1", "2"]


def test_ctrl_c_in_a_terminal_is_not_sent_again(tmp_path: Path, environment: dict[str, str], start: Any) -> None:
    terminal, inside = pty.openpty()
    command = [sys.executable, "-c", "import os, sys; os.setsid(); os.execvp('ros2', sys.argv[1:])"]
    process = subprocess.Popen(
        [*command, "ros2", "launch", str(staying(tmp_path))],
        env=environment,
        stdin=inside,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(inside)
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if "staying" in line:
            os.killpg(process.pid, signal.SIGINT)
    os.close(terminal)
    assert process.wait() == 0
    assert "got SIGINT" in output
    assert "sending signal" not in output


def test_sigterm_kills_the_launch_and_orphans_its_processes(tmp_path: Path, start: Any) -> None:
    launch = start("ros2", "launch", staying(tmp_path))
    launch.wait_for("staying")
    pid = int(launch.wait_for(r"process started with pid \[(\d+)\]")[1])
    launch.send_signal(signal.SIGTERM)
    assert launch.process.wait(timeout=5) == -signal.SIGTERM
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_ignored_sigint_stays_ignored(tmp_path: Path, start: Any) -> None:
    launch = start("sh", "-c", f"trap '' INT; exec ros2 launch {staying(tmp_path)}")
    launch.wait_for("staying")
    launch.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert launch.process.poll() is None
    assert "user interrupted" not in launch.output


def test_processes_share_the_group_of_the_launch(tmp_path: Path, start: Any) -> None:
    launch = start("ros2", "launch", staying(tmp_path))
    pid = int(launch.wait_for(r"process started with pid \[(\d+)\]")[1])
    launch.wait_for("staying")
    assert os.getpgid(pid) == os.getpgid(launch.process.pid)
    launch.send_signal(signal.SIGINT)
    assert launch.finish() == 0
    assert wait_until_dead(pid)


def test_shutdown_reaches_every_process(tmp_path: Path, start: Any) -> None:
    file = tmp_path / "many.launch.py"
    file.write_text(LAUNCH_FILE.replace("[Node(", "[*(Node(").replace(")])", ") for _ in range(10))])"))
    launch = start("ros2", "launch", file)
    for number in range(1, 11):
        launch.wait_for(rf"\[probe-{number}\] staying")
    pids = [int(part.split("]")[0]) for part in launch.output.split("process started with pid [")[1:]]
    assert len(pids) == 10
    launch.send_signal(signal.SIGINT)
    assert launch.finish() == 0
    assert not any(is_alive(pid) for pid in pids)
