"""What an episode comes to, told by skill. Judged by the simulator's truth, which no policy sees."""

import math
from collections.abc import Mapping
from enum import StrEnum

from vital_core.task import Task
from vital_sim.world.truth import Truth

SUCCESS_HELD_S = 0.5
TOUCHED_N = 1.0
ROUNDING_S = 1e-6
OFF_THE_TABLE_M = 0.005


class Outcome(StrEnum):
    """One word; those from LATE to TIME_OUT are said when the time is over, SLIPPED_OUT where patience is before."""

    RUNNING = "running"
    SUCCESS = "success"
    """The goal has been met for `SUCCESS_HELD_S`."""
    FORCE_LIMIT = "force_limit"
    """Touch beyond the task's limit."""
    DROPPED = "dropped"
    """The object that was held is lost."""
    LATE = "late"
    """The goal is met, for less than `SUCCESS_HELD_S`."""
    JAMMED = "jammed"
    """In the opening, or between the reader's walls, short of the goal."""
    SLIPPED_OUT = "slipped_out"
    """Was in the target, or had lifted the block off the table, and is not or has it no longer."""
    ASKEW = "askew"
    """The block is as high as it should be, but not held by its middle."""
    NOT_LIFTED = "not_lifted"
    """The fingers are about the block, which is not as high as it should be."""
    MISSED = "missed"
    """It touched something else."""
    TIME_OUT = "time_out"
    """It touched nothing."""
    NOT_LOCATED = "not_located"
    """Over as it began: where the target is was not told by the scene camera."""
    UNREACHABLE = "unreachable"
    """Over as it began: the arm cannot be where it should start."""


FAILURES = tuple(o for o in Outcome if o not in (Outcome.RUNNING, Outcome.SUCCESS))
_AT_THE_TARGET: Mapping[str, Outcome] = {"insert": Outcome.JAMMED, "swipe": Outcome.JAMMED, "pick": Outcome.NOT_LIFTED}


class Judge:
    """Sees the truth after every step of an episode. `begin`, then `see`.

    patience_s: how long what has slipped out may stay out until the episode counts as failed, as who labels on a robot
    ends it then.
    """

    def __init__(self, task: Task, patience_s: float = math.inf) -> None:
        if not patience_s > 0.0:
            raise ValueError(f"patience_s is {patience_s}, expected above 0")
        self._task, self._patience_s = task, patience_s
        self.begin()

    def begin(self) -> None:
        """A new episode."""
        self._success_since_s: float | None = None
        self._in_at_s: float | None = None
        self._touched = False

    def see(self, truth: Truth, time_s: float, *, inside: bool, field_ut: float, dropped: bool) -> Outcome:
        """What the episode comes to at ``time_s``.

        inside: whether the tip is in the target, or the fingers about the block. field_ut: the largest of touch.
        dropped: whether what was held is lost.
        """
        self._note(truth, time_s, inside)
        if self._success_since_s is not None and time_s - self._success_since_s >= SUCCESS_HELD_S - ROUNDING_S:
            return Outcome.SUCCESS
        if field_ut > self._task.tactile_limit_ut:
            return Outcome.FORCE_LIMIT
        if dropped:
            return Outcome.DROPPED
        if self._in_at_s is not None and time_s - self._in_at_s >= self._patience_s - ROUNDING_S:
            return Outcome.SLIPPED_OUT
        return Outcome.RUNNING if time_s < self._task.episode_s - ROUNDING_S else self._at_the_end(truth, inside)

    def _note(self, truth: Truth, time_s: float, inside: bool) -> None:
        self._touched |= truth.contact_force_n > TOUCHED_N
        if truth.travel_m > OFF_THE_TABLE_M if self._task.skill == "pick" else inside:
            self._in_at_s = time_s
        if not truth.success:
            self._success_since_s = None
        elif self._success_since_s is None:
            self._success_since_s = time_s

    def _at_the_end(self, truth: Truth, inside: bool) -> Outcome:
        if truth.success:
            return Outcome.LATE
        if inside and self._task.skill == "pick" and truth.travel_m >= self._task.success_travel_m:
            return Outcome.ASKEW
        if inside:
            return _AT_THE_TARGET[self._task.skill]
        if self._in_at_s is not None:
            return Outcome.SLIPPED_OUT
        return Outcome.MISSED if self._touched else Outcome.TIME_OUT
