"""Checkpoints: fp16 safetensors with everything in the header that decides whether they fit the robot."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vital_core import safe_file
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX
from vital_core.xarm7 import TCP_FRAME
from vital_data.normalisation import Normaliser
from vital_policy.ensemble import PAPER_DECAY
from vital_policy.policy import Policy, PolicyConfig

FORMAT = "vital_policy/1"


@dataclass(frozen=True)
class Provenance:
    """Where the weights come from: enough to make them again. method: baku, visk or vital_bc."""

    command: str = ""
    commit: str = "unknown"
    seed: int = 0
    steps: int = 0
    demonstrations: int = 0
    data_sha256: str = ""
    method: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A policy with its task, normaliser, control rate (Hz), the ensemble's decay and provenance."""

    task: str
    policy: Policy
    normaliser: Normaliser
    control_rate_hz: float
    provenance: Provenance = field(default_factory=Provenance)
    sha256: str = ""
    ensemble_decay: float = PAPER_DECAY


def _config_hash(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write the file whole or not at all; ``state`` replaces the policy's own weights (for an average)."""
    config = checkpoint.policy.config.to_dict()
    header = {
        "format": FORMAT,
        "task": checkpoint.task,
        "frame": TCP_FRAME,
        "control_rate_hz": f"{checkpoint.control_rate_hz:g}",
        "image_size_px": str(IMAGE_SIZE_PX),
        "ensemble_decay": f"{checkpoint.ensemble_decay:g}",
        "policy": json.dumps(config, sort_keys=True),
        "policy_sha256": _config_hash(config),
        "normalisation": json.dumps(checkpoint.normaliser.to_dict()),
        "provenance": json.dumps(asdict(checkpoint.provenance)),
    }
    weights = state if state is not None else checkpoint.policy.state_dict()
    tensors = {name: value.detach().half().contiguous() for name, value in weights.items()}
    safe_file.write_bytes(Path(path), save(tensors, header))


def _refuse(path: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_CHECKPOINT, f"checkpoint {path}: {what}")


def _check_header(path: Path, header: dict[str, str], task: str | None, rate_hz: float | None) -> None:
    expected = {"format": FORMAT, "frame": TCP_FRAME, "image_size_px": str(IMAGE_SIZE_PX)}
    if task is not None:
        expected["task"] = task
    if rate_hz is not None:
        expected["control_rate_hz"] = f"{rate_hz:g}"
    for name, value in expected.items():
        if header.get(name) != value:
            raise _refuse(path, f"{name} is '{header.get(name)}', expected '{value}': use one trained for this")


def _build(path: Path, header: dict[str, str]) -> tuple[Policy, Normaliser, Provenance]:
    try:
        config = json.loads(header["policy"])
        if header["policy_sha256"] != _config_hash(config):
            raise _refuse(path, "the network's description does not match its own hash")
        policy = Policy(PolicyConfig.from_dict(config))
        normaliser = Normaliser.from_dict(json.loads(header["normalisation"]))
        return policy, normaliser, Provenance(**json.loads(header["provenance"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _refuse(path, f"unreadable header ({error!r}); train it again") from error


def _load_weights(path: Path, policy: Policy, weights: dict[str, torch.Tensor]) -> None:
    expected = {name: tuple(value.shape) for name, value in policy.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in weights.items()}
    if got != expected:
        wrong = sorted(n for n in expected.keys() | got.keys() if expected.get(n) != got.get(n))
        name = wrong[0]
        raise _refuse(path, f"{name} has shape {got.get(name)}, expected {expected.get(name)}")
    if bad := [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]:
        raise _refuse(path, f"{bad[0]} holds values that are not finite")
    policy.load_state_dict({name: value.float() for name, value in weights.items()})


def load_checkpoint(path: Path, *, task: str | None = None, rate_hz: float | None = None) -> Checkpoint:
    """Read and check a checkpoint; the policy comes in evaluation mode.

    Raises VitalError(NO_CHECKPOINT) when there is no file, BAD_CHECKPOINT when it is not for this task, frame,
    rate or network.
    """
    path = Path(path)
    if not path.is_file():
        name = task or path.stem
        raise VitalError(
            ErrorCode.NO_CHECKPOINT,
            f"no checkpoint {path}: train one with 'ros2 run vital_policy train_bc --task {name} "
            f"--demos <folder> --out {path.parent}'",
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            _check_header(path, header, task, rate_hz)
            policy, normaliser, provenance = _build(path, header)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _refuse(path, f"cannot be read ({error})") from error
    _load_weights(path, policy, weights)
    digest = safe_file.sha256(path.read_bytes())
    rate, decay = float(header["control_rate_hz"]), float(header.get("ensemble_decay", PAPER_DECAY))
    return Checkpoint(header["task"], policy.eval(), normaliser, rate, provenance, digest, decay)
