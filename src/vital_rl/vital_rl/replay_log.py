"""An append-only log in chunks: what `append` has returned for is on disk, and a torn tail costs only itself.

A record is a header (magic, kind, length, CRC-32 of kind and payload) and its payload. Recovery reads each chunk up to
its last good record; the last chunk is cut there, so that what follows is appended to whole records.
"""

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError

HEADER = struct.Struct("<2sBII")  # magic, kind, length, checksum
MAGIC = b"VR"
CHUNK_BYTES = 16_000_000
LARGEST_RECORD = 4_000_000
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
        self.folder.mkdir(parents=True, exist_ok=True)
        self._number, self._file, self._size = 0, -1, 0
        self._readers: dict[int, int] = {}

    @property
    def chunks(self) -> list[int]:
        """Numbers of the chunks that there are."""
        return sorted(int(path.stem.removeprefix("chunk_")) for path in self.folder.glob("chunk_*.log"))

    @property
    def size_bytes(self) -> int:
        """On disk."""
        return sum(chunk_path(self.folder, number).stat().st_size for number in self.chunks)

    def recover(self) -> Iterator[Record]:
        """Every good record from the oldest on; call once, before the first append."""
        chunks = self.chunks
        for number in chunks:
            path = chunk_path(self.folder, number)
            data, good = path.read_bytes(), 0
            for record in records_of(data, number):
                good = record.place.offset + record.place.length
                yield record
            self.lost_bytes += len(data) - good
            if number == chunks[-1] and good < len(data):
                os.truncate(path, good)
        self._open(chunks[-1] if chunks else 0)

    def _open(self, number: int) -> None:
        if self._file >= 0:
            os.close(self._file)
        path = chunk_path(self.folder, number)
        self._number = number
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = os.fstat(self._file).st_size
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def append(self, kind: int, payload: bytes) -> Place:
        """Write a record; on disk when this returns.

        Raises VitalError: DISK_FULL, the log is then as it was; BAD_PARAMETER for a record that is too large.
        """
        if len(payload) > LARGEST_RECORD:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"a record has {len(payload)} bytes, expected at most {LARGEST_RECORD}"
            )
        if self._size >= self._chunk_bytes:
            self._open(self._number + 1)
        data = HEADER.pack(MAGIC, kind, len(payload), _checksum(kind, payload)) + payload
        try:
            self._write(data)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            code = ErrorCode.DISK_FULL if error.errno in FULL else ErrorCode.INTERNAL
            raise VitalError(
                code, f"replay {self.folder} cannot be written ({error.strerror}): free some space; nothing is lost"
            ) from error
        place = Place(self._number, self._size + HEADER.size, len(payload))
        self._size += len(data)
        return place

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fdatasync(self._file)

    def read(self, place: Place) -> bytes:
        """A record's payload."""
        if place.chunk not in self._readers:
            self._readers[place.chunk] = os.open(chunk_path(self.folder, place.chunk), os.O_RDONLY)
        return os.pread(self._readers[place.chunk], place.length, place.offset)

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
