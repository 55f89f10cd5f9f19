"""A session of demonstrations: scene, start pose, the operator shows it, saved; again until there are enough.

Knows nothing of ROS: it is given the parts of the system and the operator's buttons, and tells where it stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from vital_bringup.sessions.buttons import Press
from vital_bringup.sessions.patience import Patience
from vital_core.errors import ErrorCode, VitalError


class Phase(Enum):
    """Where the session stands; see SessionState.msg."""

    PREPARING = "preparing"
    READY = "ready"
    RECORDING = "recording"
    SAVING = "saving"
    FINISHED = "finished"


class Outcome(Enum):
    """What an episode is saved as."""

    SUCCESS = "success"
    FAILURE = "failure"
    REDO = "redo"


@dataclass(frozen=True)
class Saved:
    """One saved episode; frames are wrist images."""

    episode: int
    frames: int
    faults: tuple[str, ...]


class Parts(Protocol):
    """What the session asks of the system. Each raises VitalError when it cannot."""

    def prepare(self, seed: int) -> None:
        """Lay the scene, bring the arm to a start pose, take the tactile baseline."""

    def start_recording(self, seed: int) -> int:
        """Open an episode; its index."""

    def finish_recording(self, outcome: Outcome, note: str) -> Saved:
        """Close the open episode, or with none open and REDO mark the last one."""

    def wait_for_press(self, timeout_s: float | None) -> Press:
        """Wait for the operator; TIME_UP after ``timeout_s``."""

    def whole_again(self, error: VitalError) -> bool:
        """Say the ``error`` (NODE_LOST), and whether what did not answer does so after a while."""


@dataclass
class Tally:
    """How the session went."""

    wanted: int
    saved: int = 0
    failed: int = 0
    redone: int = 0
    faulty: int = 0
    unprepared: int = 0
    notes: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for the operator."""
        parts = [f"{self.saved} of {self.wanted} demonstrations"]
        for count, what in (
            (self.failed, "failed"),
            (self.redone, "to be redone"),
            (self.faulty, "with a fault, kept out of training"),
            (self.unprepared, "not begun"),
        ):
            if count:
                parts.append(f"{count} {what}")
        return ", ".join(parts)


class DemoSession:
    """Runs a session. ``tell`` hears every change: phase, attempt, seed, message."""

    def __init__(
        self,
        parts: Parts,
        tally: Tally,
        tell: Callable[[Phase, int, int, str], None],
        *,
        episode_s: float,
        first_seed: int,
    ) -> None:
        self._parts = parts
        self._tell = tell
        self._episode_s = episode_s
        self._first_seed = first_seed
        self.tally = tally
        self._attempt = 0
        self._patience = Patience("without a good demonstration")

    @property
    def seed(self) -> int:
        """Of the present attempt's scene."""
        return self._first_seed + self._attempt

    def run(self) -> Tally:
        """Until there are enough demonstrations or the operator has finished.

        Raises VitalError when nothing goes well any more, or at once when the recording cannot go on.
        """
        while self.tally.saved < self.tally.wanted:
            try:
                going_on = self._run_attempt()
            except VitalError as error:
                if error.code in (ErrorCode.DISK_FULL, ErrorCode.CANCELLED):
                    raise
                if error.code is ErrorCode.NODE_LOST and not self._parts.whole_again(error):
                    raise
                self.tally.unprepared += 1
                self._note_failure(str(error), error.code)
                going_on = True
            if not going_on:
                break
            self._attempt += 1
        self._say(Phase.FINISHED, self.tally.line())
        return self.tally

    def _run_attempt(self) -> bool:
        """One attempt; whether the session goes on."""
        self._say(Phase.PREPARING, "hands off: the arm moves to a start pose")
        self._parts.prepare(self.seed)
        if not self._wait_for_start():
            return False
        self._parts.start_recording(self.seed)
        self._say(Phase.RECORDING, "show it, then SUCCESS, FAILURE or REDO")
        press = self._parts.wait_for_press(self._episode_s)
        while press is Press.START:
            press = self._parts.wait_for_press(self._episode_s)
        self._save(press)
        return press is not Press.FINISH

    def _wait_for_start(self) -> bool:
        self._say(Phase.READY, "close the clutch and press START")
        while (press := self._parts.wait_for_press(None)) is not Press.START:
            if press is Press.FINISH:
                return False
            if press is Press.STOPPED:
                raise VitalError(ErrorCode.STOPPED, "stopped before the episode began")
            if press is Press.REDO:
                self._redo_last()
        return True

    def _redo_last(self) -> None:
        saved = self._parts.finish_recording(Outcome.REDO, "marked after it was saved")
        self.tally.redone += 1
        self.tally.saved = max(0, self.tally.saved - (not saved.faults))
        self._say(Phase.READY, f"episode {saved.episode} is marked and not used; close the clutch and press START")

    def _save(self, press: Press) -> None:
        outcome = {Press.SUCCESS: Outcome.SUCCESS, Press.REDO: Outcome.REDO}.get(press, Outcome.FAILURE)
        self._say(Phase.SAVING, f"saving: {press.value}")
        saved = self._parts.finish_recording(outcome, "" if press.value == outcome.value else press.value)
        if outcome is Outcome.REDO:
            self.tally.redone += 1
        elif outcome is Outcome.FAILURE:
            self.tally.failed += 1
            self._note_failure(f"episode {saved.episode}: {press.value}")
        elif saved.faults:
            self.tally.faulty += 1
            self._note_failure(f"episode {saved.episode}: {'; '.join(saved.faults)}")
        else:
            self.tally.saved += 1
            self._patience.went_well()

    def _note_failure(self, note: str, code: ErrorCode = ErrorCode.GIVE_UP) -> None:
        self.tally.notes.append(note)
        self._patience.failed(note, code)

    def _say(self, phase: Phase, message: str) -> None:
        self._tell(phase, self._attempt, self.seed, message)
