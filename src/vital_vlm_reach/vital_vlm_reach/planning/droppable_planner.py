"""A planner that nobody has to wait for: a call that is cancelled ends at once, whatever its planning does."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from vital_ros.process.priority import be_nice
from vital_vlm_reach.background import NICENESS
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.planner import Cancelled, Plan, Planner, ReachProblem, check_wanted

_POLL_S = 0.02
T = TypeVar("T")


class DroppablePlanner:
    """Plans in a thread of its own, one problem at a time: the next one waits until what was dropped has ended."""

    def __init__(self, planner: Planner) -> None:
        self._planner, self._planning = planner, threading.Lock()

    def plan(self, problem: ReachProblem, cancelled: Cancelled) -> Plan:
        """As in `Planner.plan`."""
        return self._awaited(lambda: self._planner.plan(problem, cancelled), cancelled)

    def retreat(self, problem: ReachProblem, cancelled: Cancelled) -> JointMotion | None:
        """As in `Planner.retreat`."""
        return self._awaited(lambda: self._planner.retreat(problem), cancelled)

    def _awaited(self, work: Callable[[], T], cancelled: Cancelled) -> T:
        answer: Future[T] = Future()
        threading.Thread(target=self._answer, args=(answer, work, cancelled), daemon=True).start()
        while not wait([answer], _POLL_S).done:
            check_wanted(cancelled)
        return answer.result()

    def _answer(self, answer: Future[T], work: Callable[[], T], cancelled: Cancelled) -> None:
        be_nice(NICENESS)
        try:
            with self._planning:
                check_wanted(cancelled)
                answer.set_result(work())
        except Exception as error:
            answer.set_exception(error)
