"""The learner's memory: rows of features, and the transitions between them, drawn without a loop."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vital_core.errors import ErrorCode, VitalError
from vital_rl.residual.ddpg import Batch
from vital_rl.residual.transitions import EpisodeSteps, n_step


@dataclass(frozen=True)
class ReplayConfig:
    """rows: how many observations it holds, online ones and prior data together. prior_share: of each batch, from
    demonstrations and a person's corrections, as long as there are any."""

    rows: int = 40_000
    variants: int = 4
    features: int = 512
    n_step: int = 3
    gamma: float = 0.99
    prior_share: float = 0.5

    def __post_init__(self) -> None:
        if min(self.rows, self.variants, self.features, self.n_step) < 1:
            raise ValueError(f"{self} needs at least 1 of each")
        if not 0.0 <= self.prior_share <= 1.0:
            raise ValueError(f"prior_share is {self.prior_share}, expected 0 to 1")


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
        steps = n_step(episode, self.config.n_step, self.config.gamma)
        starts = torch.from_numpy(steps.start) + first
        self._residual[starts] = torch.from_numpy(episode.residual)
        self._end[starts] = torch.from_numpy(steps.end) + first
        self._reward[starts] = torch.from_numpy(steps.reward)
        self._discount[starts] = torch.from_numpy(steps.discount)
        self._starts.append(starts)
        kept = torch.ones(len(steps), dtype=torch.bool) if prior else torch.from_numpy(episode.intervened)
        self._prior.append(starts[kept])
        self._used += count
        self._joined = None

    def _pools(self) -> tuple[Tensor, Tensor]:
        if self._joined is None:
            self._joined = torch.cat(self._starts), torch.cat(self._prior)
        return self._joined

    def draw(self, batch: int, generator: torch.Generator) -> Batch:
        """A minibatch; each picture in one of its variants at random."""
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
