"""Behaviour cloning: one iteration, its exact state, and nothing about files, clocks or the command line.

Every random number of iteration i follows from (seed, i), so a run resumed from its state at i repeats what
the uninterrupted run would have done.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from vital_augment.compositing import BackgroundBank
from vital_core.task import Task
from vital_data.dataset.dataset import Demonstrations
from vital_data.dataset.normalisation import Normaliser
from vital_policy.cloning.engine import engine
from vital_policy.ensemble import PAPER_DECAY
from vital_policy.network.augmentation import Augmentation, augment, to_network
from vital_policy.network.policy import Policy, PolicyConfig

# name in the paper -> (touch, share of the images whose background is replaced).
METHODS: dict[str, tuple[bool, float]] = {"baku": (False, 0.0), "visk": (True, 0.0), "vital_bc": (True, 0.75)}


@dataclass(frozen=True)
class TrainConfig:
    """How a policy is trained. The defaults are the paper's (A1); ``preset('cpu')`` fits two cores.

    ema_decay: 0 ships the last weights, otherwise their running average. cosine: the rate falls to a
    twentieth along half a cosine after warmup iterations. bf16: matrix products in bfloat16. relative_floor: 0
    for the mean squared error; otherwise errors count relative to the size of the motion that is imitated, down
    to this share of the largest action, because a demonstrator is slow where precision counts. ensemble_decay:
    for whoever runs the policy, see `TemporalEnsemble`. background_share: of the images that get another background,
    drawn from this many ``backgrounds``; 0 leaves them as they are. coarse_iterations: how many of the first ones see
    images of half the size, at a quarter of the cost: the network has no size of its own, and what to look for is
    learned before where exactly it is. open_hand_pad_px: how far images are shifted in a task that begins with an
    open hand, None for as far as elsewhere: nothing in view then tells where the hand is but the image's own frame.
    """

    iterations: int = 20_000
    batch: int = 256
    learning_rate: float = 1e-4
    warmup: int = 0
    cosine: bool = False
    ema_decay: float = 0.0
    bf16: bool = False
    relative_floor: float = 0.0
    ensemble_decay: float = PAPER_DECAY
    seed: int = 0
    holdout_episodes: int = 2
    background_share: float = 0.0
    backgrounds: int = 2000
    coarse_iterations: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    open_hand_pad_px: int | None = None
    policy: PolicyConfig = field(default_factory=PolicyConfig)

    def __post_init__(self) -> None:
        for name in ("iterations", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not 0.0 <= self.background_share <= 1.0:
            raise ValueError(f"background_share is {self.background_share}, expected 0 to 1")
        if not 0 <= self.coarse_iterations <= self.iterations:
            raise ValueError(f"coarse_iterations is {self.coarse_iterations}, expected 0 to {self.iterations}")
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate is {self.learning_rate}, expected more than 0")

    def with_method(self, method: str) -> "TrainConfig":
        """The same, with the sight and touch of one of `METHODS`."""
        touch, share = METHODS[method]
        return replace(self, policy=replace(self.policy, touch=touch), background_share=share)

    def with_task(self, task: Task) -> "TrainConfig":
        """The same, with the images' shift that suits the task."""
        if task.starts_closed or self.open_hand_pad_px is None:
            return self
        return replace(self, augmentation=replace(self.augmentation, pad_px=self.open_hand_pad_px))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


PRESETS: dict[str, TrainConfig] = {
    "paper": TrainConfig(),
    "cpu": TrainConfig(
        iterations=4000,
        batch=64,
        learning_rate=5e-4,
        warmup=200,
        cosine=True,
        ema_decay=0.998,
        bf16=True,
        relative_floor=0.08,
        ensemble_decay=-0.7,
        augmentation=Augmentation(pad_px=10),
        open_hand_pad_px=1,
    ),
}


def _without_dropout(config: PolicyConfig) -> PolicyConfig:
    """What decides the weights' shapes and meaning."""
    return replace(config, transformer=replace(config.transformer, dropout=0.0))


def learning_rate(config: TrainConfig, iteration: int) -> float:
    """Rate of the given iteration: linear warm-up, then flat or half a cosine down to 5 %."""
    if iteration < config.warmup:
        return config.learning_rate * (iteration + 1) / config.warmup
    if not config.cosine:
        return config.learning_rate
    fraction = (iteration - config.warmup) / max(1, config.iterations - config.warmup)
    return config.learning_rate * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, fraction))))


Groups = tuple[tuple[int, ...], ...]


def action_groups(actions: Tensor, mask: Tensor) -> Groups:
    """What is weighed by its size together, of (N, K, 7) actions in m, rad, gripper: the direction in which most motion
    goes (down to a socket, along a card reader), the two across it, rotation, gripper."""
    size = (actions[..., :3].square() * mask[..., None]).sum((0, 1))
    along = int(size.argmax())
    across = tuple(axis for axis in range(3) if axis != along)
    return (across, (along,), (3, 4, 5), (6,))


def action_weights(target: Tensor, mask: Tensor, floor: float, groups: Groups) -> Tensor:
    """(B, 1, 7) weights of squared errors: one over the mean square of a chunk's actions by group, plus floor^2."""
    there = mask[..., None].float()
    square = (target.square() * there).sum(1) / there.sum(1).clamp(min=1)  # (B, 7)
    weights = torch.empty_like(square)
    for group in groups:
        columns = list(group)
        weights[:, columns] = 1.0 / (square[:, columns].mean(-1, keepdim=True) + floor**2)
    return weights[:, None]


def chunk_loss(predicted: Tensor, target: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared error of (B, K, 7) chunks over the actions (B, K) that exist, weighed by (B, 1, 7) ``weights``."""
    error = (predicted.float() - target).square()
    if weights is not None:
        error = error * weights
    return (error.mean(-1) * mask).sum() / mask.sum().clamp(min=1)


def split_holdout(demos: Demonstrations, episodes: int) -> tuple[Demonstrations, Demonstrations | None]:
    """Training and validation parts: the last ``episodes`` recordings are held out."""
    if episodes == 0:
        return demos, None
    if episodes >= demos.episodes:
        raise ValueError(f"cannot hold out {episodes} of {demos.episodes} episodes")
    held = demos.episode >= demos.episodes - episodes
    return demos.subset(~held), demos.subset(held)


class Trainer:
    """Weights, optimiser and data of one run; `step` is one iteration."""

    def __init__(self, config: TrainConfig, demos: Demonstrations, fabric: Fabric | None = None) -> None:
        """``fabric``: where to run, see `engine`; several processes share each batch. Raises ValueError."""
        self.config, self.iteration = config, 0
        self.fabric = fabric = fabric or engine("cpu", bf16=config.bf16)
        if config.batch % fabric.world_size:
            raise ValueError(f"batch {config.batch} cannot be shared by {fabric.world_size} processes")
        self.demos, self.validation = split_holdout(demos, config.holdout_episodes)
        self.normaliser = demos.normaliser
        torch.manual_seed(config.seed)
        policy = Policy(config.policy)
        policy = policy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.policy: Policy = policy.to(fabric.device)
        self._shared = fabric.setup_module(self.policy)
        self._adam = adam = torch.optim.Adam(self.policy.parameters(), lr=config.learning_rate, fused=True)
        self._optimiser: Any = fabric.setup_optimizers(adam)
        self._average = {name: value.clone() for name, value in self.policy.state_dict().items()}
        self._image = self._here(self.demos.image)
        self._tactile = self._here(self.normaliser.normalise_tactile(self.demos.tactile_ut))
        self._target = self._here(self.normaliser.normalise_actions(self.demos.actions))
        self._mask = self._here(self.demos.mask)
        self._groups = action_groups(self._here(self.demos.actions), self._mask)
        self._backgrounds, self._foreground = self._background_bank()
        # Adam's moments exist from the first step on; a state to resume from needs them from the start.
        for parameter in self.policy.parameters():
            adam.state[parameter] = {
                "step": torch.zeros((), device=fabric.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def begin_with(self, policy: Policy, normaliser: Normaliser) -> None:
        """Take over another policy's weights before the first step.

        Raises ValueError for another network, or numbers that were normalised otherwise.
        """
        if normaliser.to_dict() != self.normaliser.to_dict():
            raise ValueError(
                "the checkpoint's normalisation is not that of these demonstrations: give those it was made of"
            )
        if _without_dropout(policy.config) != _without_dropout(self.policy.config):
            raise ValueError(f"the checkpoint's network is {policy.config}, expected {self.policy.config}")
        self.policy.load_state_dict(policy.state_dict())
        self._average = {name: value.clone() for name, value in self.policy.state_dict().items()}

    def _here(self, array: NDArray) -> Tensor:
        """All data lies on the device that trains."""
        return torch.from_numpy(array).to(self.fabric.device)

    def _background_bank(self) -> tuple[BackgroundBank | None, Tensor | None]:
        config, foreground = self.config, self.demos.foreground
        if config.background_share == 0.0:
            return None, None
        if foreground is None:
            raise ValueError("backgrounds can only be replaced where the demonstrations tell the foreground")
        bank = BackgroundBank.generated(config.backgrounds, config.background_share, config.seed, self.fabric.device)
        return bank, self._here(foreground)

    def _images(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, 128, 128) as the network takes them: backgrounds first, then the crop and the colours."""
        image = self._image[index]
        if self._backgrounds is not None and self._foreground is not None:
            image = self._backgrounds.apply(image, self._foreground[index], generator)
        coarse = self.iteration < self.config.coarse_iterations
        return augment(image, self.config.augmentation, generator, coarse=coarse)

    def step(self) -> float:
        """One iteration; returns its loss."""
        config = self.config
        index, generator = self._draw()
        image = self._images(index, generator)
        self.policy.train()
        predicted = self._shared(image, self._tactile[index])
        loss = self._loss(predicted, self._target[index], self._mask[index])
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(config, self.iteration)
        self._optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self._optimiser.step()
        self.iteration += 1
        self._follow()
        return loss.item()

    def _loss(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        floor = self.config.relative_floor
        weights = action_weights(target, mask, floor, self._groups) if floor > 0.0 else None
        return chunk_loss(predicted, target, mask, weights)

    def _draw(self) -> tuple[Tensor, torch.Generator]:
        """This process' share of the batch, and what its augmentation and dropout follow from."""
        rank, processes = self.fabric.global_rank, self.fabric.world_size
        seed = self.config.seed * 1_000_003 + self.iteration
        generator = torch.Generator().manual_seed(seed)
        index = torch.randint(len(self.demos), (self.config.batch,), generator=generator)
        if rank:
            generator.manual_seed(seed + 999_983 * rank)
        torch.manual_seed(seed + 999_983 * rank)
        return index[rank::processes].to(self.fabric.device), generator

    def _follow(self) -> None:
        """Move the running average of the weights; it starts as a plain mean so that it soon forgets the start."""
        decay = min(self.config.ema_decay, (1 + self.iteration) / (10 + self.iteration))
        ours = list(self._average.values())
        theirs = [value.detach() for value in self.policy.state_dict().values()]
        if self.config.ema_decay == 0.0:
            torch._foreach_copy_(ours, theirs)
        else:
            torch._foreach_lerp_(ours, theirs, 1.0 - decay)

    @property
    def shipped_weights(self) -> dict[str, Tensor]:
        """The weights that a checkpoint carries: the running average, or the last ones when ema_decay is 0."""
        return self._average

    def validation_loss(self, batch: int = 256) -> float:
        """Loss of the shipped weights on the held-out episodes, without augmentation; NaN when there are none."""
        demos = self.validation
        if demos is None:
            return math.nan
        chosen = np.linspace(0, len(demos) - 1, min(len(demos), batch)).astype(int)
        tactile = self._here(self.normaliser.normalise_tactile(demos.tactile_ut[chosen]))
        target = self._here(self.normaliser.normalise_actions(demos.actions[chosen]))
        image = to_network(self._here(demos.image[chosen]))
        self.policy.eval()
        with torch.inference_mode(), self.fabric.autocast():
            predicted = torch.func.functional_call(self.policy, self._average, (image, tactile))
        mask = self._here(demos.mask[chosen])
        return self._loss(predicted, target, mask).item()

    def state(self) -> dict[str, Tensor]:
        """Everything that moves during training, by name."""
        tensors = {f"weights.{name}": value for name, value in self.policy.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self._average.items()}
        for name, parameter in self.policy.named_parameters():
            moments = self._adam.state[parameter]
            tensors |= {f"adam.{key}.{name}": moments[key] for key in ("step", "exp_avg", "exp_avg_sq")}
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def restore(self, tensors: dict[str, Tensor], iteration: int) -> None:
        """Continue from `state` as it was at ``iteration``. Raises KeyError or RuntimeError when it does not fit."""
        with torch.no_grad():
            for name, value in self.policy.state_dict().items():
                value.copy_(tensors[f"weights.{name}"])
                self._average[name].copy_(tensors[f"average.{name}"])
            for name, parameter in self.policy.named_parameters():
                for key, moment in self._adam.state[parameter].items():
                    moment.copy_(tensors[f"adam.{key}.{name}"])
        self.iteration = iteration
