"""One goal of `/vital/run_policy` carried out: baseline, control of the arm, ticks, and control given back."""

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.owner import Owner
from vital_core.stall import wait_out_a_stall
from vital_core.task import Task
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import GateState
from vital_rl.acting.episode import Episode, EpisodeEnd, TickTimes
from vital_rl.acting.episode_services import EpisodeServices
from vital_rl.acting.learning_episode import LearningEpisode
from vital_rl.acting.policy_sensors import PolicySensors
from vital_rl.acting.replay_client import ReplayClient
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.run_goal import finish_of
from vital_rl.acting.tick import EpisodeFigures, PolicyTick, TickResult
from vital_rl.residual.networks import Noise
from vital_ros.conversions import array_of
from vital_ros.gate_watch import GateWatch
from vital_ros.message_check import stamp_ns

FIRST_READINGS_S = 2.0
POLL_S = 0.05


class Publishing(Protocol):
    """What leaves the node at every tick."""

    @property
    def seq(self) -> int:
        """Of the newest tick, and of its command."""

    def publish(self, result: TickResult, times: TickTimes, command: bool) -> None:
        """Say a tick, and send its command where there is one and ``command`` says so."""


@dataclass(frozen=True)
class RunParts:
    """What every run works with."""

    task: Task
    policy: ResidualPolicy
    tick: PolicyTick
    sensors: PolicySensors
    services: EpisodeServices
    watch: GateWatch
    replay: ReplayClient
    publisher: Publishing
    """Tells of a tick."""
    now_ns: Callable[[], int]
    """ROS time."""


@dataclass
class RunCounts:
    """What all runs of a node came to."""

    episodes: int = 0
    commands: int = 0
    observations_refused: int = 0
    waited_for_arm: int = 0

    def note(self, figures: EpisodeFigures) -> None:
        """One more episode."""
        self.episodes += 1
        self.commands += figures.sent
        self.observations_refused += figures.refused
        self.waited_for_arm += figures.waited

    def to_dict(self) -> dict[str, object]:
        """By name."""
        return asdict(self)


class PolicyRun:
    """`run` blocks, in a thread of its own; `on_gate` and `episode.cancel` come from others.

    gate_owner: who has the arm before the run. replay_episode: number in the replay, -1 for none.
    """

    def __init__(self, parts: RunParts, goal: RunPolicy.Goal, give_up_after_s: float, gate_owner: str) -> None:
        self._parts, self._goal, self._gate_owner = parts, goal, gate_owner
        self.episode = Episode(parts.tick, parts.task.period_s, give_up_after_s, fault=parts.watch.lost)
        self.replay_episode = -1
        self._learning: LearningEpisode | None = None
        self._owner_since_ns: int | None = None

    def on_gate(self, gate: GateState) -> None:
        """End the episode at once when the gate has stopped, or the arm has another owner."""
        self._gate_owner = gate.owner
        since_ns, learning = self._owner_since_ns, self._learning
        if since_ns is None or stamp_ns(gate.header.stamp) < since_ns:
            return
        if gate.mode == GateState.LATCHED:
            code = ErrorCode.told(gate.stop_code, ErrorCode.STOPPED)
            self.episode.end(EpisodeEnd(False, code, gate.stop_reason))
        elif learning is not None and gate.owner in (Owner.POLICY, Owner.TELEOP, Owner.NOBODY):
            learning.owned_by(gate.owner)
        elif gate.owner != Owner.POLICY:
            self.episode.end(EpisodeEnd(False, ErrorCode.NOT_OWNER, f"'{gate.owner or 'nobody'}' has the arm now"))

    def run(self, duration_s: float, told: Callable[[int], None]) -> tuple[EpisodeEnd, float]:
        """How the episode ended, and how long it took, s. told: hears after each tick how many there were."""
        start_s = steady_s()

        def act(result: TickResult, times: TickTimes) -> bool:
            sent = self._carry_out(result, times)
            told(self.episode.figures.ticks + 1)
            return sent

        try:
            self._prepare()
            end = self._tick_with_control(duration_s, act)
            if self._learning is not None:
                self._learning.finish(end, self._left_by_box_m())
        except VitalError as error:
            end = EpisodeEnd(error.code is ErrorCode.CANCELLED, error.code, error.message)
        self._learning = None
        return end, steady_s() - start_s

    def _prepare(self) -> None:
        parts = self._parts
        parts.watch.wait(abandon=self._ended)
        baseline = wait_out_a_stall(lambda: parts.services.take_baseline(abandon=self._ended), self._ended)
        parts.sensors.begin(baseline)
        if self._goal.learn:
            self._learning = self._open_replay()
            self.replay_episode = self._learning.episode

    def _ended(self) -> bool:
        return self.episode.ended

    def _tick_with_control(self, duration_s: float, act: Callable[[TickResult, TickTimes], bool]) -> EpisodeEnd:
        parts = self._parts
        wait_out_a_stall(lambda: parts.services.acquire(parts.task.name), self._ended)
        self._owner_since_ns = parts.now_ns()
        try:
            self._wait_for_readings()
            return self.episode.run(duration_s, act)
        except VitalError as error:
            return EpisodeEnd(False, error.code, error.message)
        finally:
            self._owner_since_ns = None
            parts.services.release()

    def _wait_for_readings(self) -> None:
        deadline_s = steady_s() + FIRST_READINGS_S
        while not (self._parts.sensors.wait(POLL_S) or self.episode.ended) and steady_s() < deadline_s:
            pass

    def _open_replay(self) -> LearningEpisode:
        def fail(error: VitalError) -> None:
            self.episode.end(EpisodeEnd(False, error.code, error.message))

        parts, seed = self._parts, self._goal.seed
        residual = parts.policy.residual
        assert residual is not None
        about = {"task": parts.task.name, "checkpoint": parts.policy.checkpoint.sha256}
        replay, before = parts.replay.open(parts.task.name, seed, about, fail)
        noise = Noise(residual.exploration, seed, before)
        return LearningEpisode(replay, parts.tick, noise, parts.sensors, finish_of(self._goal))

    def _carry_out(self, result: TickResult, times: TickTimes) -> bool:
        """Publish a tick and, unless a person has the arm, its command; whether that was sent."""
        learning = self._learning
        mine = learning is None or learning.owner == Owner.POLICY
        left_by_box_m = self._left_by_box_m()
        self._parts.publisher.publish(result, times, mine)
        if learning is not None:
            learning.note(result, left_by_box_m)
            if not mine and self._gate_owner == Owner.NOBODY:
                with contextlib.suppress(VitalError):  # the person was quicker; the next tick asks again
                    self._parts.services.acquire(self._parts.task.name)
        return mine

    def _left_by_box_m(self) -> NDArray[np.float64] | None:
        """(3,) the translation carried out of the last command, where the gate brought it back onto the box."""
        gate = self._parts.watch.state
        if gate is None or not gate.projected_last or gate.seq != self._parts.publisher.seq:
            return None
        return array_of(gate.executed_translation_m) if gate.owner in (Owner.POLICY, Owner.NOBODY) else None
