"""Work in a thread beside the executor, awaited by a coroutine in it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

from vital_core.errors import ErrorCode, VitalError
from vital_ros.process.priority import be_nice

# Pointing and planning wait for whatever ticks.
NICENESS = 5


@dataclass(frozen=True)
class Work:
    """The thread, and a future of a function that returns the work's value or raises its VitalError."""

    thread: threading.Thread
    done: Future


def in_background(node: Node, work: Callable[[], Any]) -> Work:
    """Start ``work``. What it raises that is not a VitalError becomes one, INTERNAL, with its kind and text."""
    done: Future = Future()

    def run() -> None:
        be_nice(NICENESS)
        answer = _answer(work)
        if node.executor is not None:
            node.executor.create_task(done.set_result, answer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return Work(thread, done)


def _answer(work: Callable[[], Any]) -> Callable[[], Any]:
    try:
        value = work()
    except VitalError as refusal:
        return _raising(refusal)
    except Exception as fault:
        return _raising(VitalError(ErrorCode.INTERNAL, f"{type(fault).__name__}: {fault}"))
    return lambda: value


def _raising(error: VitalError) -> Callable[[], Any]:
    def give() -> Any:
        raise error

    return give
