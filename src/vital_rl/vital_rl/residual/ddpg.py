"""Residual n-step DDPG (Lillicrap et al. 2016; DrQ-v2, Yarats et al. 2022), top to bottom.

Encoders and base policy are frozen: an update sees their features. Every random number of update i follows from
(seed, i), so that a run resumed from its state repeats what it would have done.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vital_policy.precision import PRECISIONS
from vital_rl.residual.batches import Batch
from vital_rl.residual.networks import ActorConfig, CriticConfig, Critics, Exploration, ResidualActor


@dataclass(frozen=True)
class DDPGConfig:
    """The settings of an update; those of a transition are `vital_rl.residual.batches.ReplayConfig`'s."""

    tau: float = 0.01
    """Share by which the targets follow the critics."""
    learning_rate: float = 3e-4
    """Of Adam, actor and critics alike (paper: 1e-4)."""
    actor_l2: float = 1e-3
    """Weight of the actor's squared weights in its loss, over the width of its hidden layer; the released code's is not
    over it, and 256 times as strong."""
    residual_cost: float = 0.0
    """Of the sum of squares of what the actor adds, in its loss, where a success is worth 1 (as TD3+BC keeps to what
    was done, Fujimoto and Gu 2021, here to the base policy). Without it Adam takes the actor to its largest residual
    however little a young critic hopes to gain by one."""
    exploration: Exploration = field(default_factory=Exploration)
    """Its noise is put on the target's action too, within smoothing_clip."""
    smoothing_clip: float = 0.3
    critic_only: int = 8000
    """Updates before the actor's first one."""
    actor_every: int = 2
    """Past `critic_only` the actor moves in one of so many updates (TD3, Fujimoto et al. 2018)."""
    target_critics: int = 0
    """How many random critics the target takes the least of, 0 for all (REDQ, Chen et al. 2021)."""
    returns: tuple[float, float] = (-math.inf, math.inf)
    """Least and largest that the rewards allow. What is wanted of the critics keeps within (Andrychowicz et al. 2017),
    or a young critic's hopes feed on themselves."""
    average: float = 2e-4
    """Share by which the averaged actor follows the learning one, 1 for at once; 2e-4 looks back over some 600
    environment steps."""
    precision: str = "float32"
    """Of the matrix products; weights, sums, norms and values are float32 in either."""
    batch: int = 256
    """Transitions in a minibatch."""
    seed: int = 0
    actor: ActorConfig = field(default_factory=ActorConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)

    def __post_init__(self) -> None:
        if not 0.0 < self.tau <= 1.0:
            raise ValueError(f"tau is {self.tau}, expected above 0 and at most 1")
        if not 0.0 < self.average <= 1.0:
            raise ValueError(f"average is {self.average}, expected above 0 and at most 1")
        if not (self.learning_rate > 0.0 and self.actor_l2 >= 0.0 and self.residual_cost >= 0.0):
            raise ValueError(
                f"learning_rate is {self.learning_rate}, actor_l2 {self.actor_l2}, residual_cost {self.residual_cost}, "
                "expected above 0, and at least 0"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is '{self.precision}', expected one of {PRECISIONS}")
        if not self.returns[0] < self.returns[1]:
            raise ValueError(f"returns are {self.returns}, expected the least before the largest")
        if self.actor_every < 1:
            raise ValueError(f"actor_every is {self.actor_every}, expected at least 1")
        if not 0 <= self.target_critics <= self.critic.critics:
            raise ValueError(f"target_critics is {self.target_critics}, expected 0 to {self.critic.critics}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Figures:
    """What an update came to."""

    critic_loss: float
    actor_loss: float
    """NaN while only the critics learn."""
    value: float
    """Mean of what the critics say of the batch."""


class Learner:
    """Actor, critics, their targets and optimisers. average: of the actors of late, which swings less than any of them
    (Polyak and Juditsky 1992)."""

    def __init__(self, config: DDPGConfig) -> None:
        self.config, self.updates = config, 0
        torch.manual_seed(config.seed)
        self.actor, self.critics = ResidualActor(config.actor), Critics(config.critic)
        self.target = copy.deepcopy(self.critics).requires_grad_(False)
        self.average = copy.deepcopy(self.actor).requires_grad_(False)
        self._actor_adam = torch.optim.Adam(self.actor.parameters(), lr=config.learning_rate, fused=True)
        self._critic_adam = torch.optim.Adam(self.critics.parameters(), lr=config.learning_rate, fused=True)
        self._pairs = list(zip(self.target.parameters(), self.critics.parameters(), strict=True))
        self._averaged = list(zip(self.average.parameters(), self.actor.parameters(), strict=True))
        for adam in (self._actor_adam, self._critic_adam):
            for parameter in adam.param_groups[0]["params"]:
                moments = {"step": torch.zeros(()), "exp_avg": torch.zeros_like(parameter)}
                adam.state[parameter] = {**moments, "exp_avg_sq": torch.zeros_like(parameter)}

    def update(self, batch: Batch, environment_step: int = 0) -> Figures:
        """One update of the critics and, past `critic_only`, of the actor."""
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.updates)
        exploration = self.config.exploration
        noise, reach = exploration.noise(environment_step), exploration.reach(environment_step)
        wanted = self._target_values(batch, noise, generator, reach)
        with self._product_precision():
            values = self.critics(batch.z, batch.base, batch.residual)  # (E, B)
        critic_loss = (values - wanted).square().mean(1).sum()
        self._critic_adam.zero_grad(set_to_none=True)
        critic_loss.backward()
        self._critic_adam.step()
        due = self.updates >= self.config.critic_only and self.updates % self.config.actor_every == 0
        actor_loss = self._improve_actor(batch, reach) if due else float("nan")
        _move_towards(self._pairs, self.config.tau)
        self.updates += 1
        return Figures(critic_loss.item(), actor_loss, values.detach().mean().item())

    def _product_precision(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bfloat16")

    @torch.no_grad()
    def _target_values(self, batch: Batch, noise: float, generator: torch.Generator, reach: float = 1.0) -> Tensor:
        """(B,) reward on the way and the discounted value of where it led."""
        with self._product_precision():
            residual = reach * self.actor(batch.next_z, batch.next_base)
        jitter = noise * self.actor.active * torch.randn(residual.shape, generator=generator)
        residual = (residual + jitter.clamp_(-self.config.smoothing_clip, self.config.smoothing_clip)).clamp_(-1.0, 1.0)
        target, asked = self.target, self.config.target_critics
        if asked:
            target = target.members(torch.randperm(self.config.critic.critics, generator=generator)[:asked])
        with self._product_precision():
            values = target(batch.next_z, batch.next_base, residual)  # (E, B)
        return (batch.reward + batch.discount * values.amin(0)).clamp_(*self.config.returns)

    def _improve_actor(self, batch: Batch, reach: float) -> float:
        self.critics.requires_grad_(False)
        with self._product_precision():
            residual = reach * self.actor(batch.z, batch.base)
            value = self.critics(batch.z, batch.base, residual).amin(0).mean()
        layers = (self.actor.hidden, *self.actor.deeper, self.actor.out)
        weights = torch.stack([layer.weight.square().sum() for layer in layers]).sum()
        cost = self.config.residual_cost * residual.float().square().sum(1).mean()
        loss = cost - value + self.config.actor_l2 * weights / len(self.actor.hidden.weight)
        self._actor_adam.zero_grad(set_to_none=True)
        loss.backward()
        self._actor_adam.step()
        self.critics.requires_grad_(True)
        _move_towards(self._averaged, self.config.average)
        return loss.item()

    def _modules(self) -> dict[str, nn.Module]:
        return {"actor": self.actor, "average": self.average, "critics": self.critics, "target": self.target}

    def state(self) -> dict[str, Tensor]:
        """Everything that moves, by name."""
        parts = self._modules()
        tensors = {f"{part}.{k}": v for part, module in parts.items() for k, v in module.state_dict().items()}
        for part, adam in (("actor", self._actor_adam), ("critics", self._critic_adam)):
            for name, parameter in parts[part].named_parameters():
                tensors |= {f"adam.{part}.{key}.{name}": v for key, v in adam.state[parameter].items()}
        return {name: value.detach().clone().contiguous() for name, value in tensors.items()}

    def restore(self, tensors: dict[str, Tensor], updates: int) -> None:
        """Go on from `state` as it was after ``updates``. Raises KeyError or RuntimeError when it does not fit."""
        now = self.state()
        if tensors.keys() != now.keys():
            raise KeyError(f"the state lacks or has too much of {sorted(tensors.keys() ^ now.keys())[:3]}")
        with torch.no_grad():
            for part, module in self._modules().items():
                for name, value in module.state_dict().items():
                    value.copy_(tensors[f"{part}.{name}"])
            for part, adam in (("actor", self._actor_adam), ("critics", self._critic_adam)):
                for name, parameter in (self.actor if part == "actor" else self.critics).named_parameters():
                    for key, moment in adam.state[parameter].items():
                        moment.copy_(tensors[f"adam.{part}.{key}.{name}"])
        self.updates = updates


@torch.no_grad()
def _move_towards(pairs: Sequence[tuple[Tensor, Tensor]], share: float) -> None:
    """The first of each moves so far towards the second."""
    torch._foreach_lerp_([slow for slow, _ in pairs], [fast.detach() for _, fast in pairs], share)
