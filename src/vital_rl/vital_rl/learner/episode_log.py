"""What a residual training went through, episode by episode: lines of JSON to count by, and TensorBoard to watch.

`episodes.jsonl` is appended to as episodes are learned from. A run that was killed learns from its last ones again, so
that an episode may stand there twice; the later line counts. What a kill tore at the end is cut off by the next run.
"""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Source

FILE = "episodes.jsonl"
MOST_BYTES = 200_000_000
SOURCE = Source(FILE, ErrorCode.BAD_PARAMETER, "remove the line")
SHOWN = ("success_20", "steps", "noise", "critic_loss", "value", "updates")


@dataclass(frozen=True)
class EpisodeLine:
    """An episode as it was learned from.

    success: of the policy alone, without a person's help. updates, critic_loss and value: of the learner before it
    (None: no update yet). success_20: share of the last twenty episodes.
    """

    episode: int
    seed: int
    outcome: str
    success: bool
    steps: int
    total_steps: int
    updates: int
    noise: float
    success_20: float
    critic_loss: float | None
    value: float | None


class EpisodeLog:
    """Writes the lines of a run into its folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        folder.mkdir(parents=True, exist_ok=True)
        _cut_torn_end(self._path)
        self._writer = SummaryWriter(str(folder / "tensorboard"), flush_secs=10)

    def add(self, line: EpisodeLine) -> None:
        """Append an episode. Raises VitalError(DISK_FULL)."""
        try:
            with open(self._path, "a") as file:
                file.write(json.dumps(asdict(line)) + "\n")
        except OSError as error:
            raise VitalError(ErrorCode.DISK_FULL, f"{self._path} cannot be written ({error}): make room") from error
        for name in SHOWN:
            if (value := getattr(line, name)) is not None:
                self._writer.add_scalar(name, value, line.total_steps)


def _cut_torn_end(path: Path) -> None:
    """Leave whole lines alone, so that the next one begins a line."""
    if path.is_file() and not (data := path.read_bytes()).endswith(b"\n"):
        with open(path, "r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def none_for_nan(value: float) -> float | None:
    """None for NaN, which JSON has no word for."""
    return None if math.isnan(value) else value


def read_lines(folder: Path) -> list[EpisodeLine]:
    """The episodes of a run, in their order. A torn last line is left out. Raises VitalError(BAD_PARAMETER)."""
    path = folder / FILE
    try:
        text = safe_file.read_bytes(path, MOST_BYTES).decode(errors="replace")
    except OSError as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER, f"{path} cannot be read ({error}): give the folder of a training"
        ) from error
    lines: dict[int, EpisodeLine] = {}
    for number, row in enumerate(whole := text.splitlines(), 1):
        try:
            line = schema.from_json(row, EpisodeLine, replace(SOURCE, name=f"{path}, line {number}"))
        except VitalError:
            if number == len(whole):
                break
            raise
        lines[line.episode] = line
    return list(lines.values())
