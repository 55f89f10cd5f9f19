"""One reach, start to end: sample the start pose, plan, take the arm, move, let it settle, measure."""

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vital_core.arm import kinematics
from vital_core.errors import ErrorCode, VitalError
from vital_core.stall import wait_out_a_stall
from vital_core.task import Task
from vital_vlm_reach.arm_calls import GateCalls, JointReadings
from vital_vlm_reach.planning.droppable_planner import DroppablePlanner
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.planner import Plan, ReachProblem, check_wanted
from vital_vlm_reach.reach_outcome import ReachOutcome
from vital_vlm_reach.start_pose import sample_start_pose

# A reach that ends further from its goal than this has failed.
MAX_ERROR_M = 0.01

Progress = Callable[[str, float], None]


class ReachRun:
    """Blocking; for a thread of its own. `cancel` may come from any thread. on_plan hears a motion before it begins."""

    def __init__(
        self,
        planner: DroppablePlanner,
        gate: GateCalls,
        joints: JointReadings,
        on_plan: Callable[[JointMotion], None],
    ) -> None:
        self._planner, self._gate, self._joints = planner, gate, joints
        self._on_plan = on_plan
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop as soon as possible, the arm at rest."""
        self._cancelled.set()

    def run(self, task: Task, target_m: NDArray[np.float64], seed: int, on_progress: Progress) -> ReachOutcome:
        """Never raises a VitalError: a refusal becomes the outcome's code and message."""
        outcome = ReachOutcome()
        try:
            self._gate.watch.wait(abandon=self._cancelled.is_set)
            plan = self._plan(task, target_m, seed, outcome, on_progress)
            self._move(task, plan, on_progress)
            self._measure(plan, outcome)
        except VitalError as error:
            outcome.code, outcome.message = error.code, error.message
        return outcome

    def _plan(
        self, task: Task, target_m: NDArray[np.float64], seed: int, outcome: ReachOutcome, on_progress: Progress
    ) -> Plan:
        on_progress("planning", 0.0)
        goal = outcome.t_base_tcp_goal = sample_start_pose(task, target_m, seed)
        problem = ReachProblem(task, self._joints.next(), goal, target_m, max(seed, 0))
        plan = self._planner.plan(problem, self._cancelled.is_set)
        outcome.planning_s = plan.planning_s
        check_wanted(self._cancelled.is_set)
        self._on_plan(plan.motion)
        return plan

    def _move(self, task: Task, plan: Plan, on_progress: Progress) -> None:
        on_progress("moving", 0.0)
        wait_out_a_stall(lambda: self._gate.acquire(task.name), self._cancelled.is_set)
        try:
            check_wanted(self._cancelled.is_set)
            self._gate.execute(plan.motion, self._cancelled, lambda share: on_progress("moving", share))
            self._joints.settled()
        finally:
            self._gate.release()

    def _measure(self, plan: Plan, outcome: ReachOutcome) -> None:
        assert outcome.t_base_tcp_goal is not None
        tcp = kinematics.forward(self._joints.next())
        outcome.error_m = float(np.linalg.norm(tcp[:3, 3] - outcome.t_base_tcp_goal[:3, 3]))
        told = (
            f"{1000 * outcome.error_m:.1f} mm from the goal after {plan.motion.duration_s:.1f} s of motion "
            f"({plan.how}, planned in {1000 * plan.planning_s:.0f} ms)"
        )
        if outcome.error_m > MAX_ERROR_M:
            raise VitalError(
                ErrorCode.REACH_TIMEOUT, f"the arm came to rest {told}, at most {1000 * MAX_ERROR_M:.0f} mm allowed"
            )
        outcome.message = told
