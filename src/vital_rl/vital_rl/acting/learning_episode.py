"""An episode that is learned from: every tick goes to the replay with its owner, a person's corrections too."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.owner import Owner
from vital_core.pose import Pose
from vital_rl.acting.episode import EpisodeEnd
from vital_rl.acting.replay_client import OpenReplay
from vital_rl.acting.tick import PolicyTick, TickResult
from vital_rl.replay.step import ReplayStep
from vital_rl.residual.networks import Noise

Translation = NDArray[np.float64]  # (3,) m
# Whoever cancels has seen the outcome, and the gate's stop is one: nothing would have followed.
TERMINAL = (ErrorCode.CANCELLED, ErrorCode.FORCE_LIMIT, ErrorCode.STOPPED)


class Senses(Protocol):
    """What an episode is told of the arm and of its images."""

    def t_base_tcp(self) -> Pose | None:
        """Where the arm is; None where nobody says."""

    def foreground(self, stamp_ns: int) -> NDArray[np.uint8] | None:
        """(128, 16) of the image of that stamp, a bit a pixel; None where nobody tells."""


class Rollout:
    """Gives each step to ``append`` as soon as it is complete: at the next tick.

    Then it is known what was carried out: of the policy's command, what the workspace box left of it; while a person
    had the arm, where it went.
    """

    def __init__(self, append: Callable[[ReplayStep], None]) -> None:
        self._append = append
        self._waiting: tuple[ReplayStep, Pose | None] | None = None

    def judged(self, left_by_box_m: Translation | None) -> None:
        """What became of the policy's last command: nothing else than it asked for (None), or (3,) the translation, TCP
        frame, that was carried out of it, as the gate brought its target back onto the workspace box."""
        if self._waiting is None or self._waiting[0].owner != Owner.POLICY:
            return
        (step, _), self._waiting = self._waiting, None
        if left_by_box_m is not None:
            step = replace(step, executed=np.append(left_by_box_m, step.executed[3:]).astype(np.float32))
        self._append(step)

    def tick(self, step: ReplayStep, t_base_tcp: Pose | None) -> None:
        """One tick, after `judged`; ``t_base_tcp``: where the arm was, needed while a person has it."""
        self._complete(t_base_tcp)
        self._waiting = (step, t_base_tcp if step.owner == Owner.POLICY else _known_pose(t_base_tcp))

    def end(self, last: ReplayStep, t_base_tcp: Pose | None) -> None:
        """The episode is over; ``last`` is what was seen after its last action."""
        self._complete(t_base_tcp)
        self._append(last)

    def _complete(self, t_base_tcp: Pose | None) -> None:
        if self._waiting is None:
            return
        (step, before), self._waiting = self._waiting, None
        assert before is not None, "a policy's step is complete once it is judged"
        moved = pose_of.to_vector(pose_of.inverse(before) @ _known_pose(t_base_tcp))
        self._append(replace(step, executed=np.append(moved, step.base[6]).astype(np.float32)))


def _known_pose(t_base_tcp: Pose | None) -> Pose:
    if t_base_tcp is None:
        raise VitalError(
            ErrorCode.SENSOR_FAULT, "nobody says where the arm is while a person moves it: no joint states come"
        )
    return t_base_tcp


class LearningEpisode:
    """Made when the replay has opened an episode; `note` every tick, then `finish`.

    owner: who has the arm, as the gate says; finish_m: (3,) where the TCP ends when it succeeds, in `link_base`, None
    where nobody knows.
    """

    def __init__(
        self,
        replay: OpenReplay,
        tick: PolicyTick,
        noise: Noise,
        senses: Senses,
        finish_m: NDArray[np.float64] | None = None,
    ) -> None:
        self._replay, self._tick, self._noise, self._senses = replay, tick, noise, senses
        self._finish_m = finish_m
        self._rollout = Rollout(replay.append)
        self.owner = Owner.POLICY
        tick.noise = noise.next

    @property
    def episode(self) -> int:
        """Number in the replay."""
        return self._replay.episode

    def owned_by(self, owner: str) -> None:
        """The arm changes hands; while it is a person's nothing is explored."""
        self.owner = Owner.POLICY if owner == Owner.POLICY else Owner.TELEOP
        self._noise.silent = self.owner == Owner.TELEOP
        self._tick.commands = self.owner == Owner.POLICY

    def note(self, result: TickResult, left_by_box_m: Translation | None = None) -> None:
        """One tick; one without a fit observation leaves no step. Raises VitalError(SENSOR_FAULT).

        left_by_box_m: of the command before, see `Rollout.judged`.
        """
        self._rollout.judged(left_by_box_m)
        t_base_tcp = self._senses.t_base_tcp()
        step = self._step(result, self.owner, t_base_tcp)
        if step is not None:
            self._rollout.tick(step, t_base_tcp)

    def finish(self, end: EpisodeEnd, left_by_box_m: Translation | None = None) -> None:
        """See once more, wait until all is on disk, and close. Raises VitalError when something is not."""
        self._noise.silent, self._tick.commands = True, False
        self._rollout.judged(left_by_box_m)
        t_base_tcp = self._senses.t_base_tcp()
        last = self._step(self._tick.run(), Owner.POLICY, t_base_tcp)
        self._tick.noise = lambda: None
        try:
            if last is not None:
                nothing = np.zeros_like(last.residual)
                self._rollout.end(replace(last, residual=nothing, executed=last.base), t_base_tcp)
        finally:
            self._replay.close(end.message, terminated=end.code in TERMINAL)

    def _distance_m(self, t_base_tcp: Pose | None) -> float:
        """L1 distance to the finish; NaN where either is not known."""
        if self._finish_m is None or t_base_tcp is None:
            return float("nan")
        return float(np.abs(t_base_tcp[:3, 3] - self._finish_m).sum())

    def _step(self, result: TickResult, owner: str, t_base_tcp: Pose | None) -> ReplayStep | None:
        seen, tick = result.observation, result.tick
        if seen is None or tick is None:
            return None
        return ReplayStep(
            image=seen.image,
            tactile_ut=seen.tactile_ut,
            base=tick.base,
            residual=tick.residual,
            executed=tick.executed,
            owner=owner,
            weights_version=tick.version,
            stamp_ns=result.stamp_ns,
            steady_ns=int(1e9 * steady_s()),
            distance_m=self._distance_m(t_base_tcp),
            foreground=self._senses.foreground(result.stamp_ns),
        )
