"""Blocking service and action calls with time limits, for threads beside a spinning executor."""

import threading
import time
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.task import Future

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError

POLL_S = 0.05
SERVED_S = 5.0  # for a server to be found, and for a goal to be taken
ENDS_S = 5.0  # for a goal that was cancelled to end
ASK_AGAIN_S = 0.25  # a request to cancel that was not granted
Question = Callable[[], bool]


def never() -> bool:
    """What is never so."""
    return False


def wait_for(future: Future, timeout_s: float, what: str, abandon: Question = never) -> Any:
    """The future's result. Raises VitalError(TIMEOUT) naming ``what`` when it does not come in time, CANCELLED once
    ``abandon`` says so."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    deadline = steady_s() + timeout_s
    while not done.wait(POLL_S):
        if abandon():
            future.cancel()
            raise VitalError(ErrorCode.CANCELLED, f"stopped while waiting for {what}")
        if steady_s() > deadline:
            future.cancel()
            raise VitalError(ErrorCode.TIMEOUT, f"{what} did not answer within {timeout_s:.0f} s")
    return future.result()


def _wait_until_served(is_ready: Question, name: str, timeout_s: float, abandon: Question) -> None:
    deadline = steady_s() + timeout_s
    while not is_ready():
        if abandon():
            raise VitalError(ErrorCode.CANCELLED, f"stopped while waiting for {name}")
        if steady_s() > deadline:
            raise VitalError(ErrorCode.NODE_LOST, f"nobody serves {name}: is its node running?")
        time.sleep(POLL_S)


def call(client: Client, request: Any, timeout_s: float = 10.0, abandon: Question = never) -> Any:
    """A service's response. Raises VitalError: NODE_LOST when nobody serves it, TIMEOUT when it hangs, CANCELLED
    once ``abandon`` says so."""
    _wait_until_served(client.service_is_ready, client.srv_name, min(timeout_s, SERVED_S), abandon)
    return wait_for(client.call_async(request), timeout_s, client.srv_name, abandon)


def checked(answer: Any) -> Any:
    """A service's answer. Raises VitalError with the code that it carries, where it carries one, when it says no."""
    if not answer.success:
        raise VitalError(ErrorCode.told(getattr(answer, "error_code", 0), ErrorCode.INTERNAL), answer.message)
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


def send_goal(
    client: ActionClient,
    goal: Any,
    on_feedback: Callable[[Any], None],
    timeout_s: float = SERVED_S,
    abandon: Question = never,
) -> Any:
    """The handle of a goal that was sent. Raises VitalError: TIMEOUT when nobody answers, CANCELLED once ``abandon``
    says so; a goal that is taken after that is cancelled at once."""
    name = client._action_name
    taken = threading.Event()
    sent = in_executor(client, client.send_goal_async, goal, on_feedback, what=name)
    sent.add_done_callback(lambda _: taken.set())
    deadline = steady_s() + timeout_s
    while not taken.wait(POLL_S):
        if abandon() or steady_s() > deadline:
            sent.add_done_callback(_disown)
            if abandon():
                raise VitalError(ErrorCode.CANCELLED, f"stopped before {name} took the goal")
            raise VitalError(ErrorCode.TIMEOUT, f"{name} did not answer within {timeout_s:.0f} s")
    return sent.result()


def _disown(sent: Future) -> None:
    handle = sent.result()
    if handle is not None and handle.accepted:
        handle.cancel_goal_async()


def run_action(
    client: ActionClient,
    goal: Any,
    *,
    timeout_s: float,
    cancel_when: Question = never,
    abandon: Question = never,
    on_feedback: Callable[[Any], None] = lambda _: None,
) -> tuple[int, Any]:
    """Send a goal and wait for (status, result); cancels it when ``cancel_when`` says so or time runs out.

    Raises VitalError: CANCELLED once ``abandon`` says so (the goal is cancelled and not waited for), or when
    ``cancel_when`` did before there was anybody to take the goal; NODE_LOST when nobody serves the action or its
    server goes away; BUSY when the goal is refused; TIMEOUT when a cancelled goal does not end within `ENDS_S`.
    """
    name = client._action_name
    _wait_until_served(client.server_is_ready, name, SERVED_S, lambda: abandon() or cancel_when())
    handle = send_goal(client, goal, on_feedback, abandon=abandon)
    if not handle.accepted:
        raise VitalError(ErrorCode.BUSY, f"{name} refused the goal: it is busy or does not know it, see its log")
    result = in_executor(client, handle.get_result_async, what=name)
    done = threading.Event()
    result.add_done_callback(lambda _: done.set())
    deadline, cancelling = steady_s() + timeout_s, None
    while not done.wait(POLL_S):
        if abandon():
            handle.cancel_goal_async()  # from here: the executor may have stopped for good
            raise VitalError(ErrorCode.CANCELLED, f"stopped during {name}")
        if cancelling is None and (cancel_when() or steady_s() > deadline):
            cancelling, deadline = Cancelling(client, handle), steady_s() + ENDS_S
        elif cancelling is not None and steady_s() > deadline:
            raise VitalError(ErrorCode.TIMEOUT, f"{name} did not end within {ENDS_S:g} s of being cancelled")
        elif not client.server_is_ready():
            raise VitalError(ErrorCode.NODE_LOST, f"the node that serves {name} has gone")
        if cancelling is not None:
            cancelling.ask_again()
    answer = result.result()
    return answer.status, answer.result


class Cancelling:
    """Asks for a goal to be cancelled, and again while that is not granted: a goal may have been too young for it."""

    def __init__(self, client: ActionClient, handle: Any) -> None:
        self._client, self._handle = client, handle
        self._ask()

    def _ask(self) -> None:
        self._asked_s = steady_s()
        name = self._client._action_name
        self._answer = in_executor(self._client, self._handle.cancel_goal_async, what=name)

    def ask_again(self) -> None:
        """To be called now and then until the goal has ended."""
        refused = self._answer.done() and not self._answer.result().goals_canceling
        if refused and steady_s() - self._asked_s > ASK_AGAIN_S:
            self._ask()


def succeeded(status: int) -> bool:
    """Whether a goal's status is SUCCEEDED."""
    return status == GoalStatus.STATUS_SUCCEEDED
