"""What training goes on from: weights, optimiser and step, in one safetensors file with the settings in its header."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from vital_core.errors import ErrorCode
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Count, Source

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Progress:
    """The settings that a state belongs to; a state of others is refused."""

    pictures: int
    word_steps: int
    steps: int
    batch: int
    seed: int


@dataclass(frozen=True)
class StateHeader:
    """A state's metadata. done: steps."""

    settings: Progress
    done: Count


def write_state(
    path: Path, settings: Progress, done: int, network: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write the state after ``done`` steps; the file is replaced whole."""
    tensors: dict[str, Tensor] = {f"network.{name}": t.contiguous() for name, t in network.state_dict().items()}
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": values[name].contiguous() for name in MOMENTS}
    header = {"settings": json.dumps(asdict(settings)), "done": str(done)}
    safe_file.write_bytes(path, save(tensors, header))


def read_state(path: Path, settings: Progress, network: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Put the state into network and optimiser; returns the steps done.

    Raises VitalError(BAD_CHECKPOINT) for a state of other settings or a torn file.
    """
    source = Source(str(path), ErrorCode.BAD_CHECKPOINT, "delete it or train into another folder")
    data = weight_file.read_file(path, source)
    header = weight_file.parse_header(data, source)
    told = {name: schema.plain_json(text, source) for name, text in header.metadata.items()}
    state = schema.checked(told, StateHeader, source)
    if state.settings != settings:
        raise source.refuse(f"is of the settings {asdict(state.settings)}, expected {asdict(settings)}")
    tensors = load(data)
    expected = _state_shapes(network)
    if header.shapes != expected:
        raise source.refuse("has other tensors than the network")
    network.load_state_dict({n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")})
    count = len(list(network.parameters()))
    moments = {i: {name: tensors[f"optimiser.{i}.{name}"] for name in MOMENTS} for i in range(count)}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return state.done


def _state_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    shapes = {f"network.{name}": tuple(value.shape) for name, value in network.state_dict().items()}
    for index, parameter in enumerate(network.parameters()):
        sizes = ((), tuple(parameter.shape), tuple(parameter.shape))
        shapes |= {f"optimiser.{index}.{name}": size for name, size in zip(MOMENTS, sizes, strict=True)}
    return shapes
