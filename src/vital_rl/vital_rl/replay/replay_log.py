"""An append-only log in chunks: what `append` has returned for is on disk, and a torn tail costs only itself.

A record is a header (magic, kind, length, CRC-32 of kind and payload) and its payload. Recovery reads each chunk up to
its last good record; the last chunk is cut there, so that what follows is appended to whole records.
"""

import errno
import logging
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file

HEADER = struct.Struct("<2sBII")  # magic, kind, length, checksum
MAGIC = b"VR"
CHUNK_BYTES = 16_000_000
LARGEST_RECORD = 4_000_000
CHUNK_NAME = re.compile(r"chunk_(\d{6,})\.log")
log = logging.getLogger(__name__)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Place:
    """Where a record's payload is."""

    chunk: int
    offset: int
    length: int


@dataclass(frozen=True)
class Record:
    """A record as it was found."""

    kind: int
    payload: bytes
    place: Place


def chunk_path(folder: Path, number: int) -> Path:
    """File of a chunk."""
    return folder / f"chunk_{number:06d}.log"


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _checksum(kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, kind)


def records_of(data: bytes, chunk: int) -> Iterator[Record]:
    """The good records from the beginning of a chunk's bytes; ends at the first that is not whole."""
    offset = 0
    while offset + HEADER.size <= len(data):
        magic, kind, length, checksum = HEADER.unpack_from(data, offset)
        begin = offset + HEADER.size
        payload = data[begin : begin + length]
        if magic != MAGIC or length > LARGEST_RECORD or len(payload) < length or _checksum(kind, payload) != checksum:
            return
        yield Record(kind, payload, Place(chunk, begin, length))
        offset = begin + length


class ReplayLog:
    """The log of one folder. lost_bytes: of damaged records that recovery left out."""

    def __init__(self, folder: Path, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.folder, self._chunk_bytes, self.lost_bytes = Path(folder), chunk_bytes, 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from error
        self._number, self._file, self._size = 0, -1, 0
        self._torn = False  # whether there may be a part of a record behind `_size`
        self._readers: dict[int, int] = {}

    @property
    def chunks(self) -> list[int]:
        """Numbers of the chunks that there are."""
        numbers = (int(found[1]) for path in self.folder.iterdir() if (found := CHUNK_NAME.fullmatch(path.name)))
        return sorted(number for number in numbers if chunk_path(self.folder, number).exists())

    @property
    def size_bytes(self) -> int:
        """On disk; a chunk that somebody takes away meanwhile has none."""
        return sum(_size_of(chunk_path(self.folder, number)) for number in self.chunks)

    def recover(self) -> Iterator[Record]:
        """Every good record from the oldest on; call once, before the first append. Raises VitalError."""
        chunks = self.chunks
        self._name_strays(chunks)
        for number in chunks:
            path = chunk_path(self.folder, number)
            data, good = self._read_chunk(path), 0
            for record in records_of(data, number):
                good = record.place.offset + record.place.length
                yield record
            self.lost_bytes += len(data) - good
            if number == chunks[-1] and good < len(data):
                os.truncate(path, good)
        try:
            self._open(chunks[-1] if chunks else 0)
        except OSError as error:
            raise self._refusal(error) from error

    def _read_chunk(self, path: Path) -> bytes:
        try:
            return safe_file.read_bytes(path, max(self._chunk_bytes, CHUNK_BYTES) + HEADER.size + LARGEST_RECORD)
        except OSError as error:
            raise VitalError(
                ErrorCode.BAD_RECORDING, f"chunk {path} cannot be read ({error}): move it away, or restore it"
            ) from error

    def _name_strays(self, chunks: list[int]) -> None:
        known = {chunk_path(self.folder, number).name for number in chunks}
        if strays := sorted(path.name for path in self.folder.glob("chunk_*") if path.name not in known):
            log.warning("replay %s: no chunks of it, left alone: %s", self.folder, ", ".join(strays))

    def _open(self, number: int) -> None:
        """Write to another chunk from here on. Raises OSError; the one before is then written on."""
        path = chunk_path(self.folder, number)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(file).st_size
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError:
            os.close(file)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._number, self._file, self._size = number, file, size

    def append(self, kind: int, payload: bytes) -> Place:
        """Write a record; on disk when this returns.

        Raises VitalError: DISK_FULL, the log is then as it was; BAD_PARAMETER for a record that is too large.
        """
        if len(payload) > LARGEST_RECORD:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"a record has {len(payload)} bytes, expected at most {LARGEST_RECORD}"
            )
        data = HEADER.pack(MAGIC, kind, len(payload), _checksum(kind, payload)) + payload
        try:
            self._cut_torn_end()
            if self._size >= self._chunk_bytes:
                self._open(self._number + 1)
            self._torn = True
            self._write(data)
            self._torn = False
        except OSError as error:
            raise self._refusal(error) from error
        finally:
            self._try_to_cut()
        place = Place(self._number, self._size + HEADER.size, len(payload))
        self._size += len(data)
        return place

    def _cut_torn_end(self) -> None:
        """What follows is appended to whole records only. Raises OSError."""
        if self._torn:
            os.ftruncate(self._file, self._size)
            self._torn = False

    def _try_to_cut(self) -> None:
        try:
            self._cut_torn_end()
        except OSError as error:
            log.warning("replay %s: the torn end of a chunk could not be cut yet (%s)", self.folder, error)

    def _refusal(self, error: OSError) -> VitalError:
        code = ErrorCode.DISK_FULL if error.errno in FULL else ErrorCode.INTERNAL
        return VitalError(
            code, f"replay {self.folder} cannot be written ({error.strerror}): free some space; nothing is lost"
        )

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fdatasync(self._file)

    def read(self, place: Place) -> bytes:
        """A record's payload; shorter than it was where the file has been cut. Raises VitalError(BAD_RECORDING)."""
        try:
            if place.chunk not in self._readers:
                self._readers[place.chunk] = os.open(chunk_path(self.folder, place.chunk), os.O_RDONLY)
            return os.pread(self._readers[place.chunk], place.length, place.offset)
        except OSError as error:
            raise VitalError(
                ErrorCode.BAD_RECORDING,
                f"chunk {place.chunk} of replay {self.folder} cannot be read ({error}): restore it",
            ) from error

    def forget(self, chunk: int) -> None:
        """Delete a chunk; never the one that is written."""
        if chunk == self._number:
            return
        if chunk in self._readers:
            os.close(self._readers.pop(chunk))
        chunk_path(self.folder, chunk).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (*self._readers.values(), *([self._file] if self._file >= 0 else [])):
            os.close(descriptor)
        self._readers, self._file = {}, -1
