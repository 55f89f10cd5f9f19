"""The learned residual as it is kept, sent and applied: an actor that fits one base policy, and says so."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from vital_core import safe_file
from vital_core.errors import ErrorCode, VitalError
from vital_policy.checkpoint import Checkpoint
from vital_policy.residual_actor import OFFSET_SHARE, ActorConfig, ResidualActor, offset_scale

FORMAT = "vital_residual/1"
HEADER_KEY = "vital"


@dataclass(frozen=True)
class ResidualSettings:
    """share: largest residual over the largest demonstrated action. base: whether it is added to the base policy's
    motion or is all the motion there is. touch: whether the actor sees the tactile features."""

    share: float = OFFSET_SHARE
    base: bool = True
    touch: bool = True

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share is {self.share}, expected above 0 and at most 1")


@dataclass(frozen=True)
class Exploration:
    """Noise on the residual while it is learned: its standard deviation falls along a line over ``steps`` environment
    steps, in shares of the scale. seed: of the run."""

    first: float = 0.25
    last: float = 0.1
    steps: int = 5000
    seed: int = 0

    def noise(self, step: int) -> float:
        """Standard deviation at an environment step."""
        along = min(1.0, max(0.0, step / self.steps))
        return self.first + along * (self.last - self.first)

    def generator(self, episode_seed: int) -> torch.Generator:
        """The random numbers of an episode."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + max(0, episode_seed))


@dataclass(frozen=True)
class Residual:
    """An actor with what it belongs to. version counts up with every set of weights of a run; steps: environment steps
    behind it; about: how it came to be, for its card."""

    actor: ResidualActor
    task: str
    base_sha256: str
    scale: NDArray[np.float32]
    settings: ResidualSettings = field(default_factory=ResidualSettings)
    version: int = 0
    steps: int = 0
    exploration: Exploration = field(default_factory=Exploration)
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def untrained(
        cls, checkpoint: Checkpoint, actor: ResidualActor, settings: ResidualSettings | None = None
    ) -> "Residual":
        """An actor for a base policy."""
        settings = settings or ResidualSettings()
        scale = offset_scale(checkpoint.normaliser, settings.share, gripper=actor.config.gripper)
        return cls(actor, checkpoint.task, checkpoint.sha256, scale, settings)

    @torch.inference_mode()
    def offset(
        self, z: Tensor, base: Tensor, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> NDArray[np.float32]:
        """z (B, D) and normalised base actions (B, 7) -> (B, 7) in -1..1, in shares of the scale.

        noise: standard deviation of exploration in the same shares.
        """
        offset = self.actor(seen_by(z, self.settings), base.float())
        if noise > 0.0:
            offset = offset + noise * self.actor.active * torch.randn(offset.shape, generator=generator)
        return offset.clamp(-1.0, 1.0).numpy()


def seen_by(z: Tensor, settings: ResidualSettings) -> Tensor:
    """Features (..., D) of image and touch as the actor and the critics get them."""
    if settings.touch:
        return z
    seen = z.clone()
    seen[..., z.shape[-1] // 2 :] = 0.0
    return seen


def to_bytes(residual: Residual) -> bytes:
    """Safetensors in single precision, everything that it must fit in the header."""
    about = {
        "format": FORMAT,
        "task": residual.task,
        "base_sha256": residual.base_sha256,
        "actor": asdict(residual.actor.config),
        "settings": asdict(residual.settings),
        "version": residual.version,
        "steps": residual.steps,
        "exploration": asdict(residual.exploration),
        "about": dict(residual.about),
    }
    tensors = {name: value.detach().clone().contiguous() for name, value in residual.actor.state_dict().items()}
    return save(tensors, {HEADER_KEY: json.dumps(about, sort_keys=True)})


def from_bytes(data: bytes, checkpoint: Checkpoint, where: str = "the weights that came") -> Residual:
    """Inverse of `to_bytes`. Raises VitalError(BAD_CHECKPOINT) where it does not fit the base policy or is torn."""
    header = _header(data, where)
    expected = {"format": FORMAT, "task": checkpoint.task, "base_sha256": checkpoint.sha256}
    for name, value in expected.items():
        if header.get(name) != value:
            raise _refusal(where, f"{name} is '{header.get(name)}', expected '{value}'")
    try:
        actor = ResidualActor(ActorConfig(**header["actor"]))
        settings = ResidualSettings(**header["settings"])
        tensors = load(data)
        _check_tensors(tensors, actor, checkpoint, where)
        actor.load_state_dict(tensors)
        about = header["version"], header["steps"], Exploration(**header["exploration"]), header["about"]
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise _refusal(where, f"unreadable ({error})") from error
    scale = offset_scale(checkpoint.normaliser, settings.share, gripper=actor.config.gripper)
    return Residual(actor.eval(), checkpoint.task, checkpoint.sha256, scale, settings, *about)


def _header(data: bytes, where: str) -> dict[str, Any]:
    """The JSON in the header, read without trusting any length in it."""
    try:
        size = int.from_bytes(data[:8], "little")
        if not 0 < size <= len(data) - 8:
            raise ValueError(f"{len(data)} bytes, a header of {size}")
        return dict(json.loads(json.loads(data[8 : 8 + size])["__metadata__"][HEADER_KEY]))
    except (KeyError, TypeError, ValueError) as error:
        raise _refusal(where, f"no residual's header ({error!r})") from error


def _check_tensors(tensors: dict[str, Tensor], actor: ResidualActor, checkpoint: Checkpoint, where: str) -> None:
    features = feature_size(checkpoint)
    if actor.config.features != features:
        raise _refusal(where, f"the actor takes {actor.config.features} features, the base policy gives {features}")
    got = {name: tuple(value.shape) for name, value in tensors.items()}
    wanted = {name: tuple(value.shape) for name, value in actor.state_dict().items()}
    if got != wanted:
        raise _refusal(where, f"tensors are {got}, expected {wanted}")
    if bad := [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]:
        raise _refusal(where, f"{bad[0]} holds values that are not finite")


def feature_size(checkpoint: Checkpoint) -> int:
    """D: values of z_image and z_tactile together."""
    config = checkpoint.policy.config
    return config.transformer.width * (2 if config.touch else 1)


def _refusal(where: str, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_CHECKPOINT, f"residual {where}: {what}: use one that was learned on this base")


def save_residual(path: Path, residual: Residual) -> None:
    """Write the file whole or not at all."""
    safe_file.write_bytes(path, to_bytes(residual))


def load_residual(path: Path, checkpoint: Checkpoint) -> Residual:
    """Raises VitalError(NO_CHECKPOINT) where there is no file, BAD_CHECKPOINT where it does not fit."""
    if not path.is_file():
        raise VitalError(
            ErrorCode.NO_CHECKPOINT, f"no residual {path}: learn one with './vital train task:={checkpoint.task}'"
        )
    return from_bytes(path.read_bytes(), checkpoint, str(path))
