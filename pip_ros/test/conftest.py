"""A package to launch from, and commands started and watched."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ros_domain import own_domain

HERE = Path(__file__).resolve().parent
PIP_ROS = HERE.parent

# With a ROS installation sourced, pip_ros is on no path; the table of what the real tools do is held to them.
_launch = importlib.util.find_spec("launch")
STANDS_IN = _launch is not None and str(_launch.origin).startswith(str(PIP_ROS))
if not STANDS_IN:
    collect_ignore_glob = [path.name for path in HERE.glob("test_*.py") if path.name != "test_behaviours.py"]

PACKAGE = "demo_pkg"
TIMEOUT_S = 30.0


class Started:
    """A command under way; its standard output and standard error are one text."""

    def __init__(self, cmd: list[str], env: dict[str, str], **options: object) -> None:
        self.process = subprocess.Popen(
            cmd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,  # type: ignore[call-overload]
        )
        self.output = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _next_line(self, deadline: float) -> bool:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"nothing more within the time; so far:\n{self.output}") from None
        self.output += line or ""
        return line is not None

    def wait_for(self, pattern: str, timeout_s: float = TIMEOUT_S) -> re.Match[str]:
        """Wait for output that matches and return the match."""
        deadline = time.monotonic() + timeout_s
        while (match := re.search(pattern, self.output)) is None:
            assert self._next_line(deadline), f"ended without {pattern!r}:\n{self.output}"
        return match

    def send_signal(self, number: int) -> None:
        """Send a signal to the command alone, not to its children."""
        self.process.send_signal(number)

    def finish(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for the end of the command and of its output, and return its exit code."""
        deadline = time.monotonic() + timeout_s
        while self._next_line(deadline):
            pass
        return self.process.wait(timeout=max(0.1, deadline - time.monotonic()))

    def kill(self) -> None:
        """Kill the command with all that it has started in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An install prefix with the package demo_pkg, whose executables are the scripts in `nodes/`."""
    root = tmp_path_factory.mktemp("prefix")
    share, lib = root / "share" / PACKAGE, root / "lib" / PACKAGE
    index = root / "share" / "ament_index" / "resource_index" / "packages"
    for directory in (share / "launch", share / "other", lib, index):
        directory.mkdir(parents=True)
    (index / PACKAGE).touch()
    for script in (HERE / "nodes").glob("*.py"):
        target = lib / script.stem
        target.write_text(f"#!{sys.executable}\n{script.read_text()}")
        target.chmod(target.stat().st_mode | stat.S_IXUSR)
    for launch_file in (HERE / "launch").glob("*.launch.*"):
        shutil.copy(launch_file, share / "launch")
    shutil.copy(share / "launch" / "twice.launch.py", share / "other")
    (share / "params.yaml").write_text("/**:\n  ros__parameters:\n    colour: $(var colour)\n    home: $(env HOME)\n")
    return root


@pytest.fixture(scope="session")
def environment(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment for commands: a domain of their own, and the package demo_pkg."""
    paths = [str(prefix), os.environ.get("AMENT_PREFIX_PATH", sys.prefix)]
    found = {
        "PATH": os.pathsep.join([str(PIP_ROS / "bin"), os.path.dirname(sys.executable), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(PIP_ROS / "site"), os.environ.get("PYTHONPATH", "")]),
    }
    return {
        **os.environ,
        **(found if STANDS_IN else {}),
        "AMENT_PREFIX_PATH": os.pathsep.join(paths),
        "ROS_DOMAIN_ID": str(own_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path_factory.mktemp("log")),
        "PYTHONUNBUFFERED": "1",
    }


Start = Callable[..., Started]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Start commands: `start("ros2", "launch", ...)`, extra environment variables by name."""
    started: list[Started] = []

    def start_one(*cmd: object, **variables: str) -> Started:
        one = Started([str(part) for part in cmd], {**environment, **variables})
        started.append(one)
        return one

    yield start_one
    for one in started:
        one.kill()


@pytest.fixture
def ros2(start: Start) -> Callable[..., tuple[int, str]]:
    """Run `ros2` to its end and return exit code and output."""

    def run(*arguments: object, **variables: str) -> tuple[int, str]:
        one = start("ros2", *arguments, **variables)
        return one.finish(), one.output

    return run
