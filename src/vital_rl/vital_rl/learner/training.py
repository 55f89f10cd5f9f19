"""The training loop without ROS: act, store, label, learn; at any speed, and resumable at every step."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from vital_core.labeller import Labeller
from vital_core.observation import ACTION_VALUES, Observation
from vital_core.seeds import FIRST_PRACTISED_SEED
from vital_policy.inference import LocalPolicy
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.tick import Tick
from vital_rl.learner.episode_log import EpisodeLine
from vital_rl.learner.learning import ResidualLearner
from vital_rl.replay.replay_store import ReplayStore
from vital_rl.replay.step import ReplayStep
from vital_rl.residual.networks import Exploration

LABELLER = str(Labeller.SIM_TRUTH)


class ResidualTraining:
    """A learner, the store it learns from, and an environment to act in."""

    def __init__(self, learner: ResidualLearner, env: gymnasium.Env, store: ReplayStore) -> None:
        self.learner, self._env, self._store = learner, env, store
        self.policy = ResidualPolicy(LocalPolicy(learner.checkpoint))

    def resume(self) -> None:
        """Go on from the learner's state, and learn from the episodes that were stored after it as it would have."""
        self.learner.resume(self._read)
        taken = set(self.learner.taken)
        for episode in self._store.read_since(0, 10**9).episodes:
            if episode.number not in taken:
                self._learn_from(episode.number)

    def run(self, steps: int) -> Iterator[EpisodeLine]:
        """Episodes until so many steps are done in all."""
        while self.learner.steps < steps:
            yield self._learn_from(self.play(FIRST_PRACTISED_SEED + len(self.learner.taken)))

    def _read(self, number: int) -> tuple[Any, list[ReplayStep]]:
        return self._store.episode(number), self._store.read_steps(number)

    def _learn_from(self, number: int) -> EpisodeLine:
        line = self.learner.take(*self._read(number))
        self.learner.update(self.learner.owed)
        return line

    def play(self, seed: int) -> int:
        """One episode into the store; its number."""
        self.policy.residual = self.learner.residual()
        number = self._store.open_episode({"seed": seed})
        append = functools.partial(self._store.append, number)
        info = play_episode(
            self._env, self.policy, seed, self.learner.config.ddpg.exploration, self._store.transitions, append
        )
        outcome, terminated = str(info["outcome"]), bool(info["terminated"])
        self._store.close_episode(number, outcome, terminated=terminated)
        self._store.label(number, outcome == "success", LABELLER)
        return number


def play_episode(
    env: gymnasium.Env,
    policy: ResidualPolicy,
    seed: int,
    exploration: Exploration,
    steps_before: int,
    append: Callable[[ReplayStep], Any],
) -> dict[str, Any]:
    """Act until the end, every step stored as it was carried out, and what was seen last; the last info."""
    seen, info = env.reset(seed=seed)
    policy.reset()
    terminated = truncated = False
    generator, count = exploration.generator(seed), 0
    while not (terminated or truncated):
        tick = policy.tick(
            Observation(seen["image"], seen["tactile"]), exploration.noise(steps_before + count), generator
        )
        before, info_before = seen, info
        seen, _, terminated, truncated, info = env.step(tick.executed)
        append(_step(before, tick.base, tick.residual, _carried_out(tick, info), tick.version, info_before))
        count += 1
    last = policy.tick(Observation(seen["image"], seen["tactile"]))
    append(_step(seen, last.base, np.zeros(ACTION_VALUES, np.float32), last.base, last.version, info))
    return {**info, "terminated": terminated}


def _carried_out(tick: Tick, info: dict[str, Any]) -> NDArray[np.float32]:
    """(7,) what was sent; where its target left the workspace box, what the box left of it."""
    return np.asarray(info["executed"], np.float32) if info.get("projected_m", 0.0) > 0.0 else tick.executed


def _step(seen: Any, base: Any, residual: Any, executed: Any, version: int, info: Any) -> ReplayStep:
    distance_m = float(info.get("distance_m", float("nan")))
    return ReplayStep(
        seen["image"], seen["tactile"], base, residual, executed, weights_version=version, distance_m=distance_m,
        foreground=info.get("foreground"),
    )  # fmt: skip
