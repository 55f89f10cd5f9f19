"""How a process of the project comes to its end: asked to by a signal, with its parent, and without a word lost.

A launch that is killed tells its processes nothing, and an arm would go on with nobody there. So each process has the
kernel send it SIGTERM when its parent dies. That holds under any launch system.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The launch files tell their process id by this name.
LAUNCH_PID = "VITAL_LAUNCH_PID"
PR_SET_PDEATHSIG = 1


def on_stop_signal(stop: Callable[[], None]) -> None:
    """Call ``stop``, as often as they come, on SIGINT, SIGTERM and SIGHUP, and SIGTERM when the parent dies.

    Where SIGHUP is ignored (`nohup`) it stays so, and what was started so by hand outlives its parent.
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop()

    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or not outlives:
            signal.signal(number, handle)
    if not outlives or LAUNCH_PID in os.environ:
        _end_with_parent()


def end_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent dies; it holds over `exec`. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl: cannot ask for a signal when the parent dies")


def _end_with_parent() -> None:
    parent = os.getppid()
    end_with_parent()
    # The parent may have died before the kernel was asked, even before this process knew of it.
    launch = os.environ.get(LAUNCH_PID)
    if os.getppid() != parent or (launch is not None and not _descends_from(int(launch))):
        os.kill(os.getpid(), signal.SIGTERM)


def _descends_from(ancestor: int) -> bool:
    pid = os.getppid()
    while pid not in (0, ancestor):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid == ancestor


def exit_with(code: int) -> NoReturn:
    """End the process with ``code`` at once, after its own threads have ended and what was printed is out.

    The interpreter would first take down every library: seconds of processor with torch, and an abort where one of
    them still computes in a thread. Whoever calls this has closed its files and said what it has to say.
    """
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # who read it may have died
            stream.flush()
    os._exit(code)
