"""From finished episodes to minibatches of n-step transitions, top to bottom.

Row t of an episode holds what was seen at t, what the base policy answered, what was added, who acted and the reward of
that step. A transition starts at t and ends at t + n, or at the episode's end; none looks into another episode. The
memory holds rows of features and the transitions between them, and draws without a loop.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import ACTION_VALUES


@dataclass(frozen=True)
class EpisodeSteps:
    """T steps and what was seen after the last one."""

    features: NDArray[np.floating]
    """(T + 1, V, D) of V augmented variants."""
    base: NDArray[np.float32]
    """(T + 1, 7) normalised."""
    residual: NDArray[np.float32]
    """(T, 7) executed minus base over the offset scale."""
    reward: NDArray[np.float32]
    """(T,)"""
    intervened: NDArray[np.bool_]
    """(T,) whether a person acted."""
    terminated: bool
    """Whether it came to its end by itself; one that was cut off ends in a state with a value like any other."""

    def __post_init__(self) -> None:
        steps = len(self.reward)
        expected = {"features": steps + 1, "base": steps + 1, "residual": steps, "intervened": steps}
        for name, length in expected.items():
            if len(getattr(self, name)) != length:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} rows for {steps} rewards, expected {length}: "
                    "every step needs what was seen before it, and the last one what was seen after"
                )
        if steps < 1:
            raise ValueError("an episode has no step, expected at least one")

    def __len__(self) -> int:
        return len(self.reward)


def rewards(success: bool, distance_m: NDArray[np.floating] | None, length: int, *, dense: bool) -> NDArray[np.float32]:
    """(length,) 1 at the end of a success, and with ``dense`` minus the distance to the goal (m) after each step.

    Where a distance is not known for a moment, it is taken from those around it. Raises VitalError(BAD_PARAMETER) where
    none is.
    """
    reward = np.zeros(length, np.float32)
    if dense:
        if distance_m is None or len(distance_m) != length:
            raise ValueError(f"the dense reward needs {length} distances, got {distance_m}")
        known = np.flatnonzero(np.isfinite(distance_m))
        if not len(known):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                "the dense reward needs the distance to the goal, which nobody measured here: leave it out",
            )
        reward -= np.interp(np.arange(length), known, np.asarray(distance_m)[known]).astype(np.float32)
    if success:
        reward[-1] += 1.0
    return reward


def n_step(
    episode: EpisodeSteps, steps: int, gamma: float
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Where the transition that starts at each step ends, its reward and its discount, (T,) each.

    It ends ``steps`` rows on, or at the episode's end: the last ones are shorter, none is left out. reward: discounted
    sum on the way; discount: of the value at the end, 0 where the episode terminated (Sutton and Barto 2018, section
    7.1).
    """
    length = len(episode)
    start = np.arange(length)
    end = np.minimum(start + steps, length)
    powers = gamma ** np.arange(steps)
    padded = np.concatenate([episode.reward, np.zeros(steps, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps)[:length]
    discount = gamma ** (end - start).astype(np.float64)
    if episode.terminated:
        discount[end == length] = 0.0
    return end, (windows @ powers).astype(np.float32), discount.astype(np.float32)


@dataclass(frozen=True)
class ReplayConfig:
    """The learner's memory, and what is drawn from it."""

    rows: int = 40_000
    """How many observations it holds, online ones and prior data together."""
    variants: int = 4
    """Augmented variants of each observation."""
    features: int = 512
    """D: values of z_image and z_tactile together."""
    n_step: int = 3
    """Environment steps in a transition."""
    gamma: float = 0.99
    """Discount of a step."""
    prior_share: float = 0.5
    """Of each batch, from demonstrations and a person's corrections, as long as there are any."""

    def __post_init__(self) -> None:
        if min(self.rows, self.variants, self.features, self.n_step) < 1:
            raise ValueError(f"{self} needs at least 1 of each")
        if not 0.0 <= self.prior_share <= 1.0:
            raise ValueError(f"prior_share is {self.prior_share}, expected 0 to 1")
        if not 0.0 <= self.gamma <= 1.0:
            raise ValueError(f"gamma is {self.gamma}, expected 0 to 1")


@dataclass(frozen=True)
class Batch:
    """B transitions, aligned."""

    z: Tensor  # (B, features)
    base: Tensor  # (B, 7) normalised
    residual: Tensor  # (B, 7) in -1..1
    reward: Tensor  # (B,)
    discount: Tensor  # (B,)
    next_z: Tensor  # (B, features)
    next_base: Tensor  # (B, 7) normalised

    @classmethod
    def made_up(cls, rows: int, features: int) -> "Batch":
        """Random numbers in the shape of a minibatch, to measure with."""
        sizes = ((features,), (ACTION_VALUES,), (ACTION_VALUES,), (), (), (features,), (ACTION_VALUES,))
        return cls(*(torch.randn(rows, *size) for size in sizes))


class FeatureReplay:
    """Fills up episode by episode; `draw` gives a minibatch that follows from the generator alone."""

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config
        self._z = torch.empty(config.rows, config.variants, config.features, dtype=torch.float16)
        self._base = torch.empty(config.rows, 7)
        self._residual = torch.zeros(config.rows, 7)
        self._end = torch.zeros(config.rows, dtype=torch.long)
        self._reward, self._discount = torch.zeros(config.rows), torch.zeros(config.rows)
        self._used = 0
        # Rows at which a transition begins: any, and those of demonstrations and corrections.
        self._starts: list[Tensor] = []
        self._prior: list[Tensor] = []
        self._joined: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return sum(len(starts) for starts in self._starts)

    @property
    def size_bytes(self) -> int:
        """Of what is held."""
        arrays = (self._z, self._base, self._residual, self._end, self._reward, self._discount)
        return sum(a[: self._used].numel() * a.element_size() for a in arrays)

    def add(self, episode: EpisodeSteps, *, prior: bool = False) -> None:
        """Take over an episode; ``prior``: a demonstration. Raises VitalError(BAD_PARAMETER) when it is full."""
        count = len(episode) + 1
        expected = (count, self.config.variants, self.config.features)
        if episode.features.shape != expected:
            raise ValueError(f"features are {episode.features.shape}, expected {expected}")
        if self._used + count > self.config.rows:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the replay holds {self._used} of {self.config.rows} rows, {count} more do not fit: give it more rows",
            )
        first, rows = self._used, slice(self._used, self._used + count)
        self._z[rows] = torch.from_numpy(np.asarray(episode.features, np.float16))
        self._base[rows] = torch.from_numpy(episode.base)
        end, reward, discount = n_step(episode, self.config.n_step, self.config.gamma)
        starts = torch.arange(first, first + len(episode))
        self._residual[starts] = torch.from_numpy(episode.residual)
        self._end[starts] = torch.from_numpy(end) + first
        self._reward[starts] = torch.from_numpy(reward)
        self._discount[starts] = torch.from_numpy(discount)
        self._starts.append(starts)
        kept = torch.ones(len(episode), dtype=torch.bool) if prior else torch.from_numpy(episode.intervened)
        self._prior.append(starts[kept])
        self._used += count
        self._joined = None

    def _pools(self) -> tuple[Tensor, Tensor]:
        if self._joined is None:
            self._joined = torch.cat(self._starts), torch.cat(self._prior)
        return self._joined

    def draw(self, batch: int, generator: torch.Generator) -> Batch:
        """A minibatch; each image in one of its variants at random."""
        every, prior = self._pools()
        first = round(batch * self.config.prior_share) if len(prior) else 0
        start = torch.cat([
            prior[torch.randint(max(1, len(prior)), (first,), generator=generator)],
            every[torch.randint(len(every), (batch - first,), generator=generator)],
        ])  # fmt: skip
        end = self._end[start]
        variant, other = torch.randint(self.config.variants, (2, batch), generator=generator)
        return Batch(
            z=self._z[start, variant].float(),
            base=self._base[start],
            residual=self._residual[start],
            reward=self._reward[start],
            discount=self._discount[start],
            next_z=self._z[end, other].float(),
            next_base=self._base[end],
        )
