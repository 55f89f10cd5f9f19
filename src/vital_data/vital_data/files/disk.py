"""What a disk does to a recording: it locks, it syncs, it is full."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file


def lock_while_open(file: BinaryIO) -> None:
    """Say that somebody writes the file, until it is closed or the process ends; see `is_being_written`."""
    # Some network folders know no locks.
    with suppress(OSError):
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_being_written(part: Path) -> bool:
    """Whether a writer, of this or another process, has the file open."""
    with safe_file.open_regular(part) as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def as_refusal(part: Path, error: Exception) -> VitalError:
    """What to tell an operator when a recording cannot be written."""
    if isinstance(error, VitalError):
        return VitalError(error.code, f"{part.name} could not be written: {error.message}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return VitalError(
            ErrorCode.DISK_FULL,
            f"the disk is full: {part.name} is not whole, every episode before it is; make room, then record again "
            "(what is in it can be had back with `vital_data repair`)",
        )
    return VitalError(ErrorCode.BAD_RECORDING, f"{part.name} could not be written ({error}): look at the disk")
