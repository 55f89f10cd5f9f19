"""The training loop without ROS: act, store, label, learn; at any speed, and resumable at every step."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import Labeller
from vital_core.observation import ACTION_VALUES, Observation
from vital_core.owner import Owner
from vital_core.seeds import FIRST_PRACTISED_SEED
from vital_core.task import Task, load_task
from vital_policy.inference import LocalPolicy
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.tick import Tick
from vital_rl.learner.episode_log import EpisodeLine
from vital_rl.learner.learning import ResidualLearner
from vital_rl.replay.replay_store import ReplayStore, StoredEpisode
from vital_rl.replay.step import ReplayStep
from vital_rl.residual.networks import Exploration, Noise

HELP = 6011  # tells the draw of a moment from every other one of a seed
LABELLER = str(Labeller.SIM_TRUTH)


class ResidualTraining:
    """A learner, the store it learns from, and an environment to act in.

    interventions: in how many episodes a person takes over, every other one from the first: at a moment of the first
    half of the task's time, drawn from the episode's seed, and to the end. env_settings: what ``env`` was made by,
    plain text and numbers by name; stored with every episode, and one that was played otherwise is not gone on from.
    """

    def __init__(
        self,
        learner: ResidualLearner,
        env: gymnasium.Env,
        store: ReplayStore,
        interventions: int = 0,
        env_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.learner, self._env, self._store = learner, env, store
        self._helped = 2 * interventions
        self._played_by = {"interventions": interventions, **(env_settings or {})}
        self.policy = ResidualPolicy(LocalPolicy(learner.checkpoint))

    def resume(self) -> None:
        """Go on from the learner's state, and learn from the episodes that were stored after it as it would have.

        Raises VitalError(BAD_PARAMETER) where a stored episode was played by other settings.
        """
        stored = self._store.read_since(0, 10**9).episodes
        for episode in stored:
            self._refuse_other_settings(episode)
        self.learner.resume(self._read)
        taken = set(self.learner.taken)
        for episode in stored:
            if episode.number not in taken:
                self._learn_from(episode.number)

    def run(self, steps: int) -> Iterator[EpisodeLine]:
        """Episodes until so many steps are done in all."""
        while self.learner.steps < steps:
            yield self._learn_from(self.play(FIRST_PRACTISED_SEED + len(self.learner.taken)))

    def _refuse_other_settings(self, episode: StoredEpisode) -> None:
        others = {
            name: told for name, ours in self._played_by.items() if (told := episode.about.get(name, ours)) != ours
        }
        if others:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"episode {episode.number} of the replay was played by {others}, expected {self._played_by}: go on "
                "with the same command, or learn into another --out",
            )

    def _read(self, number: int) -> tuple[Any, list[ReplayStep]]:
        return self._store.episode(number), self._store.read_steps(number)

    def _learn_from(self, number: int) -> EpisodeLine:
        line = self.learner.take(*self._read(number))
        self.learner.update(self.learner.owed)
        return line

    def play(self, seed: int) -> int:
        """One episode into the store; its number."""
        self.policy.residual = self.learner.residual()
        number = self._store.open_episode({"seed": seed, **self._played_by})
        append = functools.partial(self._store.append, number)
        info = play_episode(
            self._env, self.policy, seed, self.learner.config.ddpg.exploration, self._store.transitions, append,
            self._takes_over_at(seed),
        )  # fmt: skip
        outcome, terminated = str(info["outcome"]), bool(info["terminated"])
        self._store.close_episode(number, outcome, terminated=terminated)
        self._store.label(number, outcome == "success", LABELLER)
        return number

    def _takes_over_at(self, seed: int) -> float:
        """Before which step a person takes over; infinity: never."""
        episode = len(self.learner.taken)
        if episode >= self._helped or episode % 2:
            return math.inf
        return moment_of(load_task(self.learner.checkpoint.task), seed)


def moment_of(task: Task, seed: int) -> int:
    """The step of an episode, in the first half of its time, before which a person takes over."""
    return int(np.random.default_rng((seed, HELP)).integers(1 + round(task.episode_s / task.period_s / 2)))


def play_episode(
    env: gymnasium.Env,
    policy: ResidualPolicy,
    seed: int,
    exploration: Exploration,
    steps_before: int,
    append: Callable[[ReplayStep], Any],
    taken_over_at: float = math.inf,
) -> dict[str, Any]:
    """Act until the end, every step stored as it was carried out, and what was seen last; the last info.

    taken_over_at: from which step on a person acts, by the environment's own `demonstrate`.
    """
    seen, info = env.reset(seed=seed)
    policy.reset()
    terminated = truncated = False
    noise, count = Noise(exploration, seed, steps_before), 0
    while not (terminated or truncated):
        tick = policy.tick(Observation(seen["image"], seen["tactile"]), noise.next())
        before, info_before = seen, info
        if count >= taken_over_at:
            seen, _, terminated, truncated, info = env.unwrapped.demonstrate()  # type: ignore[attr-defined]
            carried_out, owner = np.asarray(info["executed"], np.float32), Owner.TELEOP
        else:
            seen, _, terminated, truncated, info = env.step(tick.executed)
            carried_out, owner = _carried_out(tick, info), Owner.POLICY
        append(_step(before, tick.base, tick.residual, carried_out, tick.version, info_before, owner))
        count += 1
    last = policy.tick(Observation(seen["image"], seen["tactile"]))
    nothing = np.zeros(ACTION_VALUES, np.float32)
    append(_step(seen, last.base, nothing, last.base, last.version, info, Owner.POLICY))
    return {**info, "terminated": terminated}


def _carried_out(tick: Tick, info: dict[str, Any]) -> NDArray[np.float32]:
    """(7,) what was sent; where its target left the workspace box, what the box left of it."""
    return np.asarray(info["executed"], np.float32) if info.get("projected_m", 0.0) > 0.0 else tick.executed


def _step(seen: Any, base: Any, residual: Any, executed: Any, version: int, info: Any, owner: Owner) -> ReplayStep:
    distance_m = float(info.get("distance_m", float("nan")))
    return ReplayStep(
        seen["image"], seen["tactile"], base, residual, executed, owner=owner, weights_version=version,
        distance_m=distance_m, foreground=info.get("foreground"),
    )  # fmt: skip
