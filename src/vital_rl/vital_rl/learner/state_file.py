"""The learner's state on disk: networks and counts in one safetensors file that carries a hash of all it is."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load, save
from torch import Tensor

from vital_core.errors import ErrorCode
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Count, Source, Text

# A state of the version before says neither its format nor a hash.
FORMAT, UNSEALED = "vital_learner/1", None
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counts:
    """What was done and is owed, the episodes that were learned from, in their order, and whether each succeeded."""

    updates: Count
    steps: Count
    owed: Count
    taken: tuple[Count, ...]
    successes: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.taken) != len(self.successes):
            raise ValueError(f"{len(self.taken)} episodes and {len(self.successes)} successes")


@dataclass(frozen=True)
class StateHeader:
    """config: of the run, as JSON; checkpoint: SHA-256 by which the base policy is known."""

    config: Text
    checkpoint: Text
    counts: Counts
    format: str | None = UNSEALED


def write_state(path: Path, tensors: Mapping[str, Tensor], identity: Mapping[str, str], counts: Counts) -> None:
    """Write the state whole or not at all. identity: config and checkpoint of the run."""
    header = {**identity, "format": FORMAT, "counts": json.dumps(asdict(counts))}
    safe_file.write_bytes(path, weight_file.sealed(save(dict(tensors)), header, _source(path)))


def read_state(path: Path) -> tuple[StateHeader, dict[str, Tensor]]:
    """A state to go on from. Raises VitalError(BAD_CHECKPOINT) for a torn, changed or otherwise unreadable file."""
    source = _source(path)
    data = weight_file.read_file(path, source)
    header = weight_file.parse_header(data, source)
    told = dict(header.metadata)
    if "counts" not in told:
        raise source.refuse("is no state of a learner")
    if told.get("format") is not UNSEALED or weight_file.SEAL in told:
        weight_file.check_seal(data, header, source)
        del told[weight_file.SEAL]
    else:
        log.warning("%s is unverified: it has no hash, the next one will have", path)
    state = schema.checked({**told, "counts": schema.plain_json(told["counts"], source)}, StateHeader, source)
    if state.format not in (FORMAT, UNSEALED):
        raise source.refuse(f"format is '{state.format}', expected '{FORMAT}'")
    return state, load(data)


def _source(path: Path) -> Source:
    return Source(f"state {path}", ErrorCode.BAD_CHECKPOINT, "delete it, the one before is gone on from")
