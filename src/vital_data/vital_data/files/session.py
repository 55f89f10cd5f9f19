"""A session of demonstrations on disk: what was recorded, and which episodes are to be used."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Count, Name, NotNegative, Source, Text
from vital_data.files import layout

SUCCESS = "success"
MOST_DESCRIPTION_BYTES = 4_000_000
MOST_INDEX_BYTES = 200_000_000
MOST_LINE_BYTES = 1_000_000
LINE = Source("a line of the index", ErrorCode.BAD_DATASET, "run `vital_data repair`")


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


@dataclass(frozen=True)
class IndexLine:
    """What a line of the index may say; what else stands in it is kept and not read. episode: its number."""

    episode: Annotated[int, Meta(ge=0, le=10_000_000)]
    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,200}$")] | None = None
    outcome: Annotated[str, Meta(max_length=200)] | None = None
    faults: Annotated[tuple[Annotated[str, Meta(max_length=2000)], ...], Meta(max_length=1000)] | None = None
    redo: bool | None = None
    frames: Count | None = None
    duration_s: NotNegative | None = None
    note: Text | None = None

    def __post_init__(self) -> None:
        if self.file is not None and not self.file.strip("."):
            raise ValueError(f"file is '{self.file}', expected the name of one in the session's folder")


def line_of(entry: Mapping[str, Any]) -> str:
    """One line of the index, with the checksum of the rest of it."""
    text = json.dumps(dict(entry), sort_keys=True)
    return json.dumps({**entry, "crc32": zlib.crc32(text.encode())}, sort_keys=True)


def entry_of(line: str) -> dict[str, Any]:
    """Inverse of `line_of`. Raises ValueError for a line that is torn, was changed or says what cannot be; one without
    a checksum passes."""
    try:
        entry = schema.checked(schema.plain_json(line, LINE, MOST_LINE_BYTES), dict[str, Any], LINE)
        checksum = entry.pop("crc32", None)
        known = {field.name for field in fields(IndexLine)}
        schema.checked({name: value for name, value in entry.items() if name in known}, IndexLine, LINE)
    except VitalError as error:
        raise ValueError(error.message) from error
    if checksum is not None and checksum != zlib.crc32(json.dumps(entry, sort_keys=True).encode()):
        raise ValueError("its checksum does not match")
    return entry


def _refuse(folder: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_DATASET, f"session {folder}: {what}")


@dataclass(frozen=True)
class SessionFile:
    """What every session's description says."""

    task: Name
    format: Literal["vital_session/1"] = "vital_session/1"


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
        if not path.exists():
            raise _refuse(folder, f"has no {path.name}, expected a recorded session: record one with `./vital record`")
        source = Source(f"session {folder}: {path.name}", ErrorCode.BAD_DATASET, "expected one with a task: restore it")
        try:
            description = schema.from_json(safe_file.read_bytes(path, MOST_DESCRIPTION_BYTES), dict[str, Any], source)
        except OSError as error:
            raise source.refuse(f"cannot be read ({error})") from error
        told = {name: description[name] for name in ("task", "format") if name in description}
        return cls(folder, schema.checked(told, SessionFile, source).task, description)

    def _lines(self) -> list[str]:
        path = self.folder / layout.INDEX_FILE
        try:
            return safe_file.read_bytes(path, MOST_INDEX_BYTES).decode(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _refuse(self.folder, f"{path.name} cannot be read ({error})") from error

    def _file(self, index: int, entry: Mapping[str, Any]) -> Path:
        """An episode's file, which is one of the folder, whatever the index says and wherever a link leads."""
        path = self.folder / (entry.get("file") or layout.episode_path(self.folder, index).name)
        if path.is_symlink() and path.resolve().parent != self.folder.resolve():
            raise _refuse(self.folder, f"{path.name} leads to {path.resolve()}, outside the session: copy it into it")
        return path

    def episodes(self) -> list[EpisodeEntry]:
        """All recorded episodes in order; a later line of the index about an episode adds to the earlier ones.

        Raises VitalError(BAD_DATASET) for a broken index, and one that leads out of the folder.
        """
        found: dict[int, dict[str, Any]] = {}
        for number, line in enumerate(self._lines(), 1):
            if not line:
                continue
            try:
                entry = entry_of(line)
            except ValueError as error:
                raise _refuse(self.folder, f"line {number} of the index is broken ({error!r}): run repair") from error
            found.setdefault(entry["episode"], {}).update({k: v for k, v in entry.items() if v is not None})
        return [
            EpisodeEntry(
                index,
                self._file(index, entry),
                entry.get("outcome", ""),
                tuple(entry.get("faults", ())),
                bool(entry.get("redo", False)),
                int(entry.get("frames", 0)),
                float(entry.get("duration_s", 0.0)),
                str(entry.get("note", "")),
            )
            for index, entry in sorted(found.items())
        ]
