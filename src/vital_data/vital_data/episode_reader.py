"""Reads one recorded episode: its streams as arrays, by topic.

The file's own index says where the chunks are; their messages are cut out of the decompressed bytes and decoded a
topic at a time, without a Python object per field.
"""

import io
import json
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Chunk, Schema
from mcap.stream_reader import get_chunk_data_stream
from mcap.summary import Summary
from numpy.typing import NDArray
from zstandard import ZstdError

from vital_core.errors import ErrorCode, VitalError
from vital_data import layout
from vital_data.cdr_rows import read_rows
from vital_data.ros_schema import parse_definition
from vital_data.stream_values import stream_values

NS_PER_S = 1_000_000_000
# MCAP: every record is an opcode and a length; a message begins with channel, sequence, log and publish time.
RECORD = struct.Struct("<BQ")
MESSAGE = struct.Struct("<HIQQ")
# What the libraries raise for bytes that are no MCAP file; lz4 has no type of its own.
UNREADABLE = (McapError, ZstdError, OSError, ValueError, RuntimeError, OverflowError, MemoryError, struct.error)


@dataclass(frozen=True)
class Stream:
    """One topic of n messages.

    stamps_ns (n,): header stamps, ROS time, or the log time where a type has no header; log_ns (n,): when each was
    recorded; values: arrays of n rows by name, see `stream_values`; frame: the header's.
    """

    stamps_ns: NDArray[np.int64]
    log_ns: NDArray[np.int64]
    values: dict[str, NDArray]
    frame: str = ""


@dataclass(frozen=True)
class Episode:
    """One episode, its metadata and its streams by topic."""

    index: int
    path: Path
    task: str
    outcome: str
    faults: tuple[str, ...]
    metadata: dict[str, Any]
    streams: dict[str, Stream]


@dataclass
class _Messages:
    """What was found of one channel."""

    log_ns: list[int] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)


def _refuse(path: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_RECORDING, f"recording {path}: {what}")


def _summary(path: Path, file: IO[bytes]) -> Summary:
    summary = make_reader(file).get_summary()
    if summary is None or summary.statistics is None:
        raise _refuse(path, "was never finished: run `vital_data repair`")
    return summary


def message_count(path: Path, topic: str) -> int:
    """How many messages of a topic a finished episode holds. Raises VitalError(BAD_RECORDING)."""
    try:
        with open(path, "rb") as file:
            summary = _summary(path, file)
    except UNREADABLE as error:
        raise _refuse(path, f"cannot be read ({error!r}): run `vital_data repair`") from error
    assert summary.statistics is not None
    counts = summary.statistics.channel_message_counts
    return sum(counts.get(number, 0) for number, channel in summary.channels.items() if channel.topic == topic)


def _records(chunk: bytes) -> Iterator[tuple[int, int, int]]:
    """(opcode, start, end) of every record in a chunk."""
    at = 0
    while at < len(chunk):
        opcode, length = RECORD.unpack_from(chunk, at)
        yield opcode, at + RECORD.size, (at := at + RECORD.size + length)


def _chunk(file: IO[bytes], offset: int) -> bytes:
    """A chunk's records, decompressed, their checksum tested."""
    file.seek(offset)
    _, length = RECORD.unpack(file.read(RECORD.size))
    stream, size = get_chunk_data_stream(Chunk.read(ReadDataStream(io.BytesIO(file.read(length)))), validate_crc=True)
    return stream.read(size)


def _collect(file: IO[bytes], summary: Summary, wanted: Collection[int]) -> dict[int, _Messages]:
    """Messages of the wanted channels, in the order of the file."""
    found = {number: _Messages() for number in wanted}
    for index in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset):
        if index.message_index_offsets and not found.keys() & index.message_index_offsets.keys():
            continue
        chunk = _chunk(file, index.chunk_start_offset)
        for opcode, start, end in _records(chunk):
            if opcode != Opcode.MESSAGE:
                continue
            channel, _, log_ns, _ = MESSAGE.unpack_from(chunk, start)
            if (messages := found.get(channel)) is not None:
                messages.log_ns.append(log_ns)
                messages.data.append(chunk[start + MESSAGE.size : end])
    return found


def _stream(schema: Schema, messages: _Messages) -> Stream:
    groups = read_rows(schema.name, parse_definition(schema.name, schema.data.decode()), messages.data)
    log_ns = np.array(messages.log_ns, np.int64)
    stamps_ns, frame = log_ns.copy(), ""
    for group in groups:
        if "header.stamp.sec" in group.columns:
            seconds = np.asarray(group.columns["header.stamp.sec"], np.int64)
            stamps_ns[group.index] = seconds * NS_PER_S + group.columns["header.stamp.nanosec"]
            frame = str(group.columns["header.frame_id"])
    return Stream(stamps_ns, log_ns, stream_values(schema.name, groups, len(log_ns)), frame)


def _streams(path: Path, file: IO[bytes], summary: Summary, topics: Collection[str] | None) -> dict[str, Stream]:
    channels = {n: c for n, c in summary.channels.items() if topics is None or c.topic in topics}
    streams = {}
    for number, messages in _collect(file, summary, channels).items():
        channel = channels[number]
        if messages.data:
            try:
                streams[channel.topic] = _stream(summary.schemas[channel.schema_id], messages)
            except VitalError as error:
                raise _refuse(path, f"{channel.topic}: {error.message}") from error
    return streams


def read_episode(path: Path, topics: Collection[str] | None = None) -> Episode:
    """Read an episode's streams, of all topics or of those named.

    Raises VitalError(BAD_RECORDING) when the file is broken or was never finished.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            summary = _summary(path, file)
            records = {record.name: record.metadata for record in make_reader(file).iter_metadata()}
            metadata: dict[str, Any] = dict(records.get(layout.EPISODE_METADATA, {}))
            streams = _streams(path, file, summary, topics)
        faults = tuple(json.loads(metadata.get("faults", "[]")))
        index, task = int(metadata["episode"]), metadata["task"]
    except KeyError as error:
        raise _refuse(path, f"does not say its {error}, expected an episode of a session") from error
    except UNREADABLE as error:
        raise _refuse(path, f"cannot be read ({error!r}): run `vital_data repair`") from error
    return Episode(index, path, task, metadata.get("outcome", ""), faults, metadata, streams)
