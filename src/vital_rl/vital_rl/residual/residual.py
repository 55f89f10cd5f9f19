"""The learned residual as it is kept, sent and applied: an actor that fits one base policy, and says so."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Count, Name, Sha256, Source, Text
from vital_core.files.weight_file import Header, Metadata
from vital_policy.checkpoint import Checkpoint
from vital_rl.residual.networks import OFFSET_SHARE, ActorConfig, Exploration, OffsetScale, ResidualActor, offset_scale

FORMAT = weight_file.Format("vital_residual/2", "vital_residual/1", "ros2 run vital_rl convert_residuals")
HEADER_KEY = "vital"
SUFFIX = "_residual"
MOST_BYTES = 200_000_000
Plain = Text | float | int | bool | None
# Without a base policy the gripper is still the base policy's: nobody explores whether to let go.
ONLY_GRIPPER = np.array([0.0] * 6 + [1.0], np.float32)


@dataclass(frozen=True)
class ResidualSettings:
    """How a residual is applied."""

    share: Annotated[float, Meta(gt=0.0, le=1.0)] = OFFSET_SHARE
    """Largest residual over the largest demonstrated action."""
    base: bool = True
    """Whether it is added to the base policy's motion, or is all the motion there is."""
    touch: bool = True
    """Whether the actor sees the tactile features."""
    base_touch: bool = True
    """Whether the base policy feels; where not, it is told that nothing touches."""

    def __post_init__(self) -> None:
        if self.touch and not self.base_touch:
            raise ValueError("base_touch is False with touch True, expected a blind base under a blind residual alone")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share is {self.share}, expected above 0 and at most 1")


@dataclass(frozen=True)
class ResidualHeader:
    """What a file or a message says of its residual; see `Residual`."""

    format: Name
    task: Name
    base_sha256: Sha256
    actor: ActorConfig
    settings: ResidualSettings
    version: Count
    steps: Count
    exploration: Exploration
    about: dict[Name, Plain]


@dataclass(frozen=True)
class Residual:
    """An actor with what it belongs to."""

    actor: ResidualActor
    task: str
    base_sha256: str
    """By which the base policy's checkpoint is known."""
    scale: OffsetScale
    """What its answers are shares of."""
    settings: ResidualSettings = field(default_factory=ResidualSettings)
    version: int = 0
    """Counts up with every set of weights of a run."""
    steps: int = 0
    """Environment steps behind it."""
    exploration: Exploration = field(default_factory=Exploration)
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it came to be, for its card."""

    @classmethod
    def untrained(
        cls, checkpoint: Checkpoint, actor: ResidualActor, settings: ResidualSettings | None = None
    ) -> "Residual":
        """An actor for a base policy."""
        settings = settings or ResidualSettings()
        scale = offset_scale(checkpoint.normaliser, settings.share, gripper=actor.config.gripper)
        return cls(actor, checkpoint.task, checkpoint.sha256, scale, settings)

    def base_of(self, action: NDArray[np.floating]) -> NDArray[np.float32]:
        """Base actions (..., 7) as this residual is added to them: without a base policy only its gripper is left."""
        base = np.asarray(action, np.float32)
        return base if self.settings.base else base * ONLY_GRIPPER

    def felt_by_base(self, tactile_ut: NDArray[np.float32]) -> NDArray[np.float32]:
        """Touch (..., 15), µT, as the base policy gets it."""
        return tactile_ut if self.settings.base_touch else np.zeros_like(tactile_ut)

    @torch.inference_mode()
    def offset(self, z: Tensor, base: Tensor, tried: Tensor | None = None) -> NDArray[np.float32]:
        """z (B, D) and normalised base actions (B, 7) -> (B, 7) in -1..1, in shares of the scale.

        tried: (7,) of exploration, in the same shares; see `Noise`.
        """
        offset = self.exploration.reach(self.steps) * self.actor(seen_by(z, self.settings), base.float())
        if tried is not None:
            offset = offset + self.actor.active * tried
        return offset.clamp(-1.0, 1.0).numpy()


def seen_by(z: Tensor, settings: ResidualSettings) -> Tensor:
    """Features (..., D) of image and touch as the actor and the critics get them."""
    if settings.touch:
        return z
    seen = z.clone()
    seen[..., z.shape[-1] // 2 :] = 0.0
    return seen


def to_bytes(residual: Residual) -> bytes:
    """Safetensors in single precision, everything that it must fit in the header, sealed with a hash."""
    about = {
        "format": FORMAT.sealed,
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
    return weight_file.sealed(save(tensors), {HEADER_KEY: json.dumps(about, sort_keys=True)}, _source("to be kept"))


def from_bytes(
    data: bytes, checkpoint: Checkpoint, where: str = "the weights that came", *, unsealed: bool = False
) -> Residual:
    """Inverse of `to_bytes`. Raises VitalError(BAD_CHECKPOINT) where it does not fit the base policy or is torn.

    unsealed: whether the version that had no hash is taken too.
    """
    source = _source(where)
    header = weight_file.parse_header(data, source)
    read = _read_header(data, header, source)
    if not unsealed and read.format != FORMAT.sealed:
        raise source.refuse(f"format is '{read.format}', expected '{FORMAT.sealed}'")
    for name, value in (("task", checkpoint.task), ("base_sha256", checkpoint.sha256)):
        if (got := getattr(read, name)) != value:
            raise source.refuse(f"{name} is '{got}', expected '{value}'")
    if read.actor.features != (features := checkpoint.feature_size):
        raise source.refuse(f"the actor takes {read.actor.features} features, the base policy gives {features}")
    actor = _build(read.actor, data, header, source)
    scale = offset_scale(checkpoint.normaliser, read.settings.share, gripper=actor.config.gripper)
    about = read.version, read.steps, read.exploration, read.about
    return Residual(actor, checkpoint.task, checkpoint.sha256, scale, read.settings, *about)


def _read_header(data: bytes, header: Header, source: Source) -> ResidualHeader:
    read = _parse_about(header.metadata, source)
    if unknown := FORMAT.check(read.format, data, header, source).keys() - {HEADER_KEY}:
        raise source.refuse(f"'{min(unknown)}' is unknown in its metadata, expected '{HEADER_KEY}'")
    return read


def _parse_about(metadata: Metadata, source: Source) -> ResidualHeader:
    return schema.from_json(metadata.get(HEADER_KEY, ""), ResidualHeader, source)


def _build(config: ActorConfig, data: bytes, header: Header, source: Source) -> ResidualActor:
    """The actor with its weights; nothing is allocated for one that is not there."""
    expected = _shapes(config)
    if header.shapes != expected:
        raise source.refuse(f"tensors are {header.shapes}, expected {expected}")
    if other := [name for name, entry in header.tensors.items() if entry.dtype != "F32"]:
        raise source.refuse(f"{other[0]} is of {header.tensors[other[0]].dtype}, expected F32")
    tensors = load(data)
    if bad := [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]:
        raise source.refuse(f"{bad[0]} holds values that are not finite")
    actor = ResidualActor(config)
    actor.load_state_dict(tensors)
    return actor.eval()


def _shapes(config: ActorConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in ResidualActor(config).state_dict().items()}


def _source(where: str) -> Source:
    return Source(f"residual {where}", ErrorCode.BAD_CHECKPOINT, "use one that was learned on this base")


def base_path(path: Path) -> Path:
    """Where the base policy of `<task>_residual.safetensors` is: `<task>.safetensors` beside it."""
    return path.with_name(f"{path.stem.removesuffix(SUFFIX)}.safetensors")


def save_residual(path: Path, residual: Residual) -> None:
    """Write the file whole or not at all."""
    safe_file.write_bytes(path, to_bytes(residual))


def load_residual(path: Path, checkpoint: Checkpoint) -> Residual:
    """Raises VitalError(NO_CHECKPOINT) where there is no file, BAD_CHECKPOINT where it does not fit.

    One of the version that had no hash is said to be unverified.
    """
    if not path.exists():
        raise VitalError(
            ErrorCode.NO_CHECKPOINT, f"no residual {path}: learn one with './vital train task:={checkpoint.task}'"
        )
    source = _source(str(path))
    data = weight_file.read_file(path, source, MOST_BYTES)
    residual = from_bytes(data, checkpoint, str(path), unsealed=True)
    FORMAT.warn(_parse_about(weight_file.parse_header(data, source).metadata, source).format, path)
    return residual


def residual_identity(path: Path) -> str:
    """The SHA-256 by which reports know a residual's file. Raises VitalError."""
    source = _source(str(path))
    data = weight_file.read_file(path, source, MOST_BYTES)
    return weight_file.identity(data, weight_file.parse_header(data, source))


def upgrade(metadata: Metadata) -> Metadata:
    """Metadata of the sealed version from those of the one before."""
    about = {**json.loads(metadata[HEADER_KEY]), "format": FORMAT.sealed}
    return {HEADER_KEY: json.dumps(about, sort_keys=True)}


def convert_residual(path: Path, checkpoint: Checkpoint) -> bool:
    """Give a residual its hash; False where it has one. Raises VitalError, the file is then as it was."""
    return weight_file.convert(
        path, _source(str(path)), upgrade, lambda data: from_bytes(data, checkpoint, str(path), unsealed=True)
    )
