"""Blocking service and action calls with time limits, for threads beside a spinning executor."""

import threading
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.task import Future

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError

POLL_S = 0.05


def wait_for(future: Future, timeout_s: float, what: str, abandon: threading.Event | None = None) -> Any:
    """The future's result. Raises VitalError(TIMEOUT) naming ``what`` when it does not come in time, CANCELLED once
    ``abandon`` is set."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    deadline = steady_s() + timeout_s
    while not done.wait(POLL_S):
        if abandon is not None and abandon.is_set():
            future.cancel()
            raise VitalError(ErrorCode.CANCELLED, f"stopped while waiting for {what}")
        if steady_s() > deadline:
            future.cancel()
            raise VitalError(ErrorCode.TIMEOUT, f"{what} did not answer within {timeout_s:.0f} s")
    return future.result()


def call(client: Client, request: Any, timeout_s: float = 10.0, abandon: threading.Event | None = None) -> Any:
    """A service's response. Raises VitalError: NODE_LOST when nobody serves it, TIMEOUT when it hangs, CANCELLED
    once ``abandon`` is set."""
    if not client.wait_for_service(timeout_sec=min(timeout_s, 5.0)):
        raise VitalError(ErrorCode.NODE_LOST, f"nobody serves {client.srv_name}: is its node running?")
    return wait_for(client.call_async(request), timeout_s, client.srv_name, abandon)


def checked(answer: Any) -> Any:
    """A service's answer. Raises VitalError with the code that it carries, where it carries one, when it says no."""
    if not answer.success:
        raise VitalError(ErrorCode(getattr(answer, "error_code", 0) or ErrorCode.INTERNAL), answer.message)
    return answer


def in_executor(client: ActionClient, work: Callable[..., Any], *args: Any, what: str, timeout_s: float = 5.0) -> Any:
    """What ``work(*args)`` returns, done in the thread of the client's executor.

    rclpy's ActionClient notes a request only after it has sent it, without a lock: asked from any other thread, an
    answer that comes at once finds nobody waiting and is dropped.
    """
    executor = client._node.executor
    if executor is None:
        return work(*args)
    return wait_for(executor.create_task(work, *args), timeout_s, what)


def send_goal(client: ActionClient, goal: Any, on_feedback: Callable[[Any], None], timeout_s: float = 5.0) -> Any:
    """The handle of a goal that was sent. Raises VitalError(TIMEOUT) when nobody answers."""
    name = client._action_name
    return wait_for(in_executor(client, client.send_goal_async, goal, on_feedback, what=name), timeout_s, name)


def run_action(
    client: ActionClient,
    goal: Any,
    *,
    timeout_s: float,
    cancel_when: Callable[[], bool] = lambda: False,
    abandon: threading.Event | None = None,
    on_feedback: Callable[[Any], None] = lambda _: None,
) -> tuple[int, Any]:
    """Send a goal and wait for (status, result); cancels it when ``cancel_when`` says so or time runs out.

    Raises VitalError: CANCELLED once ``abandon`` is set (the goal is cancelled and not waited for), NODE_LOST when
    nobody serves the action or its server goes away, BUSY when the goal is refused, TIMEOUT when a cancelled goal
    does not end.
    """
    name = client._action_name
    if not client.wait_for_server(timeout_sec=5.0):
        raise VitalError(ErrorCode.NODE_LOST, f"nobody serves {name}: is its node running?")
    handle = send_goal(client, goal, on_feedback)
    if not handle.accepted:
        raise VitalError(ErrorCode.BUSY, f"{name} refused the goal: it is busy or does not know it, see its log")
    result = in_executor(client, handle.get_result_async, what=name)
    done = threading.Event()
    result.add_done_callback(lambda _: done.set())
    deadline, cancelled = steady_s() + timeout_s, False
    while not done.wait(POLL_S):
        if abandon is not None and abandon.is_set():
            in_executor(client, handle.cancel_goal_async, what=name)
            raise VitalError(ErrorCode.CANCELLED, f"stopped during {name}")
        if not cancelled and (cancel_when() or steady_s() > deadline):
            in_executor(client, handle.cancel_goal_async, what=name)
            cancelled, deadline = True, steady_s() + 5.0
        elif cancelled and steady_s() > deadline:
            raise VitalError(ErrorCode.TIMEOUT, f"{name} did not end within 5 s of being cancelled")
        elif not client.server_is_ready():
            raise VitalError(ErrorCode.NODE_LOST, f"the node that serves {name} has gone")
    answer = result.result()
    return answer.status, answer.result


def succeeded(status: int) -> bool:
    """Whether a goal's status is SUCCEEDED."""
    return status == GoalStatus.STATUS_SUCCEEDED
