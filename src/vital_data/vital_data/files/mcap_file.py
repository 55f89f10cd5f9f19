"""MCAP files within bounds: what a record says of its length, and a chunk of its size, is checked before it is used."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Chunk, McapRecord
from mcap.stream_reader import StreamReader
from mcap.summary import Summary

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file

# A chunk of ours has half a megabyte, other programs' have some; a dark, still camera packs to a two hundredth.
MOST_CHUNK_BYTES = 64_000_000
MOST_WINDOW_BYTES = 2**26
MOST_EXPANSION = 500
SMALL_BYTES = 64_000_000
MOST_BYTES = 8_000_000_000
MOST_MESSAGES = 5_000_000
MOST_METADATA = 100
# MCAP: every record is an opcode and a length.
RECORD = struct.Struct("<BQ")
# What the libraries raise for bytes that are no MCAP file; lz4 has no type of its own.
UNREADABLE = (
    McapError, zstandard.ZstdError, OSError, ValueError, RuntimeError, OverflowError, MemoryError, struct.error,
    LookupError, TypeError, AttributeError, AssertionError, EOFError,
)  # fmt: skip


def refuse(path: Path, what: str) -> VitalError:
    """A refusal of a recording."""
    return VitalError(ErrorCode.BAD_RECORDING, f"recording {path}: {what}")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What the libraries raise within is a refusal of the file."""
    try:
        yield
    except UNREADABLE as error:
        raise refuse(path, f"cannot be read ({error!r}): run `vital_data repair`") from error


class _Clipped:
    """A file that never sets memory aside for more than it has."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def seekable(self) -> bool:
        """As of every file."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The byte that is read next."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes of what is left."""
        left = max(0, self.size - self.tell())
        return self._file.read(left if size < 0 else min(size, left))


@dataclass
class Budget:
    """What may still be unpacked of a file: bytes and messages."""

    path: Path
    bytes: int
    messages: int = MOST_MESSAGES

    def take(self, size: int) -> None:
        """Take bytes. Raises VitalError(BAD_RECORDING)."""
        if size > min(self.bytes, MOST_CHUNK_BYTES):
            raise refuse(
                self.path,
                f"a chunk of it has {size} bytes unpacked, expected at most {min(self.bytes, MOST_CHUNK_BYTES)}",
            )
        self.bytes -= size

    def count_message(self) -> None:
        """Take a message. Raises VitalError(BAD_RECORDING)."""
        self.messages -= 1
        if self.messages < 0:
            raise refuse(self.path, f"has more than {MOST_MESSAGES} messages")


@dataclass(frozen=True)
class OpenRecording:
    """A recording that is open to be read."""

    path: Path
    file: IO[bytes]
    budget: Budget

    def summary(self) -> Summary:
        """Its index. Raises VitalError(BAD_RECORDING) where it was never finished or would not fit into memory."""
        with reading(self.path):
            summary = make_reader(self.file).get_summary()
        if summary is None or summary.statistics is None:
            raise refuse(self.path, "was never finished: run `vital_data repair`")
        if len(summary.metadata_indexes) > MOST_METADATA:
            raise refuse(self.path, f"has {len(summary.metadata_indexes)} metadata, expected at most {MOST_METADATA}")
        if (size := sum(index.uncompressed_size for index in summary.chunk_indexes)) > self.budget.bytes:
            raise refuse(self.path, f"has {size} bytes unpacked, expected at most {self.budget.bytes}")
        return summary

    def metadata(self) -> dict[str, dict[str, str]]:
        """Its metadata records by name."""
        with reading(self.path):
            return {record.name: record.metadata for record in make_reader(self.file).iter_metadata()}

    def chunk_at(self, offset: int) -> bytes:
        """The records of a chunk, unpacked, their checksum tested."""
        with reading(self.path):
            self.file.seek(offset)
            opcode, length = RECORD.unpack(self.file.read(RECORD.size))
            if opcode != Opcode.CHUNK:
                raise refuse(self.path, f"has no chunk at byte {offset}, where its index says that there is one")
            chunk = Chunk.read(ReadDataStream(io.BytesIO(self.file.read(length))))
        return self.unpack(chunk)

    def unpack(self, chunk: Chunk) -> bytes:
        """The records of a chunk. Raises VitalError(BAD_RECORDING) where it is larger than it says or than there is
        room for."""
        self.budget.take(chunk.uncompressed_size)
        with reading(self.path):
            data = _unpacked(chunk)
        if len(data) != chunk.uncompressed_size:
            raise refuse(self.path, f"a chunk of it is not of the {chunk.uncompressed_size} bytes that it says")
        if chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc:
            raise refuse(self.path, "the checksum of a chunk does not match")
        return data

    def records(self) -> Iterator[McapRecord]:
        """All records one after the other, those of the chunks among them; for a file without an index."""
        self.file.seek(0)
        with reading(self.path):
            for record in StreamReader(self.file, emit_chunks=True, record_size_limit=MOST_CHUNK_BYTES).records:
                if isinstance(record, Chunk):
                    yield from StreamReader(io.BytesIO(_ended(self.unpack(record))), skip_magic=True).records
                else:
                    yield record


def _unpacked(chunk: Chunk) -> bytes:
    """At most one byte more than the chunk says that it has."""
    most = chunk.uncompressed_size + 1
    if chunk.compression == "zstd":
        with zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW_BYTES).stream_reader(chunk.data) as reader:
            return cast(bytes, reader.read(most))
    if chunk.compression == "lz4":
        unpacker: Any = lz4.frame.LZ4FrameDecompressor()
        return cast(bytes, unpacker.decompress(chunk.data, max_length=most))
    if chunk.compression:
        raise ValueError(f"unknown compression {chunk.compression!r}")
    return chunk.data


def _ended(records: bytes) -> bytes:
    """Records with the footer that lets a reader know their end."""
    footer = struct.pack("<QQI", 0, 0, 0)
    return records + RECORD.pack(Opcode.FOOTER, len(footer)) + footer + b"\x89MCAP0\r\n"


@contextmanager
def open_recording(path: Path) -> Iterator[OpenRecording]:
    """Open a regular file to read. Raises VitalError(BAD_RECORDING)."""
    try:
        file = safe_file.open_regular(path)
    except OSError as error:
        raise refuse(path, f"cannot be read ({error})") from error
    with file:
        clipped = _Clipped(file)
        most = min(MOST_BYTES, max(SMALL_BYTES, MOST_EXPANSION * clipped.size))
        yield OpenRecording(path, cast(IO[bytes], clipped), Budget(path, most))
