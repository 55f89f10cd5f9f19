"""An ensemble of critics as batched matrix products: one kernel a layer, however many critics there are."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vital_core.observation import ACTION_VALUES


@dataclass(frozen=True)
class CriticConfig:
    """features: as the actor's; hidden: width of both layers; critics: how many."""

    features: int = 512
    hidden: int = 256
    critics: int = 2

    def __post_init__(self) -> None:
        if min(self.features, self.hidden, self.critics) < 1:
            raise ValueError(f"{self} needs at least 1 of each")


class EnsembleLinear(nn.Module):
    """E independent linear layers: (E, B, inputs) -> (E, B, outputs)."""

    def __init__(self, critics: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(critics, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(critics, 1, outputs))
        for weight in self.weight:
            nn.init.orthogonal_(weight, gain=math.sqrt(2.0))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return torch.baddbmm(self.bias, x, self.weight)


class EnsembleNorm(nn.Module):
    """E independent layer normalisations of (E, B, width)."""

    def __init__(self, critics: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(critics, 1, width))
        self.shift = nn.Parameter(torch.zeros(critics, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return torch.addcmul(self.shift, F.layer_norm(x, x.shape[-1:]), self.gain)


class Critics(nn.Module):
    """(z (B, features), base (B, 7), residual (B, 7)) -> (E, B) values; residual in -1..1, base normalised."""

    def __init__(self, config: CriticConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or CriticConfig()
        inputs = config.features + 2 * ACTION_VALUES
        self.first, self.norm1 = (
            EnsembleLinear(config.critics, inputs, config.hidden),
            EnsembleNorm(config.critics, config.hidden),
        )
        self.second, self.norm2 = (
            EnsembleLinear(config.critics, config.hidden, config.hidden),
            EnsembleNorm(config.critics, config.hidden),
        )
        self.out = EnsembleLinear(config.critics, config.hidden, 1)

    def forward(self, z: Tensor, base: Tensor, residual: Tensor) -> Tensor:
        """See the class."""
        x = torch.cat([z, base, residual], dim=-1).expand(self.config.critics, -1, -1)
        x = torch.relu(self.norm1(self.first(x)))
        x = torch.relu(self.norm2(self.second(x)))
        return self.out(x)[..., 0]
