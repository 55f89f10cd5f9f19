"""A residual training: start pose, the policy acts, a label, again; paused and gone on with at any time.

Knows nothing of ROS: it is given the parts of the system and the operator's buttons, and tells where it stands.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from vital_bringup.sessions.buttons import Press
from vital_bringup.sessions.patience import Patience
from vital_core.errors import ErrorCode, VitalError

# Updates that the learner may be behind when an episode begins: some 60 steps, an episode or two. More would make the
# arm act with older weights and not a minute shorter, as a learner that is behind never rests.
MOST_OWED = 1000
WAIT_S = 1.0
# At the end the learner is waited for as long as it moves: so many looks, this far apart, may find it where it was.
MOST_LAST_WAITS = 30
FATAL = (ErrorCode.DISK_FULL, ErrorCode.NO_CHECKPOINT)


class Phase(Enum):
    """Where the training stands; see TrainingState.msg."""

    PREPARING = "preparing"
    RUNNING = "running"
    LABELLING = "labelling"
    PAUSED = "paused"
    FINISHED = "finished"
    WAITING = "waiting"


@dataclass(frozen=True)
class Played:
    """One episode as the policy ran it. success: what was seen or pressed during it, None when nobody has said.

    episode: in the replay, -1 where it did not come to that; faults are refusals before the first step.
    """

    episode: int
    success: bool | None
    code: ErrorCode
    message: str
    interventions: int = 0


class TrainingParts(Protocol):
    """What the training asks of the system. Each raises VitalError when it cannot."""

    def prepare(self, seed: int) -> None:
        """Lay the scene, bring the arm to a start pose sampled in the start region."""

    def play(self, seed: int) -> Played:
        """Let the policy act until success, a limit or the time is up."""

    def ask(self) -> bool | None:
        """The operator's word on the last episode; None: forget it."""

    def label(self, episode: int, success: bool) -> None:
        """Give an episode's label to the replay."""

    def say_progress(self, episode: int, success: bool) -> None:
        """One line for the operator, after a labelled episode."""

    def updates_owed(self) -> int:
        """Updates that the learner has not come to yet; at least one for a step that it has not read."""

    def steps(self) -> int:
        """Environment steps that were labelled so far."""

    def wait_for_press(self, timeout_s: float | None) -> Press:
        """The next button; TIME_UP after ``timeout_s``."""

    def whole_again(self, error: VitalError) -> bool:
        """Say the ``error`` (NODE_LOST), and whether what did not answer does so after a while."""


@dataclass
class Progress:
    """How the training goes. last: whether each of the last twenty labelled episodes succeeded without a person."""

    wanted_steps: int
    attempts: int = 0
    labelled: int = 0
    forgotten: int = 0
    interventions: int = 0
    last: deque[bool] = field(default_factory=lambda: deque(maxlen=20))

    @property
    def success_20(self) -> float:
        """Share of the last twenty; NaN before the first."""
        return sum(self.last) / len(self.last) if self.last else float("nan")


class TrainingSession:
    """Runs a training. ``tell`` hears every change: phase, seed, the replay's episode, message."""

    def __init__(
        self,
        parts: TrainingParts,
        progress: Progress,
        tell: Callable[[Phase, int, int, str], None],
        *,
        first_seed: int,
    ) -> None:
        self._parts, self._tell, self._first_seed = parts, tell, first_seed
        self.progress = progress
        self._patience = Patience("could not be learned from")
        self._paused = self._finishing = False
        self._episode = -1

    @property
    def seed(self) -> int:
        """Of the present attempt."""
        return self._first_seed + self.progress.attempts

    def run(self) -> Progress:
        """Until the steps are done or the operator has finished.

        Raises VitalError when nothing goes well any more, or at once when it cannot go on.
        """
        while self._parts.steps() < self.progress.wanted_steps and not self._finishing:
            self._take_presses()
            if self._finishing:
                break
            if self._paused:
                self._wait_while_paused()
                continue
            if (owed := self._parts.updates_owed()) > MOST_OWED:
                self._say(Phase.WAITING, f"waiting for the learner, which is {owed} updates behind")
                self._obey(self._parts.wait_for_press(WAIT_S))
                continue
            try:
                self._run_episode()
            except VitalError as error:
                if error.code in (*FATAL, ErrorCode.CANCELLED):
                    raise
                if error.code is ErrorCode.NODE_LOST and not self._parts.whole_again(error):
                    raise
                self._patience.failed(str(error), error.code)
            self.progress.attempts += 1
        if not self._finishing:
            self._let_the_learner_finish()
        self._say(Phase.FINISHED, f"{self.progress.labelled} episodes, {self._parts.steps()} steps")
        return self.progress

    def _let_the_learner_finish(self) -> None:
        """What was played is learned from before it ends."""
        last_owed, standing = -1, 0
        while (owed := self._parts.updates_owed()) > 0 and standing < MOST_LAST_WAITS and not self._finishing:
            standing = standing + 1 if owed == last_owed else 0
            last_owed = owed
            self._say(Phase.WAITING, f"all steps are done; the learner is {owed} updates behind, FINISH ends now")
            self._obey(self._parts.wait_for_press(WAIT_S))

    def _take_presses(self) -> None:
        """Buttons between episodes: START pauses, FINISH ends."""
        while (press := self._parts.wait_for_press(0.0)) is not Press.TIME_UP:
            self._obey(press)

    def _obey(self, press: Press) -> None:
        if press is Press.START:
            self._paused = not self._paused
        elif press is Press.FINISH:
            self._finishing = True

    def _wait_while_paused(self) -> None:
        self._say(Phase.PAUSED, "START goes on, FINISH ends")
        while self._paused and not self._finishing:
            self._obey(self._parts.wait_for_press(None))

    def _run_episode(self) -> None:
        self._say(Phase.PREPARING, "hands off: the arm moves to a start pose")
        self._parts.prepare(self.seed)
        self._say(Phase.RUNNING, "the policy acts; close the clutch to take over, SUCCESS or FAILURE ends it")
        played = self._parts.play(self.seed)
        self._episode = played.episode
        if played.episode < 0 or played.code in (*FATAL, ErrorCode.NODE_LOST):
            raise VitalError(played.code, played.message)
        self.progress.interventions += played.interventions
        success = played.success
        if success is None:
            self._say(Phase.LABELLING, f"{played.message}. SUCCESS or FAILURE? REDO forgets it")
            success = self._parts.ask()
        if success is None:
            self.progress.forgotten += 1
            return
        self._parts.label(played.episode, success)
        self.progress.labelled += 1
        self.progress.last.append(success and played.interventions == 0)
        self._parts.say_progress(played.episode, success)
        self._patience.went_well()

    def _say(self, phase: Phase, message: str) -> None:
        self._tell(phase, self.seed, self._episode, message)
