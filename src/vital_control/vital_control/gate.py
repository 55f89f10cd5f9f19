"""The command gate's state machine: one owner, one motion in force, and every refusal before the motion.

The motion in force was checked whole when it was accepted and ends at rest. So a refused, late or missing command
needs no action to be safe: the arm carries out what was accepted last and stands still.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vital_control.arm import ADOPT_S, Arm
from vital_control.command_check import Command, Situation, check_command, check_may_move
from vital_control.command_plan import plan_command
from vital_control.execution import Execution
from vital_control.limits import Limits
from vital_control.tactile_watch import TactileWatch
from vital_control.tracking import joined
from vital_control.trajectory import Array, Trajectory
from vital_control.trajectory_check import TrajectoryRequest, problem, to_trajectory
from vital_control.verdict import Answer, Judgement, Mode, Verdict
from vital_core.errors import ErrorCode
from vital_core.task import Task

OWNERS = ("policy", "reach", "teleop", "reset")
# A person, or the way back to a safe place, may take the arm from a machine; never the other way round.
MAY_TAKE_OVER = ("teleop", "reset")
MAY_BE_TAKEN_FROM = ("policy", "reach")
GRIPPER_STEP = 1e-3  # a smaller change of the gripper is none


class Gate:
    """Judges commands and trajectories and issues the motions that come of them.

    ``issue`` is called with every trajectory that the arm is to carry out from now on, ``grip`` with every new
    gripper position (0 open, 1 closed). All times are steady time in s unless they are named ros.
    """

    def __init__(self, limits: Limits, issue: Callable[[Trajectory], None], grip: Callable[[float], None]) -> None:
        self.limits = limits
        self.arm = Arm(limits, issue)
        self.tactile = TactileWatch()
        self.mode = Mode.IDLE
        self.owner = ""
        self.stop_code = ErrorCode.OK
        self.stop_reason = ""
        self.hold_reason = ""
        self.holds = 0
        self.execution: Execution | None = None
        self.last = Judgement(Verdict.ACCEPTED, "no command yet")
        self.last_judged_seq = 0
        self.verdicts: Counter[Verdict] = Counter()
        self._grip = grip
        self._gripper: float | None = None
        self._last_seq: int | None = None
        self._last_motion_s = -np.inf
        self._period_s = limits.task.period_s

    @property
    def accepted(self) -> int:
        """Commands and trajectories that the arm was given."""
        return self.verdicts[Verdict.ACCEPTED]

    @property
    def rejected(self) -> int:
        """Commands and trajectories that it was not given."""
        return self.verdicts.total() - self.accepted

    @property
    def executing(self) -> bool:
        """Whether a trajectory is being carried out."""
        return self.execution is not None and self.execution.running

    # What the gate senses.

    def observe_joints(self, joints_rad: Array | None, now_s: float) -> None:
        """Take in measured joint positions (7,); None, when a joint was not in the reading, is only counted."""
        self.arm.observe(joints_rad, now_s)

    def observe_tactile(
        self,
        field_ut: Array,
        valid: NDArray[np.bool_],
        now_s: float,
        baseline_ut: Array | None = None,
        baseline_id: int = 0,
    ) -> None:
        """Take in field_ut (n, 3) and valid (n,); over the limit, an owned arm is stopped and latched."""
        change = self.tactile.observe(field_ut, valid, now_s, baseline_ut, baseline_id)
        limit = self.limits.task.tactile_limit_ut
        if change is not None and self.owner and change > limit:
            self.latch(ErrorCode.FORCE_LIMIT, f"touch changed by {change:.0f} µT, limit {limit:.0f} µT", now_s)

    # Who owns the arm.

    def acquire(self, owner: str, task: Task | None, now_s: float, *, take_over: bool = False) -> Answer:
        """Give the arm to ``owner`` under the task's limits (None: those in force).

        With ``take_over`` a person need not wait for a machine to release it; the arm comes to rest on its path.
        """
        refusal = self._acquire_problem(owner, now_s, take_over)
        if refusal is not None:
            return refusal
        self._come_to_rest(now_s, f"'{owner}' takes the arm", ErrorCode.STOPPED)
        if task is not None:
            self.limits = self.arm.limits = self.limits.for_task(task)
        self.owner, self.mode = owner, Mode.HOLDING
        self._last_seq, self._last_motion_s = None, now_s
        self._period_s = self.limits.task.period_s
        self.tactile.rebase()
        self.arm.adopt_if_apart(now_s)
        return Answer(True, ErrorCode.OK, f"'{owner}' owns the arm under the limits of {self.limits.task.name}")

    def _acquire_problem(self, owner: str, now_s: float, take_over: bool) -> Answer | None:
        if owner not in OWNERS:
            return Answer(
                False, ErrorCode.BAD_PARAMETER, f"there is no owner '{owner}', expected one of {', '.join(OWNERS)}"
            )
        if self.mode is Mode.LATCHED:
            return Answer(
                False, ErrorCode.STOPPED, f"stopped ({self.stop_reason}): look at the arm, then /vital/clear_stop"
            )
        taken = take_over and owner in MAY_TAKE_OVER and self.owner in MAY_BE_TAKEN_FROM
        if self.owner not in ("", owner) and not taken and not self._abandoned(now_s):
            return Answer(
                False, ErrorCode.NOT_OWNER, f"'{self.owner}' owns the arm: it must release it before '{owner}' can"
            )
        if not self.arm.seen(now_s):
            age_s = self.arm.age_s(now_s)
            return Answer(False, ErrorCode.SENSOR_FAULT, f"last joint state {age_s:.2f} s ago: is the arm connected?")
        return None

    def _abandoned(self, now_s: float) -> bool:
        return self.mode is Mode.HOLDING and now_s - self._last_motion_s > self.limits.owner_timeout_s

    def release(self, owner: str, now_s: float) -> Answer:
        """Take the arm back from ``owner``; nobody owns it then."""
        if self.owner not in ("", owner):
            return Answer(False, ErrorCode.NOT_OWNER, f"'{self.owner}' owns the arm, not '{owner}'")
        self._come_to_rest(now_s, f"'{owner}' gave the arm back", ErrorCode.STOPPED)
        self.owner = ""
        if self.mode is not Mode.LATCHED:
            self.mode = Mode.IDLE
        return Answer(True, ErrorCode.OK, "nobody owns the arm")

    # What may move.

    def judge(self, command: Command, now_s: float, ros_now_s: float) -> Judgement:
        """Judge one end-effector command; when it is accepted, its motion has been issued."""
        self.last_judged_seq = command.seq
        return self._record(self._judge(command, now_s, ros_now_s))

    def _judge(self, command: Command, now_s: float, ros_now_s: float) -> Judgement:
        refusal = check_command(command, self._situation(now_s, ros_now_s))
        if command.owner == self.owner:
            self._last_seq = max(command.seq, self._last_seq or 0)
        refusal = refusal or self._not_where_sent(now_s)
        if refusal is not None:
            return refusal
        assert self.arm.measured is not None
        plan = plan_command(command, self.arm.measured, *self.arm.commanded(now_s), self.limits)
        if isinstance(plan, Judgement):
            return plan
        self._move(plan, now_s)
        self._period_s = command.duration_s
        if self._gripper is None or abs(command.gripper - self._gripper) > GRIPPER_STEP:
            self._gripper = command.gripper
            self._grip(command.gripper)
        return Judgement(Verdict.ACCEPTED, "carried out")

    def settling(self, now_s: float) -> bool:
        """Whether an owner without commands has the arm and it is coming to rest: worth a trajectory's wait."""
        return self.mode is Mode.HOLDING and self.arm.moving(now_s)

    def judge_trajectory(self, request: TrajectoryRequest, now_s: float) -> Judgement:
        """Judge a joint trajectory; when it is accepted, it has been issued and `execution` follows it."""
        return self._record(self._judge_trajectory(request, now_s))

    def _judge_trajectory(self, request: TrajectoryRequest, now_s: float) -> Judgement:
        refusal = check_may_move(request.owner, self._situation(now_s, 0.0))
        if refusal is None and self.executing:
            refusal = Judgement(Verdict.OUT_OF_ORDER, "another trajectory is being carried out: cancel it first")
        refusal = refusal or self._not_where_sent(now_s)
        if refusal is not None:
            return refusal
        commanded, _ = self.arm.commanded(now_s)
        plan = to_trajectory(request, commanded, self.limits)
        if isinstance(plan, Judgement):
            return plan
        motion = joined(plan, commanded, self.limits.blend_acceleration_rad_s2)
        refusal = (
            self._start_mismatch(plan, now_s)
            or problem(plan, self.limits, self.limits.max_joint_acceleration_rad_s2)
            or problem(motion, self.limits)
        )
        if refusal is not None:
            return refusal
        self._move(motion, now_s)
        self.execution = Execution(motion.positions_rad[-1], now_s, motion.duration_s)
        return Judgement(Verdict.ACCEPTED, f"trajectory of {motion.duration_s:.2f} s is carried out")

    def _start_mismatch(self, plan: Trajectory, now_s: float) -> Judgement | None:
        if self.arm.moving(now_s):
            return Judgement(Verdict.START_MISMATCH, "the arm is still moving, expected rest: try again in 0.2 s")
        assert self.arm.measured is not None
        error = np.abs(plan.positions_rad[0] - self.arm.measured)
        joint = int(error.argmax())
        if error[joint] <= self.limits.start_tolerance_rad:
            return None
        return Judgement(
            Verdict.START_MISMATCH,
            f"first point has joint{joint + 1} at {plan.positions_rad[0, joint]:.3f} rad, the arm is at "
            f"{self.arm.measured[joint]:.3f}, at most {self.limits.start_tolerance_rad} apart allowed",
        )

    def _not_where_sent(self, now_s: float) -> Judgement | None:
        """Refuse to go on from where the arm is not. An arm that presses on something while it is commanded may be
        apart from its command, up to the following tolerance; an arm at rest, or one put elsewhere, may not."""
        if self.mode is not Mode.MOVING or self.arm.displaced:
            self.arm.adopt_if_apart(now_s)
        if self.arm.displaced:
            self._hold(now_s, "the arm was put elsewhere", ErrorCode.TRAJECTORY_REFUSED)
        if self.arm.displaced or self.arm.adopting(now_s):
            return Judgement(
                Verdict.START_MISMATCH,
                "the arm was not where it was last sent: the gate goes on from where the arm is; "
                f"command again in {ADOPT_S} s",
            )
        apart, limit = self.arm.apart_rad(now_s), self.limits.following_tolerance_rad
        if apart > limit:
            self._hold(now_s, "the arm does not follow", ErrorCode.TRAJECTORY_REFUSED)
            return Judgement(
                Verdict.START_MISMATCH,
                f"a joint is {apart:.3f} rad from its command, at most {limit} allowed: is something in the way?",
            )
        return None

    def _move(self, trajectory: Trajectory, now_s: float) -> None:
        self.arm.follow(trajectory, now_s)
        self.mode, self._last_motion_s = Mode.MOVING, now_s

    def _record(self, judgement: Judgement) -> Judgement:
        self.last = judgement
        self.verdicts[judgement.verdict] += 1
        return judgement

    def _situation(self, now_s: float, ros_now_s: float) -> Situation:
        return Situation(
            owner=self.owner,
            stop_reason=self.stop_reason if self.mode is Mode.LATCHED else None,
            executing=self.executing,
            last_seq=self._last_seq,
            ros_now_s=ros_now_s,
            joint_state_age_s=self.arm.age_s(now_s),
            tactile_age_s=self.tactile.age_s(now_s),
            limits=self.limits,
        )

    # Standing still.

    def latch(self, code: ErrorCode, reason: str, now_s: float) -> Answer:
        """Stop and stay stopped until `clear`. After too much force the arm comes to rest where it really is."""
        if self.mode is Mode.LATCHED:
            return Answer(True, ErrorCode.OK, f"was stopped already ({self.stop_reason})")
        if code is ErrorCode.FORCE_LIMIT:
            self.arm.yield_to_force(now_s)
            self._end_execution(code, reason)
        else:
            self._come_to_rest(now_s, reason, code)
        self.mode, self.stop_code, self.stop_reason = Mode.LATCHED, code, reason
        return Answer(True, ErrorCode.OK, f"stopped: {reason}")

    def clear(self, operator_name: str, now_s: float) -> Answer:
        """Lift a latched stop in the name of the person who has looked at the arm; nobody owns it then."""
        if not operator_name.strip():
            return Answer(False, ErrorCode.BAD_PARAMETER, "operator_name is empty: who has looked at the arm?")
        if self.mode is not Mode.LATCHED:
            return Answer(True, ErrorCode.OK, "was not stopped")
        text = f"{operator_name.strip()} cleared the stop: {self.stop_reason}"
        self._come_to_rest(now_s, text, ErrorCode.STOPPED)
        self.mode, self.owner = Mode.IDLE, ""
        self.stop_code, self.stop_reason = ErrorCode.OK, ""
        return Answer(True, ErrorCode.OK, text)

    def cancel_execution(self, now_s: float) -> None:
        """Stop the trajectory being carried out; its owner keeps the arm."""
        self._hold(now_s, "cancelled", ErrorCode.CANCELLED)

    def rest(self, now_s: float) -> None:
        """Bring the arm to rest because the gate itself is about to end."""
        self._come_to_rest(now_s, "the command gate ends", ErrorCode.NODE_LOST)

    def tick(self, now_s: float) -> None:
        """The watchdog: hold when commands or joint states stop coming, follow a trajectory to its end."""
        if self.mode in (Mode.IDLE, Mode.HOLDING) and self.arm.displaced:
            self.arm.adopt_if_apart(now_s)
        if self.mode is not Mode.MOVING:
            return
        if not self.arm.seen(now_s):
            self._hold(now_s, "joint states stopped coming", ErrorCode.SENSOR_FAULT)
            self.holds += 1
        elif self.execution is not None and self.execution.running:
            self._watch(self.execution, now_s)
        elif now_s - self._last_motion_s > self.limits.hold_after_periods * self._period_s:
            self._hold(now_s, "commands stopped coming", ErrorCode.TIMEOUT)
            self.holds += 1

    def _watch(self, execution: Execution, now_s: float) -> None:
        assert self.arm.measured is not None
        apart, limit = self.arm.apart_rad(now_s), self.limits.following_tolerance_rad
        if apart > limit:
            self._hold(now_s, f"a joint is {apart:.2f} rad behind, limit {limit}", ErrorCode.TRAJECTORY_REFUSED)
            return
        execution.watch(self.arm.measured, now_s, self.limits.goal_tolerance_rad, self.limits.settle_s)
        if not execution.running:
            self._hold(now_s, execution.text, ErrorCode.OK)

    def _hold(self, now_s: float, reason: str, code: ErrorCode) -> None:
        self._come_to_rest(now_s, reason, code)
        self.hold_reason, self._last_motion_s = reason, now_s
        if self.mode is Mode.MOVING:
            self.mode = Mode.HOLDING

    def _come_to_rest(self, now_s: float, reason: str, code: ErrorCode) -> None:
        self.arm.come_to_rest(now_s)
        self._end_execution(code, reason)

    def _end_execution(self, code: ErrorCode, reason: str) -> None:
        if self.execution is not None:
            self.execution.end(code, reason)
