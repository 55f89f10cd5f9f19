"""What stations share: a disk that is small, a client of the node at stake, and its end."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from vital_bringup.chaos.judgement import Found, Judgement, traceback_in
from vital_core.errors import ErrorCode, VitalError
from vital_ros.calls import call

BALLAST = "ballast"


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of ``size_bytes`` at ``folder``. Raises VitalError where it cannot be mounted."""
    folder.mkdir(parents=True)
    options = f"size={size_bytes}"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "chaos", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"no small disk can be mounted at {folder} ({done.stderr.strip()}): run as root, or leave the disk kinds "
            "out with --kinds",
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk: Path, but_bytes: int) -> None:
    """Take all room of a disk ``but_bytes``, by the file `BALLAST`; somebody may write there meanwhile."""
    with (disk / BALLAST).open("wb") as ballast:
        while (size := _free_bytes(disk) - but_bytes) > 0:
            try:
                os.posix_fallocate(ballast.fileno(), 0, os.fstat(ballast.fileno()).st_size + size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return


def _free_bytes(disk: Path) -> int:
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize


class Client:
    """A node of the station's own that calls services."""

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("chaos_station", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def ask(self, kind: type, name: str, request: Any, timeout_s: float = 10.0) -> Any:
        """A service's answer."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        # A node may take as long to come up as it may take to answer.
        self._clients[name].wait_for_service(timeout_sec=timeout_s)
        return call(self._clients[name], request, timeout_s)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown(timeout_sec=1.0)
        self._context.try_shutdown()
        self._thread.join(2.0)
        self.node.destroy_node()


def end_in_order(process: subprocess.Popen) -> int:
    """The exit code after SIGINT; of a process that does not heed it, that of SIGKILL."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5.0)
        return -signal.SIGKILL


def found(parameters: dict[str, Any], judgement: Judgement, log: str) -> Found:
    """What came of a station whose log is ``log``."""
    error = traceback_in(log)
    judgement.note("quiet", error and f"a traceback: {error}")
    return Found(parameters, "violated" if judgement.violations else "nothing lost", judgement)


def note_end(judgement: Judgement, process: subprocess.Popen) -> None:
    """End a process that lives in order, and note with which code."""
    code = end_in_order(process)
    judgement.note("ended", None if code == 0 else f"exit code {code} after Ctrl-C, expected 0")


def note_disk_full(judgement: Judgement, log: str) -> None:
    """Whether a line with a code says that the disk is full."""
    named = re.search(r"\[[A-Z_]+ \d+\].*No space left|DISK_FULL", log)
    judgement.note("named", None if named else "no line in the log says DISK_FULL, or a code and that no space is left")
