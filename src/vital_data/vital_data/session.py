"""A session of demonstrations on disk: what was recorded, and which episodes are to be used."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError
from vital_data import layout

SUCCESS = "success"


@dataclass(frozen=True)
class EpisodeEntry:
    """One line of the index. outcome: success, failure or redo; faults: what the quality checks found."""

    index: int
    path: Path
    outcome: str
    faults: tuple[str, ...] = ()
    redo: bool = False
    frames: int = 0
    duration_s: float = 0.0
    note: str = ""

    @property
    def bytes(self) -> int:
        """Size of the file; 0 when it is not there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def usable(self) -> bool:
        """Whether it is for training: a success, without a fault, not marked redo."""
        return self.outcome == SUCCESS and not self.faults and not self.redo


def line_of(entry: Mapping[str, Any]) -> str:
    """One line of the index, with the checksum of the rest of it."""
    text = json.dumps(dict(entry), sort_keys=True)
    return json.dumps({**entry, "crc32": zlib.crc32(text.encode())}, sort_keys=True)


def entry_of(line: str) -> dict[str, Any]:
    """Inverse of `line_of`. Raises ValueError for a line that is torn or was changed; one without a checksum passes."""
    entry = json.loads(line)
    if not isinstance(entry, dict) or "episode" not in entry:
        raise ValueError("expected an object with an episode")
    checksum = entry.pop("crc32", None)
    if checksum is not None and checksum != zlib.crc32(json.dumps(entry, sort_keys=True).encode()):
        raise ValueError("its checksum does not match")
    return entry


def _refuse(folder: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_DATASET, f"session {folder}: {what}")


@dataclass(frozen=True)
class Session:
    """A session's folder and description."""

    folder: Path
    task: str
    description: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "Session":
        """Read the description. Raises VitalError(BAD_DATASET) when there is no session."""
        folder = Path(folder)
        path = folder / layout.SESSION_FILE
        if not path.is_file():
            raise _refuse(folder, f"has no {path.name}, expected a recorded session: record one with `./vital record`")
        try:
            description = json.loads(path.read_text())
            return cls(folder, description["task"], description)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _refuse(folder, f"{path.name} cannot be read ({error!r}), expected one with a task") from error

    def episodes(self) -> list[EpisodeEntry]:
        """All recorded episodes in order; a later line of the index about an episode adds to the earlier ones."""
        found: dict[int, dict[str, Any]] = {}
        path = self.folder / layout.INDEX_FILE
        lines = path.read_text().splitlines() if path.is_file() else []
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                entry = entry_of(line)
                found.setdefault(int(entry["episode"]), {}).update(entry)
            except (ValueError, KeyError, TypeError) as error:
                raise _refuse(self.folder, f"line {number} of the index is broken ({error!r}): run repair") from error
        return [
            EpisodeEntry(
                index,
                self.folder / entry.get("file", layout.episode_path(self.folder, index).name),
                entry.get("outcome", ""),
                tuple(entry.get("faults", ())),
                bool(entry.get("redo", False)),
                int(entry.get("frames", 0)),
                float(entry.get("duration_s", 0.0)),
                str(entry.get("note", "")),
            )
            for index, entry in sorted(found.items())
        ]
