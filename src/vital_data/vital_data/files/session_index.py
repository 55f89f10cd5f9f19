"""The session's folder as the recorder keeps it: description, index, and what an interrupted run has left.

The index is a file of JSON lines, only ever appended to, each with its own checksum and synced before it counts. A
later line about an episode adds to the earlier ones, so that a mark never overwrites what was recorded.
"""

import errno
import os
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_data.files import layout
from vital_data.files.episode_writer import as_refusal, is_being_written
from vital_data.files.session import Session, line_of


class SessionIndex:
    """An open session: append to it, or mark an episode in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create_or_resume(cls, folder: Path, task: str, description: Mapping[str, Any]) -> "SessionIndex":
        """A new session in ``folder``, or the one there. Raises VitalError(BAD_PARAMETER) for another task's."""
        folder = Path(folder)
        if (folder / layout.SESSION_FILE).is_file():
            session = Session.open(folder)
            if session.task != task:
                raise VitalError(
                    ErrorCode.BAD_PARAMETER, f"{folder} is a session of {session.task}, expected {task}: choose another"
                )
        else:
            if folder.is_dir() and any(folder.iterdir()):
                raise VitalError(
                    ErrorCode.BAD_PARAMETER, f"{folder} is not empty and no session: choose another folder"
                )
            content = {**description, "format": layout.SESSION_FORMAT, "task": task, "created": _now()}
            safe_file.write_json(folder / layout.SESSION_FILE, content)
        return cls(folder)

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
        taken = {entry.index for entry in Session.open(self.folder).episodes()}
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
