"""Reads one recorded episode: its streams as arrays, by topic.

The file's own index says where the chunks are; their messages are cut out of the decompressed bytes and decoded a
topic at a time, without a Python object per field.
"""

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from mcap.opcode import Opcode
from mcap.records import Schema
from mcap.summary import Summary
from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_core.files import schema
from vital_core.files.schema import Name, Source
from vital_data.files import layout
from vital_data.files.mcap_file import RECORD, Budget, OpenRecording, open_recording, reading, refuse
from vital_data.files.ros_messages import parse_definition, read_rows
from vital_data.files.stream_values import stream_values
from vital_data.files.streams import NS_PER_S, TYPES, Stream

# A message begins with channel, sequence, log and publish time.
MESSAGE = struct.Struct("<HIQQ")
# What numpy raises where a message's fields are not those that its type has here.
UNFITTING = (LookupError, TypeError, AttributeError, ValueError, OverflowError)


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


@dataclass(frozen=True)
class EpisodeMetadata:
    """What every episode says of itself; other metadata stand beside it."""

    episode: Annotated[int, Meta(ge=0, le=10_000_000)]
    task: Name
    outcome: Annotated[str, Meta(max_length=200)] = ""
    faults: Annotated[tuple[Annotated[str, Meta(max_length=2000)], ...], Meta(max_length=1000)] = ()


def message_count(path: Path, topic: str) -> int:
    """How many messages of a topic a finished episode holds. Raises VitalError(BAD_RECORDING)."""
    with open_recording(path) as recording:
        summary = recording.summary()
    assert summary.statistics is not None
    counts = summary.statistics.channel_message_counts
    return sum(counts.get(number, 0) for number, channel in summary.channels.items() if channel.topic == topic)


def _records(chunk: bytes) -> Iterator[tuple[int, int, int]]:
    """(opcode, start, end) of every record in a chunk."""
    at = 0
    while at < len(chunk):
        opcode, length = RECORD.unpack_from(chunk, at)
        yield opcode, at + RECORD.size, (at := at + RECORD.size + length)


def _collect(recording: OpenRecording, summary: Summary, wanted: Collection[int]) -> dict[int, _Messages]:
    """Messages of the wanted channels, in the order of the file."""
    found = {number: _Messages() for number in wanted}
    for index in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset):
        if index.message_index_offsets and not found.keys() & index.message_index_offsets.keys():
            continue
        with reading(recording.path):
            _take_messages(recording.chunk_at(index.chunk_start_offset), found, recording.budget)
    return found


def _take_messages(chunk: bytes, found: dict[int, _Messages], budget: Budget) -> None:
    for opcode, start, end in _records(chunk):
        if opcode != Opcode.MESSAGE:
            continue
        channel, _, log_ns, _ = MESSAGE.unpack_from(chunk, start)
        budget.count_message()
        if (messages := found.get(channel)) is not None:
            messages.log_ns.append(log_ns)
            messages.data.append(chunk[start + MESSAGE.size : end])


def _stream(kind: Schema, messages: _Messages) -> Stream:
    groups = read_rows(kind.name, parse_definition(kind.name, kind.data.decode()), messages.data)
    log_ns = np.array(messages.log_ns, np.int64)
    stamps_ns, frame = log_ns.copy(), ""
    for group in groups:
        if "header.stamp.sec" in group.columns:
            seconds = np.asarray(group.columns["header.stamp.sec"], np.int64)
            stamps_ns[group.places] = seconds * NS_PER_S + group.columns["header.stamp.nanosec"]
            frame = str(group.columns["header.frame_id"])
    return Stream(stamps_ns, stream_values(kind.name, groups, len(log_ns)), frame, log_ns)


def _streams(recording: OpenRecording, summary: Summary, topics: Collection[str] | None) -> dict[str, Stream]:
    channels = {n: c for n, c in summary.channels.items() if topics is None or c.topic in topics}
    streams = {}
    for number, messages in _collect(recording, summary, channels).items():
        channel = channels[number]
        if messages.data:
            kind = summary.schemas.get(channel.schema_id)
            if kind is None:
                raise refuse(recording.path, f"{channel.topic} is of a type that the file does not describe")
            if kind.name != (expected := TYPES.get(channel.topic, kind.name)):
                raise refuse(recording.path, f"{channel.topic} holds {shortened(kind.name, 80)}, expected {expected}")
            try:
                streams[channel.topic] = _stream(kind, messages)
            except VitalError as error:
                raise refuse(recording.path, f"{channel.topic}: {error.message}") from error
            except UNFITTING as error:
                raise refuse(
                    recording.path, f"{channel.topic}: its messages are not of its type ({error!r})"
                ) from error
    return streams


def read_metadata(path: Path, told: dict[str, str]) -> EpisodeMetadata:
    """What an episode says of itself, from MCAP metadata, where all but text is JSON. Raises VitalError."""
    source = Source(f"recording {path}", ErrorCode.BAD_RECORDING, "expected an episode of a session")
    known: dict[str, Any] = {name: told[name] for name in ("task", "outcome") if name in told}
    known |= {name: schema.plain_json(told[name], source) for name in ("episode", "faults") if name in told}
    return schema.checked(known, EpisodeMetadata, source)


def read_episode(path: Path, topics: Collection[str] | None = None) -> Episode:
    """Read an episode's streams, of all topics or of those named.

    Raises VitalError(BAD_RECORDING) when the file is broken or was never finished.
    """
    path = Path(path)
    with open_recording(path) as recording:
        summary = recording.summary()
        metadata: dict[str, Any] = dict(recording.metadata().get(layout.EPISODE_METADATA, {}))
        streams = _streams(recording, summary, topics)
    about = read_metadata(path, metadata)
    return Episode(about.episode, path, about.task, about.outcome, about.faults, metadata, streams)
