"""A session of demonstrations on disk: what was recorded, and which episodes are to be used.

The index is a file of JSON lines, only ever appended to, each with its own checksum and synced before it counts. A
later line about an episode adds to the earlier ones, so that a mark never overwrites what was recorded.
"""

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Literal

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Name, Source
from vital_core.task import WINDOW, WristView
from vital_data.files import layout
from vital_data.files.disk import as_refusal, is_being_written
from vital_data.files.index_line import entry_of, line_of

SUCCESS = "success"
MOST_DESCRIPTION_BYTES = 4_000_000
MOST_INDEX_BYTES = 200_000_000


@dataclass(frozen=True)
class EpisodeEntry:
    """What the index says of one episode."""

    index: int
    path: Path
    outcome: str
    """success, failure, redo or aborted."""
    faults: tuple[str, ...] = ()
    """What the quality checks found."""
    redo: bool = False
    """Whether the operator wants it recorded again."""
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


def _refuse(folder: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_DATASET, f"session {folder}: {what}")


@dataclass(frozen=True)
class SessionFile:
    """What every session's description says."""

    task: Name
    format: Literal["vital_session/1"] = "vital_session/1"
    wrist_view: WristView = WINDOW


@dataclass(frozen=True)
class Session:
    """A session's folder and description; its index is read anew by each call."""

    folder: Path
    task: str
    description: dict[str, Any]
    wrist_view: WristView = WINDOW
    """What the wrist images show (`vital_core.task.Task`)."""

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
        told = {name: description[name] for name in ("task", "format", "wrist_view") if name in description}
        known = schema.checked(told, SessionFile, source)
        return cls(folder, known.task, description, known.wrist_view)

    @classmethod
    def create_or_resume(cls, folder: Path, task: str, description: Mapping[str, Any]) -> "Session":
        """A new session in ``folder``, or the one there.

        Raises VitalError(BAD_PARAMETER) for one of another task, or whose wrist images show something else.
        """
        folder = Path(folder)
        if not (folder / layout.SESSION_FILE).is_file():
            if folder.is_dir() and any(folder.iterdir()):
                raise VitalError(
                    ErrorCode.BAD_PARAMETER, f"{folder} is not empty and no session: choose another folder"
                )
            content = {**description, "format": layout.SESSION_FORMAT, "task": task, "created": _now()}
            safe_file.write_json(folder / layout.SESSION_FILE, content)
        session = cls.open(folder)
        if session.task != task:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"{folder} is a session of {session.task}, expected {task}: choose another"
            )
        if session.wrist_view != (wanted := description.get("wrist_view", WINDOW)):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"{folder} is a session of wrist view '{session.wrist_view}', expected '{wanted}': choose another",
            )
        return session

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

    def entry(self, index: int) -> EpisodeEntry:
        """One episode. Raises VitalError(BAD_PARAMETER) where there is none of this number."""
        for entry in self.episodes():
            if entry.index == index:
                return entry
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{self.folder} has no episode {index}: see `vital_data list`")

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line; on disk when this returns. A torn last line, of an interrupted run, is closed first.

        Raises VitalError(DISK_FULL or BAD_RECORDING); the index is then as it was.
        """
        path = self.folder / layout.INDEX_FILE
        data = (line_of({**entry, "time": _now()}) + "\n").encode()
        try:
            with open(path, "ab+", buffering=0) as file:
                size = file.tell()
                if size > 0:
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        data = b"\n" + data
                _append(file, data, size)
        except OSError as error:
            raise VitalError(
                as_refusal(path, error).code,
                f"{path.name} could not be added to ({error.strerror}): make room; files that it lacks get their lines "
                "when the recorder starts again, or from `vital_data repair`",
            ) from error

    def next_index(self) -> int:
        """The first number that no file and no line has."""
        taken = {entry.index for entry in self.episodes()}
        for suffix in ("", layout.PART_SUFFIX, layout.BROKEN_SUFFIX):
            numbers = (layout.episode_number(path, suffix) for path in self.folder.iterdir())
            taken |= {number for number in numbers if number is not None}
        return max(taken, default=-1) + 1

    def leftovers(self) -> list[Path]:
        """Files of episodes that were never finished, but for one that is being written just now."""
        return [path for path in layout.episode_files(self.folder, layout.PART_SUFFIX) if not is_being_written(path)]


def _append(file: FileIO, data: bytes, size: int) -> None:
    """All of ``data`` at the end of a file of ``size`` bytes, or nothing of it."""
    try:
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
