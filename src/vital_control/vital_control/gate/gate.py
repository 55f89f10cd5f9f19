"""The command gate's state machine: one owner, one motion in force, and every refusal before the motion.

The motion in force was checked whole when it was accepted, and what the arm is given of it ends at rest. So a
refused, late or missing command needs no action to be safe: the arm carries out what it has and stands still.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vital_control.gate.arm import APART_FOR_S, Arm
from vital_control.gate.command_check import Command, Situation, check_command, check_may_move
from vital_control.gate.command_plan import plan_command
from vital_control.gate.execution import Execution
from vital_control.gate.limits import Limits
from vital_control.gate.ownership import WHICHEVER, Answer, LatchedStop, Ownership
from vital_control.gate.report import GateReport
from vital_control.gate.scene_resets import SceneResets
from vital_control.gate.tally import Tally
from vital_control.gate.touch_guard import TouchGuard
from vital_control.gate.trajectory_check import TrajectoryRequest, problem
from vital_control.gate.trajectory_plan import expired, plan_trajectory
from vital_control.gate.verdict import Judgement, Mode, Verdict
from vital_control.gate.whereabouts import (
    OTHER_REFERENCE_FOR_S,
    clear_problem,
    misplaced,
    place_problem,
    silent_sensor,
    unfit_to_move,
)
from vital_core.arm.trajectory import Array, Trajectory
from vital_core.errors import ErrorCode
from vital_core.owner import Owner
from vital_core.task import Task

GRIPPER_STEP = 1e-3  # a smaller change of the gripper is none
UNOWNED_APART_FOR_S = 0.2  # nothing moves meanwhile: a reset's announcement may still be on its way


class Gate:
    """Judges commands and trajectories and issues the motions that come of them.

    ``issue`` is called with every motion that the arm is to carry out from now on, ``grip`` with every new gripper
    position (0 open, 1 closed). simulated: the joints may jump where the simulator announces it. touch_required:
    nothing moves without a tactile pad. All times are steady time in s unless they are named ros.
    """

    def __init__(
        self,
        limits: Limits,
        issue: Callable[[Trajectory], None],
        grip: Callable[[float], None],
        *,
        simulated: bool = False,
        touch_required: bool = True,
    ) -> None:
        self.limits = limits
        self.arm = Arm(limits, issue, lambda way: problem(way, self.limits) is None)
        self.touch = TouchGuard(limits, required=touch_required)
        self.resets = SceneResets(counted=simulated)
        self.mode = Mode.IDLE
        self.stop = LatchedStop()
        self.hold_code, self.hold_reason = ErrorCode.OK, ""
        self.execution: Execution | None = None
        self.tally = Tally()
        self._ownership = Ownership()
        self._grip = grip
        self._gripper: float | None = None
        self._last_seq: int | None = None
        self._last_motion_s = -np.inf
        self._period_s = limits.task.period_s
        self._stalled = False
        self._ticked_s: float | None = None

    @property
    def owner(self) -> Owner:
        """Who owns the arm."""
        return self._ownership.owner

    @property
    def executing(self) -> bool:
        """Whether a trajectory is being carried out."""
        return self.execution is not None and self.execution.running

    @property
    def essence(self) -> tuple[object, ...]:
        """Another one when there is something new to tell."""
        tally = self.tally
        return self.mode, self.owner, self.stop.number, tally.accepted, tally.rejected, tally.gaps

    def report(self, now_s: float) -> GateReport:
        """What the gate tells of itself."""
        fault, tally = self.touch.blind(now_s) or self.touch.loaded(), self.tally
        return GateReport(
            mode=self.mode,
            owner=self.owner,
            task=self.limits.task,
            last=tally.last,
            last_judged_seq=tally.last_judged_seq,
            stop_code=self.stop.code,
            stop_reason=self.stop.reason,
            stop_number=self.stop.number if self.mode is Mode.LATCHED else 0,
            hold_code=self.hold_code,
            hold_reason=self.hold_reason,
            accepted=tally.accepted,
            rejected=tally.rejected,
            projected=tally.projected,
            holds=tally.holds,
            gaps=tally.gaps,
            last_gap_s=tally.last_gap_s,
            stray_readings=self.arm.stray_readings,
            joints_seen=self.arm.seen(now_s),
            joint_state_age_s=self.arm.age_s(now_s),
            tactile_age_s=self.touch.age_s(now_s),
            tactile_peak_ut=self.touch.peak_ut,
            touch_fault="" if fault is None else fault.text,
            counts={**tally.counts, **self.resets.counts, **self.touch.counts, **self.arm.counts},
        )

    # What the gate senses.

    def observe_joints(self, joints_rad: Array | None, now_s: float) -> None:
        """Take in measured joint positions (7,); None, when a joint was not in the reading, is only counted."""
        self.arm.observe(joints_rad, now_s)
        if not self._may_follow_a_reset or self.arm.measured is None:
            return
        if (announced := self.resets.confirmed_by(self.arm.measured, now_s)) is not None:
            self.arm.put_to(announced)
            self.touch.at_rest()

    def observe_reference(self, joints_rad: Array | None, now_s: float) -> None:
        """Take in where the trajectory controller holds the arm (7,)."""
        self.arm.observe_reference(joints_rad, now_s)

    def announce_reset(self, joints_rad: Array | None, now_s: float) -> None:
        """The simulator says that it has put the arm to (7,) joints; counts only for an idle arm that nobody owns."""
        self.resets.announce(joints_rad, now_s, welcome=self._may_follow_a_reset)

    @property
    def _may_follow_a_reset(self) -> bool:
        return self.mode is Mode.IDLE and self.owner is Owner.NOBODY

    def observe_tactile(
        self,
        field_ut: Array,
        valid: NDArray[np.bool_],
        now_s: float,
        baseline_ut: Array | None = None,
        baseline_id: int = 0,
    ) -> None:
        """Take in field_ut (n, 3) and valid (n,); an owned arm that presses too hard, or might, is stopped."""
        fault = self.touch.observe(field_ut, valid, now_s, baseline_ut, baseline_id)
        if fault is not None and self.owner:
            self.latch(fault.code, fault.text, now_s)

    # Who owns the arm.

    def acquire(
        self, owner: str, task: Task | None, now_s: float, *, token: int = 0, take_over: bool = False
    ) -> Answer:
        """Give the arm to ``owner`` under the task's limits (None: those in force); the answer carries its token.

        With ``take_over`` a person need not wait for a machine to release it; the arm comes to rest on its path.
        """
        self._notice_a_gap(now_s)
        refusal = self._ownership.refusal(owner, token, take_over=take_over, abandoned=self._abandoned(now_s))
        if (refusal := self._stopped_answer() or refusal or unfit_to_move(self.arm, self.touch, now_s)) is not None:
            return refusal
        self._come_to_rest(now_s, f"'{owner}' takes the arm", ErrorCode.STOPPED)
        if task is not None:
            self.limits = self.arm.limits = self.touch.limits = self.limits.for_task(task)
        token, self.mode = self._ownership.give_to(Owner(owner)), Mode.HOLDING
        self._last_seq, self._last_motion_s = None, now_s
        self._period_s = self.limits.task.period_s
        self.touch.rebase()
        text = f"'{owner}' owns the arm under the limits of {self.limits.task.name}"
        return Answer(True, ErrorCode.OK, text, token)

    def _stopped_answer(self) -> Answer | None:
        text = f"stopped ({self.stop.reason}): look at the arm, then /vital/clear_stop"
        return Answer(False, ErrorCode.STOPPED, text) if self.mode is Mode.LATCHED else None

    def _abandoned(self, now_s: float) -> bool:
        return (
            self.mode is Mode.HOLDING
            and not self.executing
            and now_s - self._last_motion_s > self.limits.owner_timeout_s
        )

    def release(self, owner: str, token: int, now_s: float) -> Answer:
        """Take the arm back from ``owner``, who shows the token of its acquisition; nobody owns it then."""
        if (refusal := self._ownership.release_refusal(owner, token)) is not None:
            return refusal
        self._come_to_rest(now_s, f"'{owner}' gave the arm back", ErrorCode.STOPPED)
        self._ownership.take_back()
        self.mode = Mode.LATCHED if self.mode is Mode.LATCHED else Mode.IDLE
        return Answer(True, ErrorCode.OK, "nobody owns the arm")

    # What may move.

    def judge(self, command: Command, now_s: float, ros_now_s: float) -> Judgement:
        """Judge one end-effector command; when it is accepted, its motion has been issued."""
        self._notice_a_gap(now_s)
        self.tally.last_judged_seq = command.seq
        return self.tally.record(self._judge(command, now_s, ros_now_s))

    def _judge(self, command: Command, now_s: float, ros_now_s: float) -> Judgement:
        situation = self._situation(command.owner, command.token, now_s, ros_now_s)
        refusal = check_command(command, situation) or misplaced(self.arm, now_s)
        if situation.proven:
            self._last_seq = max(command.seq, self._last_seq or 0)
        if refusal is not None:
            return refusal
        assert self.arm.measured is not None
        plan = plan_command(command, self.arm.measured, *self.arm.commanded(now_s), self.limits)
        if isinstance(plan, Judgement):
            return plan
        self._move(plan.way, now_s)
        self._period_s = command.duration_s
        if self._gripper is None or abs(command.gripper - self._gripper) > GRIPPER_STEP:
            self._gripper = command.gripper
            self._grip(command.gripper)
        return plan.judgement

    def settling(self, now_s: float) -> bool:
        """Whether an owner without commands has the arm and it is coming to rest: worth a trajectory's wait."""
        return self.mode is Mode.HOLDING and self.arm.moving(now_s)

    def judge_trajectory(self, request: TrajectoryRequest, now_s: float, ros_now_s: float) -> Judgement:
        """Judge a joint trajectory; when it is accepted, it has been issued and `execution` follows it."""
        self._notice_a_gap(now_s)
        return self.tally.record(self._judge_trajectory(request, now_s, ros_now_s))

    def _judge_trajectory(self, request: TrajectoryRequest, now_s: float, ros_now_s: float) -> Judgement:
        refusal = check_may_move(request.owner, self._situation(request.owner, request.token, now_s, ros_now_s))
        refusal = refusal or expired(request, ros_now_s)
        if refusal is None and self.executing:
            refusal = Judgement(Verdict.OUT_OF_ORDER, "another trajectory is being carried out: cancel it first")
        refusal = refusal or misplaced(self.arm, now_s)
        if refusal is not None:
            return refusal
        motion = plan_trajectory(request, self.arm, now_s)
        if isinstance(motion, Judgement):
            return motion
        self._move(motion, now_s)
        self.execution, self._stalled = Execution(motion.positions_rad[-1], motion.duration_s), False
        return Judgement(Verdict.ACCEPTED, f"trajectory of {motion.duration_s:.2f} s is carried out")

    def _move(self, trajectory: Trajectory, now_s: float) -> None:
        self.arm.follow(trajectory, now_s)
        self.mode, self._last_motion_s = Mode.MOVING, now_s

    def _situation(self, sender: str, token: int, now_s: float, ros_now_s: float) -> Situation:
        blind = self.touch.blind(now_s)
        return Situation(
            owner=self.owner,
            proven=self._ownership.proven(sender, token),
            stop_reason=self.stop.reason if self.mode is Mode.LATCHED else None,
            executing=self.executing,
            last_seq=self._last_seq,
            ros_now_s=ros_now_s,
            joint_state_age_s=self.arm.age_s(now_s),
            blind=None if blind is None else blind.text,
            limits=self.limits,
        )

    # Standing still.

    def latch(self, code: ErrorCode, reason: str, now_s: float) -> Answer:
        """Stop and stay stopped until `clear`. After too much force the arm comes to rest where it really is."""
        if self.mode is Mode.LATCHED:
            return Answer(True, ErrorCode.OK, f"was stopped already ({self.stop.add(code, reason)})")
        if code is ErrorCode.FORCE_LIMIT:
            self.arm.yield_to_force(now_s)
            self._end_execution(code, reason)
        else:
            self._come_to_rest(now_s, reason, code)
        self.mode = Mode.LATCHED
        self.stop.latch(code, reason)
        return Answer(True, ErrorCode.OK, f"stopped: {reason}")

    def clear(self, operator_name: str, now_s: float, *, number: int = WHICHEVER) -> Answer:
        """Lift stop ``number`` in the name of the person who has looked at the arm; nobody owns it then.

        The gate goes on from where the trajectory controller holds the arm, and sends nothing. Where the arm is
        measured elsewhere, a command would make it jump: then the stop stays.
        """
        if not operator_name.strip():
            return Answer(False, ErrorCode.BAD_PARAMETER, "operator_name is empty: who has looked at the arm?")
        if self.mode is not Mode.LATCHED:
            return Answer(True, ErrorCode.OK, "was not stopped")
        if (refusal := self.stop.clear_refusal(number) or clear_problem(self.arm, now_s)) is not None:
            return refusal
        assert self.arm.reference is not None
        text = f"{operator_name.strip()} cleared the stop: {self.stop.reason}"
        self._end_execution(ErrorCode.STOPPED, text)
        if not self.arm.moving(now_s):  # else the gate's own motion brings it to rest
            self.arm.base_on(self.arm.reference)
        self.touch.at_rest()
        self._ownership.take_back()
        self.mode = Mode.IDLE
        self.stop.lift()
        return Answer(True, ErrorCode.OK, text)

    def cancel_execution(self, now_s: float) -> None:
        """Stop the trajectory being carried out; its owner keeps the arm."""
        self._hold(now_s, "cancelled", ErrorCode.CANCELLED)

    def rest(self, now_s: float) -> None:
        """Bring the arm to rest because the gate itself is about to end."""
        self._come_to_rest(now_s, "the command gate ends", ErrorCode.NODE_LOST)

    def tick(self, now_s: float) -> None:
        """The watchdog: stop an arm that is not where it was sent, hold when commands or sensors stop coming, see a
        trajectory to its end."""
        self._notice_a_gap(now_s)
        self._ticked_s = now_s
        if self.mode is Mode.LATCHED:
            return
        self._watch_place(now_s)
        if self.executing:
            self._see_to_its_end(now_s)
        elif self.mode is Mode.MOVING:
            self._watch_commands(now_s)
        else:
            self.arm.align_with_controller(now_s)

    def _notice_a_gap(self, now_s: float) -> None:
        """A gate that has stood still (stopped, starved, suspended) trusts nothing from before."""
        gap_s = 0.0 if self._ticked_s is None else now_s - self._ticked_s
        if gap_s <= self.limits.longest_stall_s:
            return
        self._ticked_s = now_s
        self.tally.note_gap(gap_s)
        if self.mode is Mode.MOVING or self.executing:
            self._hold(now_s, f"the gate itself stood still for {gap_s:.1f} s", ErrorCode.NODE_LOST)

    def _watch_place(self, now_s: float) -> None:
        if self.resets.expected(now_s):
            return
        patience_s = APART_FOR_S if self.owner else UNOWNED_APART_FOR_S
        apart = self.arm.apart_for_s(now_s) >= patience_s and self.arm.apart(now_s)
        lasts = apart or self.arm.other_reference_for_s(now_s) > OTHER_REFERENCE_FOR_S
        if lasts and (text := place_problem(self.arm, now_s)) is not None:
            self.latch(ErrorCode.ARM_DISPLACED, text, now_s)

    def _watch_commands(self, now_s: float) -> None:
        self.arm.renew(now_s)
        if not self.arm.seen(now_s):
            self._hold(now_s, "joint states stopped coming", ErrorCode.SENSOR_FAULT)
        elif now_s - self._last_motion_s > self.limits.hold_after_periods * self._period_s:
            self._hold(now_s, "commands stopped coming", ErrorCode.TIMEOUT)

    def _see_to_its_end(self, now_s: float) -> None:
        execution = self.execution
        assert execution is not None and self.arm.measured is not None
        silence = silent_sensor(self.arm, self.touch, now_s)
        if silence is not None:
            self._stall(silence, now_s)
            return
        if self._stalled:
            self._stalled, self.mode = False, Mode.MOVING
            self.arm.go_on(now_s)
        self.arm.renew(now_s)
        path_s, limits = self.arm.path_time_s(now_s), self.limits
        execution.watch(self.arm.measured, path_s, now_s, limits.goal_tolerance_rad, limits.settle_s)
        if not execution.running:
            self._hold(now_s, execution.text, ErrorCode.OK)

    def _stall(self, silence: tuple[float, str], now_s: float) -> None:
        """Rest on the path while a sensor is silent; a silence that lasts ends the trajectory."""
        age_s, text = silence
        if age_s > self.limits.longest_stall_s:
            self._hold(now_s, f"{text} (for {age_s:.1f} s)", ErrorCode.SENSOR_FAULT)
        elif not self._stalled:
            self._stalled, self.mode = True, Mode.HOLDING
            self.hold_code, self.hold_reason = ErrorCode.SENSOR_FAULT, text
            self.tally.stalls += 1
            self.arm.pause(now_s)

    def _hold(self, now_s: float, reason: str, code: ErrorCode) -> None:
        self._come_to_rest(now_s, reason, code)
        self.tally.note_hold(code)
        self.hold_code, self.hold_reason, self._last_motion_s = code, reason, now_s
        if self.mode is Mode.MOVING:
            self.mode = Mode.HOLDING

    def _come_to_rest(self, now_s: float, reason: str, code: ErrorCode) -> None:
        self.arm.come_to_rest(now_s)
        self._stalled = False
        self._end_execution(code, reason)

    def _end_execution(self, code: ErrorCode, reason: str) -> None:
        if self.execution is not None:
            self.execution.end(code, reason)
