"""An ensemble of critics as batched matrix products: one kernel a layer, however many critics there are."""

import math
from dataclasses import dataclass, replace

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


HIDDEN_GAIN = math.sqrt(2.0)  # of a layer before a ReLU (He et al. 2015)
OUT_GAIN = 0.01  # values begin near zero: the least of random ones is no value


def orthogonal(critics: int, inputs: int, outputs: int, gain: float = HIDDEN_GAIN) -> Tensor:
    """(E, inputs, outputs) weights, each critic's drawn by itself."""
    weights = torch.empty(critics, inputs, outputs)
    for weight in weights:
        nn.init.orthogonal_(weight, gain=gain)
    return weights


class FirstLayer(nn.Module):
    """(B, situation), (B, residual) -> (E, B, outputs): every critic sees the same, so one matrix product serves all.

    The residual has weights of its own: the actor's gradient goes through it alone.
    """

    def __init__(self, critics: int, situation: int, residual: int, outputs: int) -> None:
        super().__init__()
        self.critics = critics
        weights = orthogonal(critics, situation + residual, outputs).transpose(0, 1).flatten(1)
        self.situation = nn.Parameter(weights[:situation].clone())  # (situation, E x outputs)
        self.residual = nn.Parameter(weights[situation:].clone())
        self.bias = nn.Parameter(torch.zeros(critics * outputs))

    def forward(self, situation: Tensor, residual: Tensor) -> Tensor:
        """See the class."""
        x = torch.addmm(self.bias, situation, self.situation)
        x = torch.addmm(x, residual, self.residual)
        return x.unflatten(1, (self.critics, -1)).transpose(0, 1)


class EnsembleLinear(nn.Module):
    """E independent linear layers: (E, B, inputs) -> (E, B, outputs)."""

    def __init__(self, critics: int, inputs: int, outputs: int, gain: float = HIDDEN_GAIN) -> None:
        super().__init__()
        self.weight = nn.Parameter(orthogonal(critics, inputs, outputs, gain))
        self.bias = nn.Parameter(torch.zeros(critics, 1, outputs))

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
        self.config = c = config or CriticConfig()
        self.first = FirstLayer(c.critics, c.features + ACTION_VALUES, ACTION_VALUES, c.hidden)
        self.second = EnsembleLinear(c.critics, c.hidden, c.hidden)
        self.norm1, self.norm2 = EnsembleNorm(c.critics, c.hidden), EnsembleNorm(c.critics, c.hidden)
        self.out = EnsembleLinear(c.critics, c.hidden, 1, OUT_GAIN)

    def forward(self, z: Tensor, base: Tensor, residual: Tensor) -> Tensor:
        """See the class."""
        x = self.first(torch.cat([z, base], dim=-1), residual)
        x = torch.relu(self.norm1(x))
        x = torch.relu(self.norm2(self.second(x)))
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round a value near 1 to 0.004
            return self.out(x.float())[..., 0]

    def members(self, chosen: Tensor) -> "Critics":
        """Copies of the critics of these indices, as an ensemble of their own."""
        with torch.device("meta"):
            few = Critics(replace(self.config, critics=len(chosen)))
        few.load_state_dict(
            {name: self._members_of(name, value, chosen) for name, value in self.state_dict().items()}, assign=True
        )
        return few

    def _members_of(self, name: str, value: Tensor, chosen: Tensor) -> Tensor:
        if name.startswith("first."):  # theirs lie beside each other in the last dimension
            return value.unflatten(-1, (self.config.critics, -1))[..., chosen, :].flatten(-2)
        return value[chosen]
