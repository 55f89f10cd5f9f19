"""Waiting for what is to come, in one place: no test sleeps for a time in which something should have happened."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

PATIENCE_S = 120.0  # that even a loaded machine keeps
LOOK_S = 0.005


def wait_until(
    condition: Callable[[], object], what: str = "what was waited for", timeout_s: float = PATIENCE_S
) -> None:
    """Return as soon as ``condition`` is true; fail when it is not in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"no sign of {what} in {timeout_s:g} s"
        time.sleep(LOOK_S)


def answer_of(future: Any, timeout_s: float = PATIENCE_S) -> Any:
    """The result of a future that another thread's executor completes."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(timeout_s), f"no answer in {timeout_s:g} s"
    return future.result()


def stays(condition: Callable[[], object], for_s: float, what: str = "what was to stay") -> None:
    """Fail as soon as ``condition`` is not true any more within a time."""
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s:
        assert condition(), f"{what} ended {end_s - time.monotonic():.2f} s too early"
        time.sleep(LOOK_S)


def rest_of(
    read: Callable[[], NDArray[np.float64]], for_s: float = 0.25, timeout_s: float = PATIENCE_S, atol: float = 0.0
) -> NDArray[np.float64]:
    """What ``read`` gives once it has given the same, to ``atol``, for a time: where an arm has come to rest."""
    deadline_s = time.monotonic() + timeout_s
    last, since_s = np.array(read()), time.monotonic()
    while time.monotonic() - since_s < for_s:
        assert time.monotonic() < deadline_s, f"it still moves after {timeout_s:g} s"
        time.sleep(LOOK_S)
        now = np.array(read())
        if np.abs(now - last).max() > atol:
            last, since_s = now, time.monotonic()
    return last
