"""One reach, start to end: sample the start pose, leave contact, look, plan, move, let it settle, measure."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vital_core.arm import kinematics
from vital_core.errors import ErrorCode, VitalError
from vital_core.stall import wait_out_a_stall
from vital_core.target import Target, hand_yaw_rad
from vital_core.task import Task
from vital_vlm_reach.arm_calls import GateCalls, JointReadings
from vital_vlm_reach.planning.droppable_planner import DroppablePlanner
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.planner import Cancelled, Plan, ReachProblem, check_wanted
from vital_vlm_reach.planning.robot_model import Obstacle
from vital_vlm_reach.reach_outcome import ReachOutcome
from vital_vlm_reach.start_pose import sample_start_pose

# A reach that ends further from its goal than this has failed.
MAX_ERROR_M = 0.01

Progress = Callable[[str, float], None]
Look = Callable[[ReachProblem, Cancelled], tuple[Obstacle, ...]]


class ReachRun:
    """Blocking; for a thread of its own. `cancel` may come from any thread.

    look: what is in the way. on_plan hears a motion before it begins.
    """

    def __init__(
        self,
        planner: DroppablePlanner,
        gate: GateCalls,
        joints: JointReadings,
        look: Look,
        on_plan: Callable[[JointMotion], None],
    ) -> None:
        self._planner, self._gate, self._joints = planner, gate, joints
        self._look, self._on_plan = look, on_plan
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop as soon as possible, the arm at rest."""
        self._cancelled.set()

    def run(self, task: Task, target: Target, seed: int, on_progress: Progress) -> ReachOutcome:
        """Never raises a VitalError: a refusal becomes the outcome's code and message."""
        outcome = ReachOutcome()
        try:
            self._gate.watch.wait(abandon=self._cancelled.is_set)
            plan = self._plan(task, target, seed, outcome, on_progress)
            self._move(task, plan.motion, on_progress)
            self._measure(plan, outcome)
        except VitalError as error:
            outcome.code, outcome.message = error.code, error.message
        return outcome

    def _plan(self, task: Task, target: Target, seed: int, outcome: ReachOutcome, on_progress: Progress) -> Plan:
        on_progress("planning", 0.0)
        start_rad = self._joints.next()
        outcome.yaw_rad = target.yaw_for(hand_yaw_rad(kinematics.forward(start_rad)))
        if target.yaw is not None:
            outcome.yaw_std_rad = target.yaw.std_rad
        outcome.tilt_rad = target.tilt_rad
        goal = outcome.t_base_tcp_goal = sample_start_pose(task, target.frame(outcome.yaw_rad), seed)
        problem = ReachProblem(task, start_rad, goal, target.point_m, max(seed, 0))
        problem = self._out_of_contact(problem, on_progress)
        seen = self._look(problem, self._cancelled.is_set)
        problem = self._out_of_contact(replace(problem, seen=seen), on_progress)
        if problem.seen is not seen:
            problem = replace(problem, seen=self._look(problem, self._cancelled.is_set))
        on_progress("planning", 0.5)
        plan = self._planner.plan(problem, self._cancelled.is_set)
        outcome.planning_s = plan.planning_s
        check_wanted(self._cancelled.is_set)
        return plan

    def _out_of_contact(self, problem: ReachProblem, on_progress: Progress) -> ReachProblem:
        """The problem from where the arm touches nothing: itself, or after a retreat, and then nothing seen yet."""
        retreat = self._planner.retreat(problem, self._cancelled.is_set)
        if retreat is None:
            return problem
        self._move(problem.task, retreat, on_progress)
        return replace(problem, start_rad=self._joints.next(), seen=())

    def _move(self, task: Task, motion: JointMotion, on_progress: Progress) -> None:
        on_progress("moving", 0.0)
        self._on_plan(motion)
        wait_out_a_stall(lambda: self._gate.acquire(task.name), self._cancelled.is_set)
        try:
            check_wanted(self._cancelled.is_set)
            self._gate.execute(motion, self._cancelled, lambda share: on_progress("moving", share))
            self._joints.settled()
        finally:
            self._gate.release()

    def _measure(self, plan: Plan, outcome: ReachOutcome) -> None:
        assert outcome.t_base_tcp_goal is not None
        tcp = kinematics.forward(self._joints.next())
        outcome.error_m = float(np.linalg.norm(tcp[:3, 3] - outcome.t_base_tcp_goal[:3, 3]))
        told = (
            f"{1000 * outcome.error_m:.1f} mm from the goal after {plan.motion.duration_s:.1f} s of motion "
            f"({plan.how}, planned in {1000 * plan.planning_s:.0f} ms), {outcome.told_turn()}"
        )
        if outcome.error_m > MAX_ERROR_M:
            raise VitalError(
                ErrorCode.REACH_TIMEOUT, f"the arm came to rest {told}, at most {1000 * MAX_ERROR_M:.0f} mm allowed"
            )
        outcome.message = told
