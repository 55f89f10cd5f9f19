"""Learning from stored episodes, whoever played them: the part that the script and the learner node share.

The state on disk holds the networks and the numbers of the episodes that were learned from, in their order; the
episodes themselves are the replay's. Whatever follows from a state is the same whether or not a process died after it.
"""

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import AXES, Axis
from vital_core.owner import Owner
from vital_data.dataset.dataset import Demonstrations
from vital_policy.checkpoint import Checkpoint
from vital_policy.inference import LocalPolicy
from vital_policy.precision import fastest_precision
from vital_rl.learner.episode_log import EpisodeLine, EpisodeLog, none_for_nan
from vital_rl.learner.state_file import Counts, StateHeader, read_state, write_state
from vital_rl.learner.sustained import Sustained, measure
from vital_rl.replay.replay_store import StoredEpisode
from vital_rl.replay.step import ReplayStep, foreground_of
from vital_rl.residual.batches import Batch, EpisodeSteps, FeatureReplay, ReplayConfig, rewards
from vital_rl.residual.ddpg import DDPGConfig, Learner
from vital_rl.residual.features import FeatureCache
from vital_rl.residual.networks import (
    OFFSET_SHARE,
    ActorConfig,
    CriticConfig,
    Exploration,
    ResidualActor,
)
from vital_rl.residual.prior import add_demonstrations, demonstrated
from vital_rl.residual.residual import Residual, ResidualSettings, load_residual, save_residual, seen_by

log = logging.getLogger(__name__)
STATES_KEPT = 2
STATE = "state_*.safetensors"
STRETCH = 50
Read = Callable[[int], tuple[StoredEpisode, list[ReplayStep]]]
Item = TypeVar("Item")


@dataclass(frozen=True)
class LearningConfig:
    """The settings of a run."""

    updates_per_step: int = 16
    """Of critics and actor for each step in the environment (UTD)."""
    dense: bool = False
    """Whether the distance to the goal is rewarded too."""
    failures_end: bool = False
    """Whether nothing is hoped for after a failure whose time ran out, as after one that ended by itself."""
    seed: int = 0
    frames_a_tick: int = 5
    """Of the demonstrations for one step of control."""
    background_share: float = 0.75
    """Of the augmented variants that stand before another background, where the foreground is known."""
    settings: ResidualSettings = field(default_factory=ResidualSettings)
    ddpg: DDPGConfig = field(default_factory=DDPGConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)

    def __post_init__(self) -> None:
        if self.updates_per_step < 0 or self.frames_a_tick < 1:
            raise ValueError(f"updates_per_step is {self.updates_per_step}, frames_a_tick {self.frames_a_tick}")
        if not 0.0 <= self.background_share <= 1.0:
            raise ValueError(f"background_share is {self.background_share}, expected 0 to 1")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def configure(
    features: int,
    *,
    steps: int,
    updates_per_step: int,
    batch: int,
    variants: int,
    seed: int,
    dense: bool = False,
    failures_end: bool = False,
    rlpd: bool = False,
    touch: bool = True,
    base_touch: bool = True,
    background_share: float = 0.75,
    learning_rate: float = DDPGConfig.learning_rate,
    actor_l2: float = DDPGConfig.actor_l2,
    residual_cost: float = DDPGConfig.residual_cost,
    critic_only: int = DDPGConfig.critic_only,
    first_reach: float = Exploration.first_reach,
    reach_steps: int = Exploration.reach_steps,
    first_noise: float = Exploration.first,
    last_noise: float = Exploration.last,
    noise_correlation: float = Exploration.correlation,
    axes: Sequence[Axis] = AXES,
) -> LearningConfig:
    """Settings of a run for a base policy of so many ``features``.

    touch, base_touch: whether the residual, and the base policy under it, feel.
    rlpd: no base action, four layers, ten critics, no other backgrounds, no average.

    Raises VitalError(BAD_PARAMETER).
    """
    try:
        return LearningConfig(
            updates_per_step=updates_per_step,
            dense=dense,
            failures_end=failures_end,
            seed=seed,
            background_share=0.0 if rlpd else background_share,
            settings=ResidualSettings(
                share=1.0 if rlpd else OFFSET_SHARE, base=not rlpd, touch=touch, base_touch=base_touch
            ),
            ddpg=DDPGConfig(
                batch=batch,
                seed=seed,
                learning_rate=learning_rate,
                actor_l2=actor_l2,
                residual_cost=residual_cost,
                critic_only=critic_only,
                target_critics=2 if rlpd else 0,
                returns=(-math.inf if dense else 0.0, 1.0),
                average=1.0 if rlpd else DDPGConfig.average,
                precision=fastest_precision(),
                exploration=Exploration(
                    first_noise,
                    last_noise,
                    first_reach=first_reach,
                    reach_steps=reach_steps,
                    seed=seed,
                    correlation=noise_correlation,
                ),
                actor=ActorConfig(features=features, layers=3 if rlpd else 1, axes=tuple(axes)),
                critic=CriticConfig(features=features, critics=10 if rlpd else 2),
            ),
            replay=ReplayConfig(rows=2 * steps + 10_000, variants=variants, features=features),
        )
    except ValueError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, str(error)) from error


class ResidualLearner:
    """Memory, networks and what is owed: `take` an episode, then `update` as often as it is `owed`.

    folder: of the state and of computed features; None keeps nothing. between: called every second or so of `take`,
    `resume` and `add_demonstrations`; what it raises ends them.
    """

    def __init__(
        self,
        config: LearningConfig,
        checkpoint: Checkpoint,
        folder: Path | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.config, self.checkpoint, self._folder = config, checkpoint, folder
        self.networks = Learner(config.ddpg)
        self.memory = FeatureReplay(config.replay)
        cache = None if folder is None else folder / "features"
        self._cache = FeatureCache(checkpoint, config.replay.variants, cache, config.background_share, between)
        self._log = None if folder is None else EpisodeLog(folder)
        self._untrained = Residual.untrained(checkpoint, self.networks.actor, config.settings)
        self.taken: list[int] = []
        self.successes: list[bool] = []  # of the policy alone: one that a person helped with is none
        self.steps = self.owed = 0
        self.best_share = 0.0
        self.critic_loss = self.value = float("nan")
        self.states_refused = 0

    @property
    def updates(self) -> int:
        """Of the critics, so far."""
        return self.networks.updates

    @property
    def success_20(self) -> float:
        """Share of successes among the last twenty episodes; NaN before the first."""
        return float(np.mean(self.successes[-20:])) if self.successes else float("nan")

    @property
    def result_path(self) -> Path:
        """Of the averaged residual."""
        return self._of_folder(f"{self.checkpoint.task}_residual.safetensors")

    @property
    def best_path(self) -> Path:
        """Of the same as it was at the end of its best `STRETCH` episodes; there is none before so many."""
        return self._of_folder(f"{self.checkpoint.task}_residual_best.safetensors")

    def _of_folder(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / name

    def sustained(self) -> Sustained:
        """What this machine can sustain of these updates, on PyTorch's threads: measured for a second.

        On networks and numbers made up for it; nobody's random numbers move.
        """
        config = replace(self.config.ddpg, critic_only=0)
        with torch.random.fork_rng(devices=[]):
            networks, batch = Learner(config), Batch.made_up(config.batch, config.actor.features)
            return measure(
                lambda: networks.update(batch), self.config.updates_per_step, self.checkpoint.control_rate_hz
            )

    def residual(self) -> Residual:
        """To act and explore with: what was learned so far, with the actor that goes on learning."""
        return self._with_actor(self.networks.actor, {})

    def averaged(self, about: dict[str, Any]) -> Residual:
        """To keep and to ship: the average of the actors of late, which goes on following."""
        return self._with_actor(self.networks.average, about)

    def _with_actor(self, actor: ResidualActor, about: dict[str, Any]) -> Residual:
        exploration = self.config.ddpg.exploration
        return replace(
            self._untrained, actor=actor, version=self.updates, steps=self.steps, exploration=exploration, about=about
        )

    def add_demonstrations(
        self, demos: Demonstrations, tell: Callable[[int, int], None] = lambda _done, _of: None
    ) -> tuple[int, int]:
        """As prior data; returns how many steps, and how many of them beyond what a residual can add.

        tell: hears after each how many are done, and of how many.
        """
        policy, config = LocalPolicy(self.checkpoint), self.config

        def base_along(image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]) -> NDArray[np.float32]:
            return self._untrained.base_of(policy.answers_along(image, self._untrained.felt_by_base(tactile_ut))[0])

        shown = demonstrated(
            base_along, self._untrained.scale, demos, config.frames_a_tick, self._cache, config.seed, dense=config.dense
        )
        return add_demonstrations(self.memory, _count_off(shown, demos.episodes, tell))

    def take(self, episode: StoredEpisode, rows: Sequence[ReplayStep]) -> EpisodeLine:
        """Remember a labelled episode, and owe the updates for it."""
        self._remember(episode, rows)
        steps = len(rows) - 1
        alone = bool(episode.success) and all(row.owner == Owner.POLICY for row in rows)
        self.taken.append(episode.number)
        self.successes.append(alone)
        self.steps += steps
        self.owed += steps * self.config.updates_per_step
        noise, seed = self.config.ddpg.exploration.noise(self.steps), int(episode.about.get("seed", -1))
        line = EpisodeLine(
            episode.number, seed, episode.reason, alone, steps, self.steps, self.updates, noise,
            self.success_20, none_for_nan(self.critic_loss), none_for_nan(self.value),
        )  # fmt: skip
        if self._log is not None:
            self._log.add(line)
        return line

    def _remember(self, episode: StoredEpisode, rows: Sequence[ReplayStep]) -> None:
        image, tactile = np.stack([r.image for r in rows]), np.stack([r.tactile_ut for r in rows])
        base, executed = np.stack([r.base for r in rows]), np.stack([r.executed for r in rows[:-1]])
        offset, _ = self._untrained.scale.offsets_of(executed, base[:-1])
        distance = np.array([r.distance_m for r in rows[1:]])
        seed = self.config.seed * 7919 + max(0, int(episode.about.get("seed", episode.number)))
        self.memory.add(
            EpisodeSteps(
                self._cache.get(f"episode_{episode.number}", image, tactile, seed, foreground_of(rows)),
                self.checkpoint.normaliser.normalise_actions(base),
                offset,
                rewards(bool(episode.success), distance, len(rows) - 1, dense=self.config.dense),
                np.array([r.owner != Owner.POLICY for r in rows[:-1]]),
                episode.terminated or (self.config.failures_end and not episode.success),
            )
        )

    def update(self, count: int) -> int:
        """At most ``count`` of the updates that are owed; returns how many were done."""
        done = min(count, self.owed)
        losses, values = [], []
        for _ in range(done):
            generator = torch.Generator().manual_seed(self.config.seed * 15_485_863 + self.updates)
            figures = self.networks.update(self._draw(generator), self.steps)
            losses.append(figures.critic_loss)
            values.append(figures.value)
        if done:
            self.critic_loss, self.value = float(np.mean(losses)), float(np.mean(values))
        self.owed -= done
        return done

    def _draw(self, generator: torch.Generator) -> Batch:
        batch = self.memory.draw(self.config.ddpg.batch, generator)
        if self.config.settings.touch:
            return batch
        z, next_z = (seen_by(z, self.config.settings) for z in (batch.z, batch.next_z))
        return Batch(z, batch.base, batch.residual, batch.reward, batch.discount, next_z, batch.next_base)

    def _identity(self) -> dict[str, str]:
        config = self.config.to_dict()
        del config["replay"]["rows"], config["ddpg"]["precision"]  # a run may get more room and another processor
        # Runs that began before there was a choice go on.
        if config["settings"]["base_touch"]:
            del config["settings"]["base_touch"]
        if not config["failures_end"]:
            del config["failures_end"]
        if (exploration := config["ddpg"]["exploration"])["first_reach"] == 1.0:
            del exploration["first_reach"], exploration["reach_steps"]
        if (actor := config["ddpg"]["actor"])["axes"] == AXES:
            del actor["axes"]
        if exploration["correlation"] == 0.0:
            del exploration["correlation"]
        if config["ddpg"]["residual_cost"] == 0.0:
            del config["ddpg"]["residual_cost"]
        return {"config": json.dumps(config, sort_keys=True), "checkpoint": self.checkpoint.sha256}

    def save(self, about: dict[str, Any]) -> Path:
        """Write the state to go on from, of which the last two are kept, and the averaged residual; its path."""
        counts = Counts(self.updates, self.steps, self.owed, tuple(self.taken), tuple(self.successes))
        path = self._of_folder(f"state_{self.updates:09d}.safetensors")
        write_state(path, self.networks.state(), self._identity(), counts)
        for old in sorted(path.parent.glob(STATE))[:-STATES_KEPT]:
            old.unlink()
        save_residual(self.result_path, self.averaged(about))
        self._keep_best(about)
        return self.result_path

    def _keep_best(self, about: dict[str, Any]) -> None:
        """Learning may lose again what it had: what was best is kept beside what came last."""
        share = float(np.mean(self.successes[-STRETCH:])) if len(self.successes) >= STRETCH else 0.0
        if share > 0.0 and share >= self.best_share:
            save_residual(self.best_path, self.averaged({**about, "success_50": share}))
            self.best_share = share

    def resume(self, read: Read) -> bool:
        """Go on from the newest whole state; False where there is none. read: an episode of the replay by number.

        A state that is damaged is said and counted in ``states_refused``, and the one before is gone on from. Raises
        VitalError(BAD_PARAMETER) for a state of another configuration or base policy.
        """
        for path in sorted(self._folder.glob(STATE), reverse=True) if self._folder else ():
            try:
                state, tensors = read_state(path)
            except VitalError as error:
                self.states_refused += 1
                log.warning("%s is refused, the state before it is tried: %s", path.name, error)
                continue
            self._check(path, state)
            counts = state.counts
            for number in counts.taken:
                self._remember(*read(number))
            try:
                self.networks.restore(tensors, counts.updates)
            except (KeyError, RuntimeError) as error:
                raise VitalError(
                    ErrorCode.BAD_PARAMETER, f"{path} has other tensors than this run ({error}): give another folder"
                ) from error
            self.steps, self.owed = counts.steps, counts.owed
            self.taken, self.successes = list(counts.taken), list(counts.successes)
            self.best_share = self._share_of_best()
            return True
        if self.states_refused:
            log.warning("no whole state is left in %s: learning begins anew", self._folder)
        return False

    def _share_of_best(self) -> float:
        if not self.best_path.exists():
            return 0.0
        try:
            return float(load_residual(self.best_path, self.checkpoint).about["success_50"])
        except (VitalError, KeyError, TypeError, ValueError) as error:
            log.warning("%s is not what was best here, and is written anew: %s", self.best_path.name, error)
            return 0.0

    def _check(self, path: Path, state: StateHeader) -> None:
        for name, value in self._identity().items():
            if getattr(state, name) not in (value, _older_config(value)):
                raise VitalError(
                    ErrorCode.BAD_PARAMETER,
                    f"{path} is of a run with another {name}: give the same, or another folder",
                )


def _older_config(config: str) -> str:
    """The same configuration as the version before wrote it: with two settings in ``ddpg`` that nothing read."""
    if not config.startswith("{"):
        return config
    values = json.loads(config)
    values["ddpg"] |= {"n_step": 3, "gamma": 0.99}
    return json.dumps(values, sort_keys=True)


def _count_off(items: Iterable[Item], of: int, tell: Callable[[int, int], None]) -> Iterator[Item]:
    for done, item in enumerate(items, 1):
        tell(done, of)
        yield item
