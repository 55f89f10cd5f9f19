"""What training goes on from: weights, optimiser and step, in one safetensors file with the settings in its header."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vital_core import safe_file
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing.network import PointingNetwork

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Progress:
    """The settings that a state belongs to; a state of others is refused."""

    pictures: int
    word_steps: int
    steps: int
    batch: int
    seed: int


def write_state(
    path: Path, settings: Progress, done: int, network: PointingNetwork, optimiser: torch.optim.Optimizer
) -> None:
    """Write the state after ``done`` steps; the file is replaced whole."""
    tensors: dict[str, Tensor] = {f"network.{name}": t.contiguous() for name, t in network.state_dict().items()}
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": values[name].contiguous() for name in MOMENTS}
    header = {"settings": json.dumps(asdict(settings)), "done": str(done)}
    safe_file.write_bytes(path, save(tensors, header))


def read_state(path: Path, settings: Progress, network: PointingNetwork, optimiser: torch.optim.Optimizer) -> int:
    """Put the state into network and optimiser; returns the steps done.

    Raises VitalError(BAD_CHECKPOINT) for a state of other settings or a torn file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise VitalError(ErrorCode.BAD_CHECKPOINT, f"{path} cannot be read ({error}): delete it") from error
    got, expected = header.get("settings", "none"), json.dumps(asdict(settings))
    if got != expected:
        raise VitalError(
            ErrorCode.BAD_CHECKPOINT,
            f"{path} is of the settings {got}, expected {expected}: delete it or train into another folder",
        )
    network.load_state_dict({n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")})
    count = len(list(network.parameters()))
    moments = {i: {name: tensors[f"optimiser.{i}.{name}"] for name in MOMENTS} for i in range(count)}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return int(header["done"])
