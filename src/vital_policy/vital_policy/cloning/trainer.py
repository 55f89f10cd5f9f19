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
from vital_core.observation import AXES, Axis
from vital_core.task import Task
from vital_data.dataset.dataset import Demonstrations
from vital_data.dataset.normalisation import Normaliser
from vital_policy.cloning.engine import engine
from vital_policy.cloning.held_out import Scores, phases_of, scores
from vital_policy.cloning.loss import (
    Loss,
    action_groups,
    at_tip,
    chunk_loss,
    no_motion,
    relative_weights,
    variance_weights,
)
from vital_policy.cloning.sampling import draw_frames, motion_odds
from vital_policy.ensemble import PAPER_DECAY
from vital_policy.network.augmentation import Augmentation, augment, to_network
from vital_policy.network.policy import Policy, PolicyConfig
from vital_policy.precision import PRECISIONS

VALIDATION_BATCH = 256
# name in the paper -> (touch, share of the images whose background is replaced).
METHODS: dict[str, tuple[bool, float]] = {
    "baku": (False, 0.0),
    "visk": (True, 0.0),
    "visual_bc": (False, 0.75),
    "vital_bc": (True, 0.75),
}


@dataclass(frozen=True)
class TrainConfig:
    """How a policy is trained. The defaults are the paper's (A1); ``preset('cpu')`` fits two cores."""

    iterations: int = 20_000
    batch: int = 256
    learning_rate: float = 1e-4
    warmup: int = 0
    """Iterations in which the rate rises from nothing."""
    cosine: bool = False
    """The rate falls to a twentieth along half a cosine after the warm-up."""
    ema_decay: float = 0.0
    """0 ships the last weights, otherwise their running average."""
    precision: str = "float32"
    """Of the matrix products."""
    loss: Loss = Loss.SQUARE
    relative_floor: float = 0.08
    """Of `Loss.RELATIVE`: the share of the largest action below which all motion counts alike."""
    tip_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the task's tip is in the TCP frame, for `Loss.TIP` and the held-out scores."""
    motion_share: float = 0.0
    """Of a batch's frames, drawn by their motion across the main direction: `draw_frames`."""
    still: tuple[Axis, ...] = ()
    """Along or about which the hand is not moved: what is not learned is answered all the same, and only disturbs."""
    ensemble_decay: float = PAPER_DECAY
    """For whoever runs the policy: `TemporalEnsemble`."""
    seed: int = 0
    holdout_episodes: int = 2
    background_share: float = 0.0
    """Of the images that get another background; 0 leaves them as they are."""
    backgrounds: int = 2000
    """That are drawn from."""
    coarse_iterations: int = 0
    """How many of the first ones see images of half the size, at a quarter of the cost: the network has no size of its
    own, and what to look for is learned before where exactly it is."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    open_hand_pad_px: int | None = None
    """How far images are shifted in a task that begins with an open hand, None for as far as elsewhere: nothing in view
    then tells where the hand is but the image's own frame."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)

    def __post_init__(self) -> None:
        for name in ("iterations", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if unknown := [axis for axis in self.still if axis not in AXES]:
            raise ValueError(f"still is {unknown[0]}, expected of {', '.join(AXES)}")
        for name in ("background_share", "motion_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is '{self.precision}', expected one of {', '.join(PRECISIONS)}")
        if not self.relative_floor > 0.0:
            raise ValueError(f"relative_floor is {self.relative_floor}, expected more than 0")
        if not 0 <= self.coarse_iterations <= self.iterations:
            raise ValueError(f"coarse_iterations is {self.coarse_iterations}, expected 0 to {self.iterations}")
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate is {self.learning_rate}, expected more than 0")

    def with_method(self, method: str) -> "TrainConfig":
        """The same, with the sight and touch of one of `METHODS`."""
        touch, share = METHODS[method]
        return replace(self, policy=replace(self.policy, touch=touch), background_share=share)

    def with_task(self, task: Task) -> "TrainConfig":
        """The same, with the task's tip and the images' shift that suits it."""
        config = replace(self, tip_m=(task.tip_forward_m, 0.0, task.tip_offset_m))
        if task.starts_closed or self.open_hand_pad_px is None:
            return config
        return replace(config, augmentation=replace(self.augmentation, pad_px=self.open_hand_pad_px))

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
        loss=Loss.VARIANCE,
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


def split_holdout(demos: Demonstrations, episodes: int) -> tuple[Demonstrations, Demonstrations | None]:
    """Training and validation parts: ``episodes`` recordings, evenly over all, are held out, so that of folders of
    different kinds each is looked at."""
    if episodes == 0:
        return demos, None
    if episodes >= demos.episodes:
        raise ValueError(f"cannot hold out {episodes} of {demos.episodes} episodes")
    held = np.isin(demos.episode, (np.arange(episodes) + 0.5) * demos.episodes // episodes)
    return demos.subset(~held), demos.subset(held)


class Trainer:
    """Weights, optimiser and data of one run; `step` is one iteration."""

    def __init__(self, config: TrainConfig, demos: Demonstrations, fabric: Fabric | None = None) -> None:
        """``fabric``: where to run, see `engine`; several processes share each batch. Raises ValueError."""
        self.config, self.iteration = config, 0
        self.fabric = fabric = fabric or engine("cpu", precision=config.precision)
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
        self._image = self._here(self.demos.image)
        self._tactile = self._here(self.normaliser.normalise_tactile(self.demos.tactile_ut))
        self._target = self._here(self.normaliser.normalise_actions(self.demos.actions))
        self._mask = self._here(self.demos.mask)
        motion = self._here(self.demos.actions)
        self._groups = action_groups(motion, self._mask)
        self._still = no_motion(self.normaliser).to(fabric.device)
        self._held = {AXES.index(axis): self._still[AXES.index(axis)].item() for axis in config.still}
        if beyond := [AXES[number] for number, value in self._held.items() if not abs(value) < 1.0]:
            raise ValueError(f"{beyond[0]} is never still in the demonstrations: it cannot be held")
        self._begin_average()
        self._half_range = self._here(self.normaliser.action_half_range.astype(np.float32))
        self._deviations = variance_weights(
            self._weighed(self._target), self._mask, self._half_range if config.loss is Loss.TIP else 1.0
        )
        self._odds = motion_odds(motion, self._mask, self._groups[0]).cpu()
        self._backgrounds, self._foreground = self._background_bank()
        # Adam's moments exist from the first step on; a state to resume from needs them from the start.
        for parameter in self.policy.parameters():
            adam.state[parameter] = {
                "step": torch.zeros((), device=fabric.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def begin_with(self, policy: Policy, normaliser: Normaliser, *, other_scale: bool = False) -> None:
        """Take over another policy's weights before the first step; with ``other_scale`` also those that learned on
        numbers that were normalised otherwise: they have to learn these. A policy that does not feel may begin with one
        that does, whose touch it leaves out.

        Raises ValueError for another network, or numbers that were normalised otherwise.
        """
        if not other_scale and normaliser.to_dict() != self.normaliser.to_dict():
            raise ValueError(
                "the checkpoint's normalisation is not that of these demonstrations: give those it was made of"
            )
        own = self.policy.state_dict()
        theirs = policy.config if self.config.policy.touch else replace(policy.config, touch=False)
        if _without_dropout(theirs) != _without_dropout(self.policy.config):
            raise ValueError(f"the checkpoint's network is {policy.config}, expected {self.policy.config}")
        self.policy.load_state_dict({name: value for name, value in policy.state_dict().items() if name in own})
        self._begin_average()

    def _begin_average(self) -> None:
        self.policy.hold(self._held)
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
        self.policy.hold(self._held)
        self.iteration += 1
        self._follow()
        return loss.item()

    def _loss(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        weights: Tensor | None = None
        if self.config.loss is Loss.RELATIVE:
            weights = relative_weights(target, mask, self._still, self.config.relative_floor, self._groups)
        elif self.config.loss in (Loss.VARIANCE, Loss.TIP):
            weights = self._deviations
        return chunk_loss(self._weighed(predicted.float()), self._weighed(target), mask, weights)

    def _weighed(self, normalised: Tensor) -> Tensor:
        """What errors are taken of: under `Loss.TIP` (..., 7) actions less their centre at the tip, in m, rad."""
        if self.config.loss is not Loss.TIP:
            return normalised
        beyond = np.subtract(self.config.tip_m, self.normaliser.point_m)
        return at_tip(normalised * self._half_range, tuple(beyond.tolist()))

    def _draw(self) -> tuple[Tensor, torch.Generator]:
        """This process' share of the batch, and what its augmentation and dropout follow from."""
        rank, processes = self.fabric.global_rank, self.fabric.world_size
        seed = self.config.seed * 1_000_003 + self.iteration
        generator = torch.Generator().manual_seed(seed)
        index = draw_frames(self._odds, self.config.batch, self.config.motion_share, generator)
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

    def validate(self, frames: int = 512) -> tuple[float, Scores | None]:
        """Loss of the shipped weights on at most so many frames of the held-out episodes, without augmentation, and the
        scores of their first actions; NaN and None when nothing is held out."""
        demos = self.validation
        if demos is None:
            return math.nan, None
        chosen = np.linspace(0, len(demos) - 1, min(len(demos), frames)).astype(int)
        tactile = self._here(self.normaliser.normalise_tactile(demos.tactile_ut[chosen]))
        target = self._here(self.normaliser.normalise_actions(demos.actions[chosen]))
        mask = self._here(demos.mask[chosen])
        predicted = self._predicted(self._here(demos.image[chosen]), tactile)
        first = mask[:, 0].cpu().numpy()
        answered = torch.from_numpy(self.normaliser.restore_actions(predicted[:, 0].cpu().numpy())[first])
        wanted = torch.from_numpy(demos.actions[chosen][first, 0])
        found = scores(
            at_tip(answered, self.config.tip_m).numpy(),
            at_tip(wanted, self.config.tip_m).numpy(),
            phases_of(demos.episode)[chosen][first],
        )
        return self._loss(predicted, target, mask).item(), found

    def _predicted(self, image: Tensor, tactile: Tensor) -> Tensor:
        """(N, K, 7) of the shipped weights, in single precision."""
        self.policy.eval()
        with torch.inference_mode(), self.fabric.autocast():
            parts = [
                torch.func.functional_call(self.policy, self._average, (to_network(image[at]), tactile[at]))
                for at in torch.arange(len(image)).split(VALIDATION_BATCH)
            ]
        return torch.cat(parts).float()

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
