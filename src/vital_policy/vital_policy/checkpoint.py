"""Checkpoints: fp16 safetensors with everything in the header that decides whether they fit the robot, and a hash."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta
from safetensors.torch import load, save

from vital_core.arm.xarm7 import TCP_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Count, Name, Sha256, Source, Text
from vital_core.files.weight_file import Header, Metadata
from vital_core.observation import IMAGE_SIZE_PX
from vital_core.task import WINDOW, WristView
from vital_data.dataset.normalisation import Normaliser, StoredNormaliser
from vital_policy.ensemble import PAPER_DECAY
from vital_policy.network.policy import Policy, PolicyConfig

FORMAT = weight_file.Format("vital_policy/2", "vital_policy/1", "ros2 run vital_policy convert_weights")
MOST_BYTES = 500_000_000
# Metadata that are text as they are; the others are JSON.
PLAIN = ("format", "task", "frame", "policy_sha256", "wrist_view")


@dataclass(frozen=True)
class Provenance:
    """Where the weights come from: enough to make them again."""

    command: Text = ""
    commit: Annotated[str, Meta(max_length=200)] = "unknown"
    seed: int = 0
    steps: Count = 0
    demonstrations: Count = 0
    data_sha256: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    method: Annotated[str, Meta(max_length=200)] = ""
    """Of `cloning.trainer.METHODS`."""
    actions: Annotated[str, Meta(max_length=200)] = ""
    """What was imitated, an `ActionSource`; empty in checkpoints from before it was told."""


@dataclass(frozen=True)
class PolicyHeader:
    """A checkpoint's metadata."""

    format: Name
    task: Name
    frame: Name
    control_rate_hz: Annotated[float, Meta(gt=0.0, le=1000.0)]
    image_size_px: Annotated[int, Meta(ge=1, le=10_000)]
    policy: PolicyConfig
    policy_sha256: Sha256
    """Of the network's description, as it stands in the file."""
    normalisation: StoredNormaliser
    provenance: Provenance
    ensemble_decay: Annotated[float, Meta(ge=-100.0, le=100.0)] = PAPER_DECAY
    wrist_view: WristView = WINDOW


@dataclass(frozen=True)
class Checkpoint:
    """A policy with what it needs to act, and where it comes from."""

    task: str
    policy: Policy
    normaliser: Normaliser
    control_rate_hz: float
    provenance: Provenance = field(default_factory=Provenance)
    sha256: str = ""
    """By which reports, and what is built on this policy, know it: see `weight_file.identity`."""
    ensemble_decay: float = PAPER_DECAY
    wrist_view: str = WINDOW
    """What the images show that it was trained on (`vital_core.task.Task`)."""

    @property
    def feature_size(self) -> int:
        """D: values of z_image and z_tactile together."""
        return self.policy.config.feature_size


def _config_hash(config: Any) -> str:
    return safe_file.sha256(json.dumps(config, sort_keys=True).encode())


def save_checkpoint(path: Path, checkpoint: Checkpoint, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write the file whole or not at all; ``state`` replaces the policy's own weights (for an average)."""
    config = checkpoint.policy.config.to_dict()
    header = {
        "format": FORMAT.sealed,
        "task": checkpoint.task,
        "frame": TCP_FRAME,
        "control_rate_hz": json.dumps(checkpoint.control_rate_hz),
        "image_size_px": str(IMAGE_SIZE_PX),
        "ensemble_decay": json.dumps(checkpoint.ensemble_decay),
        "wrist_view": checkpoint.wrist_view,
        "policy": json.dumps(config, sort_keys=True),
        "policy_sha256": _config_hash(config),
        "normalisation": json.dumps(checkpoint.normaliser.to_dict()),
        "provenance": json.dumps(asdict(checkpoint.provenance)),
    }
    weights = state if state is not None else checkpoint.policy.state_dict()
    tensors = {name: value.detach().half().contiguous() for name, value in weights.items()}
    safe_file.write_bytes(Path(path), weight_file.sealed(save(tensors), header, _source(path)))


def _source(path: Path) -> Source:
    return Source(f"checkpoint {path}", ErrorCode.BAD_CHECKPOINT, "restore it, or train one for this")


def _read_header(data: bytes, header: Header, source: Source) -> PolicyHeader:
    metadata = FORMAT.check(header.metadata.get("format"), data, header, source)
    values = {name: text if name in PLAIN else schema.plain_json(text, source) for name, text in metadata.items()}
    read = schema.checked(values, PolicyHeader, source)
    if read.policy_sha256 != _config_hash(values["policy"]):
        raise source.refuse("the network's description does not match its own hash")
    return read


def _check_fits(
    header: PolicyHeader, task: str | None, rate_hz: float | None, wrist_view: str | None, source: Source
) -> None:
    expected: dict[str, Any] = {"frame": TCP_FRAME, "image_size_px": IMAGE_SIZE_PX, "task": task}
    expected |= {"control_rate_hz": rate_hz, "wrist_view": wrist_view}
    for name, value in expected.items():
        if value is not None and (got := getattr(header, name)) != value:
            raise source.refuse(f"{name} is '{got}', expected '{value}'")


def _build(config: PolicyConfig, data: bytes, header: Header, source: Source) -> Policy:
    """The policy with its weights; nothing is allocated for a network that the file does not hold."""
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in Policy(config).state_dict().items()}
    if header.shapes != expected:
        got = header.shapes
        name = min(n for n in expected.keys() | got.keys() if expected.get(n) != got.get(n))
        raise source.refuse(f"{name} has shape {got.get(name)}, expected {expected.get(name)}")
    if other := [name for name, entry in header.tensors.items() if entry.dtype != "F16"]:
        raise source.refuse(f"{other[0]} is of {header.tensors[other[0]].dtype}, expected F16")
    weights = {name: value.float() for name, value in load(data).items()}
    if bad := [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]:
        raise source.refuse(f"{bad[0]} holds values that are not finite")
    policy = Policy(config)
    policy.load_state_dict(weights)
    return policy.eval()


def parse_checkpoint(
    data: bytes, path: Path, *, task: str | None = None, rate_hz: float | None = None, wrist_view: str | None = None
) -> tuple[Checkpoint, PolicyHeader]:
    """A checkpoint and its header from the bytes of its file, as `load_checkpoint`."""
    source = _source(path)
    header = weight_file.parse_header(data, source)
    read = _read_header(data, header, source)
    _check_fits(read, task, rate_hz, wrist_view, source)
    policy, normaliser = _build(read.policy, data, header, source), read.normalisation.restore()
    known_by = weight_file.identity(data, header)
    about = read.control_rate_hz, read.provenance, known_by, read.ensemble_decay, read.wrist_view
    return Checkpoint(read.task, policy, normaliser, *about), read


def load_checkpoint(
    path: Path, *, task: str | None = None, rate_hz: float | None = None, wrist_view: str | None = None
) -> Checkpoint:
    """Read and check a checkpoint; the policy comes in evaluation mode.

    Raises VitalError(NO_CHECKPOINT) when there is no file, BAD_CHECKPOINT when it is damaged or not for this task,
    frame, rate, wrist view or network. One of the version that had no hash is said to be unverified.
    """
    path = Path(path)
    if not path.exists():
        name = task or path.stem
        raise VitalError(
            ErrorCode.NO_CHECKPOINT,
            f"no checkpoint {path}: train one with 'ros2 run vital_policy train_bc --task {name} "
            f"--demos <folder> --out {path.parent}'",
        )
    data = weight_file.read_file(path, _source(path), MOST_BYTES)
    checkpoint, header = parse_checkpoint(data, path, task=task, rate_hz=rate_hz, wrist_view=wrist_view)
    FORMAT.warn(header.format, path)
    return checkpoint


def upgrade(metadata: Metadata) -> Metadata:
    """Metadata of the sealed version from those of the one before."""
    return {**metadata, "format": FORMAT.sealed}


def convert_checkpoint(path: Path) -> bool:
    """Give a checkpoint its hash; False where it has one. Raises VitalError, the file is then as it was."""
    return weight_file.convert(path, _source(path), upgrade, lambda data: parse_checkpoint(data, path))
