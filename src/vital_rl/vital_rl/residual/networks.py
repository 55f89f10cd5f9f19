"""The networks of the residual: the actor, the noise with which it explores, and the critics (paper, appendix A1).

The actor answers what to add to the base policy's action: one hidden layer, or several, on (z_image, z_tactile, a_base)
and a tanh. Its last layer starts at zero, so that an untrained actor changes nothing. The critics are an ensemble as
batched matrix products: one kernel a layer, however many critics there are.
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from vital_core.observation import ACTION_VALUES, AXES, Axis
from vital_data.dataset.normalisation import Normaliser, moved_to

OFFSET_SHARE = 0.2
GRIPPER = 6
Share = Annotated[float, Meta(ge=0.0, le=10.0)]
HIDDEN_GAIN = math.sqrt(2.0)  # of a layer before a ReLU (He et al. 2015)
OUT_GAIN = 0.01  # values begin near zero: the least of random ones is no value


@dataclass(frozen=True)
class ActorConfig:
    """The size of the actor."""

    features: Annotated[int, Meta(ge=1, le=65536)] = 512
    """Values of z_image and z_tactile together."""
    hidden: Annotated[int, Meta(ge=1, le=16384)] = 256
    """Width of each hidden layer."""
    gripper: bool = False
    """Whether the gripper is corrected too."""
    layers: Annotated[int, Meta(ge=1, le=32)] = 1
    """How many hidden layers."""
    axes: tuple[Axis, ...] = AXES
    """Which of the TCP frame it corrects along and about."""

    def __post_init__(self) -> None:
        if not self.axes or self.axes != tuple(axis for axis in AXES if axis in self.axes):
            raise ValueError(
                f"axes are {' '.join(self.axes) or 'none'}, expected some of {' '.join(AXES)}, in this order"
            )
        if min(self.features, self.hidden, self.layers) < 1:
            raise ValueError(f"{self} needs at least 1 feature, 1 wide, 1 layer")


@dataclass(frozen=True, eq=False)
class OffsetScale:
    """What a residual of 1 is, in the parts that the base policy answers in: a turn alone leaves its point in place."""

    largest: NDArray[np.float32]
    """(7,) in m, rad, gripper; 0 where a residual has no say."""
    point_m: NDArray[np.float64]
    """(3,) in the TCP frame, whose way the first three are; see `Normaliser`."""

    def added(self, offset: NDArray[np.floating]) -> NDArray[np.float32]:
        """(..., 7) in -1..1 -> what it adds to the TCP's action, m, rad, gripper."""
        return moved_to(-self.point_m, self.largest * offset).astype(np.float32)

    def offsets_of(self, executed: NDArray[np.floating], base: NDArray[np.floating]) -> tuple[NDArray[np.float32], int]:
        """(T, 7) what was added to the base actions, within -1..1 and 0 where a residual has no say, and how many steps
        asked for more than that. Inverse of `added`."""
        active, offset = self.largest > 0.0, np.zeros(executed.shape, np.float32)
        offset[:, active] = moved_to(self.point_m, executed - base)[:, active] / self.largest[active]
        beyond = int((np.abs(offset) > 1.0 + 1e-6).any(axis=1).sum())
        return offset.clip(-1.0, 1.0), beyond


def offset_scale(normaliser: Normaliser, share: float = OFFSET_SHARE, *, gripper: bool = False) -> OffsetScale:
    """``share`` of the largest absolute action of the demonstrations.

    The gripper is the base policy's alone unless ``gripper``.
    """
    centre, half = np.array(normaliser.action_centre), np.array(normaliser.action_half_range)
    scale = share * np.maximum(np.abs(centre - half), np.abs(centre + half))
    if not gripper:
        scale[GRIPPER] = 0.0
    return OffsetScale(scale.astype(np.float32), normaliser.point_m)


class ResidualActor(nn.Module):
    """(z (B, features), base (B, 7) normalised) -> (B, 7) in -1..1, to be multiplied by the offset scale.

    active: (7,) 1 where it acts. What is never tried must not be asked for: a critic would promise anything there.
    """

    active: Tensor

    def __init__(self, config: ActorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ActorConfig()
        self.hidden = nn.Linear(config.features + ACTION_VALUES, config.hidden)
        self.deeper = nn.ModuleList(nn.Linear(config.hidden, config.hidden) for _ in range(config.layers - 1))
        self.out = nn.Linear(config.hidden, ACTION_VALUES)
        active = torch.tensor([*(float(axis in config.axes) for axis in AXES), float(config.gripper)])
        self.register_buffer("active", active, persistent=False)
        for layer in (self.hidden, *self.deeper):
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Tensor, base: Tensor) -> Tensor:
        """See the class."""
        x = torch.relu(self.hidden(torch.cat([z, base], dim=-1)))
        for layer in self.deeper:
            x = torch.relu(layer(x))
        return self.active * torch.tanh(self.out(x))


@dataclass(frozen=True)
class Exploration:
    """How far a residual goes while it is learned: its noise falls along a line, its reach grows along one."""

    first: Share = 0.25
    """Standard deviation at the first environment step, in shares of the scale."""
    last: Share = 0.1
    """Standard deviation from step ``steps`` on."""
    steps: Annotated[int, Meta(ge=1, le=2**53)] = 5000
    """Environment steps from the first to the last."""
    first_reach: Share = 1.0
    """Largest residual at the first environment step, in shares of the scale, noise aside."""
    reach_steps: Annotated[int, Meta(ge=1, le=2**53)] = 1
    """Environment steps until it is the whole scale."""
    seed: Annotated[int, Meta(ge=-(2**42), le=2**42)] = 0
    """Of the run."""
    correlation: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    """Of what is tried with what was tried a tick before. 0: anew at every tick, so that it cancels out on the way;
    0.85: on one side for a second, so that its effect is in the outcome."""

    def __post_init__(self) -> None:
        for name in ("first", "last", "first_reach"):
            if not 0.0 <= (value := getattr(self, name)) <= 10.0:
                raise ValueError(f"exploration's {name} is {value}, expected 0 to 10 times the residual's scale")
        for name in ("steps", "reach_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"exploration's {name} is {getattr(self, name)}, expected at least 1")
        if not 0.0 <= self.correlation < 1.0:
            raise ValueError(f"exploration's correlation is {self.correlation}, expected at least 0 and below 1")

    def noise(self, step: int) -> float:
        """Standard deviation at an environment step."""
        along = min(1.0, max(0.0, step / self.steps))
        return self.first + along * (self.last - self.first)

    def reach(self, step: int) -> float:
        """Largest residual at an environment step, in shares of the scale, noise aside."""
        return self.first_reach + min(1.0, max(0.0, step / self.reach_steps)) * (1.0 - self.first_reach)

    def generator(self, episode_seed: int) -> torch.Generator:
        """The random numbers of an episode."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + max(0, episode_seed))


class Noise:
    """What is tried in one episode.

    after: environment steps before the next tick. silent: nothing is tried while this holds.
    """

    def __init__(self, exploration: Exploration, episode_seed: int, after: int) -> None:
        self._exploration, self._generator = exploration, exploration.generator(episode_seed)
        self.after, self.silent = after, False
        self._drawn: Tensor | None = None

    def next(self) -> Tensor | None:
        """(7,) to be added to this tick's residual, in shares of its scale; it counts as a step."""
        deviation = self._exploration.noise(self.after)
        self.after += 1
        if self.silent:
            self._drawn = None
            return None
        fresh, kept = torch.randn(ACTION_VALUES, generator=self._generator), self._exploration.correlation
        drawn = fresh if self._drawn is None else kept * self._drawn + math.sqrt(1.0 - kept**2) * fresh
        self._drawn = drawn
        return deviation * drawn


@dataclass(frozen=True)
class CriticConfig:
    """The size of the critics."""

    features: int = 512
    """As the actor's."""
    hidden: int = 256
    """Width of both hidden layers."""
    critics: int = 2
    """How many."""

    def __post_init__(self) -> None:
        if min(self.features, self.hidden, self.critics) < 1:
            raise ValueError(f"{self} needs at least 1 of each")


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
            {name: self._select_members(name, value, chosen) for name, value in self.state_dict().items()}, assign=True
        )
        return few

    def _select_members(self, name: str, value: Tensor, chosen: Tensor) -> Tensor:
        if name.startswith("first."):  # theirs lie beside each other in the last dimension
            return value.unflatten(-1, (self.config.critics, -1))[..., chosen, :].flatten(-2)
        return value[chosen]
