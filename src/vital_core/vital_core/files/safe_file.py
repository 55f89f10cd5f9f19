"""Files that are either whole or absent: written aside, synced, then renamed; read within bounds, regular ones only."""

import errno
import hashlib
import json
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError

KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read; never waits. Raises OSError for a pipe, socket, device or folder."""
    _refuse_irregular(path, os.stat(path).st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _refuse_irregular(path, os.fstat(descriptor).st_mode)
        return open(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def _refuse_irregular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "no file")
        raise OSError(errno.EINVAL, f"is {kind}, expected a regular file", str(path))


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """The whole of a regular file. Raises OSError, EFBIG where it has more than ``most_bytes``."""
    with open_regular(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, f"has more than {most_bytes} bytes", str(path))
    return data


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a crash leaves the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def sha256(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def check_writable(path: Path, given: str) -> None:
    """Raises VitalError(BAD_PARAMETER) naming ``given`` when ``path`` could not be written; makes its folder, and
    leaves nothing in it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is there, and no ordinary file")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.unlink(aside)
        try:
            os.write(file, bytes(4096))
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"{given} cannot be written ({error.strerror}: {path}): name a place that you may write to, or none",
        ) from error
