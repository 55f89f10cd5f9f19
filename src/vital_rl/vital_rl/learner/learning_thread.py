"""The learning thread: begins from what there is, then reads what was labelled, updates, publishes and saves.

It runs at a low priority, so that on the same machine the control loop keeps its pace. The state is written every few
seconds; killed at any moment, the next one goes on from it and from the replay.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_data.dataset.dataset import load_demonstrations
from vital_interfaces.msg import StoredEpisode as EpisodeMessage
from vital_rl.learner.learning import ResidualLearner
from vital_rl.replay import episode_message
from vital_rl.replay.replay_store import StoredEpisode
from vital_rl.replay.step import ReplayStep
from vital_rl.residual.residual import Residual
from vital_ros.process.priority import be_nice

UPDATES_AT_A_TIME = 16
READ_AT_A_TIME = 4
RATE_WINDOW_S = 5.0
NICENESS = 10
JOIN_S = 3.0
AWAY = (ErrorCode.TIMEOUT, ErrorCode.NODE_LOST)  # of a replay that is waited for


@dataclass(frozen=True)
class LearningPace:
    """How often what is done."""

    threads: int
    """Of the updates; before the first weights every core is used."""
    publish_every: int
    """Updates between two sets of weights."""
    save_every_s: float
    """Between two states on disk."""


@dataclass(frozen=True)
class ReplayReader:
    """How the replay is asked; both raise VitalError."""

    read_since: Callable[[int, int], tuple[Sequence[EpisodeMessage], int]]
    """(cursor, how many at most) -> episodes that became readable after it, and the cursor to go on from."""
    read_one: Callable[[int], EpisodeMessage | None]
    """An episode by its number; None where the replay has it not."""


class LearningThread:
    """One learner at work. problem: what hinders it; fatal: what ended it; doing: what is prepared, in words."""

    def __init__(
        self,
        learner: ResidualLearner,
        replay: ReplayReader,
        publish: Callable[[Residual], None],
        pace: LearningPace,
        *,
        sessions: Sequence[Path],
        about: dict[str, object],
        stopping: threading.Event,
        say: Callable[[str], object],
    ) -> None:
        """sessions: of demonstrations. about: for the card of what is saved. stopping: ends it when set. say: a line
        for an operator."""
        self.learner, self._replay, self._publish_residual, self._pace = learner, replay, publish, pace
        self._sessions, self._about, self._stopping, self._say = sessions, about, stopping, say
        self._more = threading.Event()
        self._cursor = self._cursor_to_reach = 0
        self._done: deque[tuple[float, int]] = deque()
        self._saved_s = steady_s()
        self.doing, self.published = "", -1
        self.problem = VitalError(ErrorCode.OK, "")
        self.fatal: VitalError | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def read_up_to(self, cursor: int) -> None:
        """The replay has episodes up to here."""
        self._cursor_to_reach = cursor
        self._more.set()

    def stop(self) -> None:
        """End, and write the state."""
        self._stopping.set()
        self._more.set()
        self._thread.join(JOIN_S)
        if self.learner.updates and not self._thread.is_alive():
            self._save()

    def updates_per_s(self) -> float:
        """Over the last seconds."""
        now = steady_s()
        while self._done and now - self._done[0][0] > RATE_WINDOW_S:
            self._done.popleft()
        return sum(count for _, count in list(self._done)) / RATE_WINDOW_S

    def _work(self) -> None:
        be_nice(NICENESS)
        try:
            self._begin()
            while not self._stopping.is_set():
                self._catch_up()
                self._update()
        except VitalError as error:
            self._fail(error)
        except Exception as error:  # a thread that died in silence would look like a learner that waits
            self._fail(VitalError(ErrorCode.INTERNAL, f"learning ended: {error!r}"))

    def _fail(self, error: VitalError) -> None:
        if not self._stopping.is_set():
            self.fatal = self.problem = error

    def _begin(self) -> None:
        # Nothing moves before the first weights: until then the cores are free.
        torch.set_num_threads(os.cpu_count() or 1)
        if self._sessions:
            self._add_demonstrations()
        torch.set_num_threads(self._pace.threads)
        self.doing = "measuring what this machine can sustain"
        self._say(self.learner.sustained().text)
        if self.learner.resume(self._read_again):
            self._say(f"going on after {len(self.learner.taken)} episodes, {self.learner.updates} updates")
        self.doing = ""
        self._publish()

    def _add_demonstrations(self) -> None:
        def tell(done: int, of: int) -> None:
            self.doing = f"preparing the demonstrations: {done} of {of}"

        self.doing = "loading the demonstrations"
        checkpoint = self.learner.checkpoint
        demos = load_demonstrations(
            list(self._sessions), checkpoint.task, checkpoint.policy.config.chunk, foreground=None
        )
        found = self.learner.add_demonstrations(demos, tell)
        self._say(f"{found[0]} demonstrated steps, {found[1]} beyond what a residual can add")

    def _read_again(self, number: int) -> tuple[StoredEpisode, list[ReplayStep]]:
        self.doing = f"reading again what was learned from: episode {number}"
        message = self._replay.read_one(number)
        if message is None:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the learner's state was learned from episode {number}, which the replay has not: give the replay's "
                "folder that belongs to it, or another folder",
            )
        return episode_message.from_message(message)

    def _catch_up(self) -> None:
        """Take in what became readable; a replay that is away for a while is waited for."""
        taken = set(self.learner.taken)
        while self._cursor < self._cursor_to_reach and not self._stopping.is_set():
            try:
                found, cursor = self._replay.read_since(self._cursor, READ_AT_A_TIME)
            except VitalError as error:
                if error.code not in AWAY:
                    raise
                self.problem = error
                self._stopping.wait(1.0)
                return
            self.problem = VitalError(ErrorCode.OK, "")
            for message in found:
                episode, steps = episode_message.from_message(message)
                if episode.number not in taken:
                    self.learner.take(episode, steps)
            if cursor <= self._cursor:
                self._cursor_to_reach = self._cursor  # somebody promised more than the replay has
            self._cursor = cursor

    def _update(self) -> None:
        done = self.learner.update(UPDATES_AT_A_TIME)
        if done:
            self._done.append((steady_s(), done))
        idle = self.learner.owed == 0
        if self.learner.updates - self.published >= self._pace.publish_every or (idle and done):
            self._publish()
        if self.learner.updates and (steady_s() - self._saved_s > self._pace.save_every_s or (idle and done)):
            self._save()
        if idle and self._cursor >= self._cursor_to_reach:
            self._more.wait(0.5)
            self._more.clear()

    def _publish(self) -> None:
        residual = self.learner.residual()
        self._publish_residual(residual)
        self.published = residual.version

    def _save(self) -> None:
        self.learner.save({**self._about, "episodes": len(self.learner.taken)})
        self._saved_s = steady_s()
