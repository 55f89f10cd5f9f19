"""Writes one episode while it happens: an MCAP file in a thread of its own, so that whoever records never waits.

The file grows under another name in chunks of a third of a second, each handed to the system when it is whole.
`finish` writes MCAP's own index, syncs, renames and syncs the folder; until then nobody takes the file for an episode,
and a lock on it, which ends with the process, keeps `repair` away. Whatever ends the process before that leaves whole
chunks behind, from which `repair` makes an episode that is marked as aborted.
"""

import errno
import json
import os
import queue
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mcap.writer import CompressionType, Writer

from vital_core.errors import ErrorCode, VitalError
from vital_data.files import layout
from vital_data.files.disk import as_refusal, lock_while_open, sync_folder
from vital_data.files.ros_messages import installed_definition

CHUNK_BYTES = 512 * 1024
# More than this waiting to be written, and messages are dropped, counted: some 40 s of everything.
MOST_WAITING_BYTES = 128 * 1024 * 1024
FINISH_S = 30.0


@dataclass(frozen=True)
class Message:
    """One message as it came: CDR bytes of a type (package/msg/Type), receive time and header stamp, ns."""

    topic: str
    kind: str
    data: bytes
    log_ns: int
    stamp_ns: int


def metadata_text(values: Mapping[str, Any]) -> dict[str, str]:
    """MCAP metadata of plain values: text as it is, everything else as JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


class McapFile:
    """An MCAP file being written: schemas and channels are made as they are met."""

    def __init__(self, file: BinaryIO, library: str = "vital_data recorder") -> None:
        self._writer = Writer(file, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._writer.start(profile="ros2", library=library)
        self._channels: dict[str, int] = {}

    def add(self, message: Message) -> None:
        """Append a message."""
        channel = self._channels.get(message.topic)
        if channel is None:
            text = installed_definition(message.kind).encode()
            schema = self._writer.register_schema(message.kind, "ros2msg", text)
            channel = self._channels[message.topic] = self._writer.register_channel(message.topic, "cdr", schema)
        self._writer.add_message(channel, message.log_ns, message.data, message.stamp_ns)

    def finish(self, metadata: Mapping[str, Any]) -> None:
        """Write the metadata and the index; the file is whole then."""
        self._writer.add_metadata(layout.EPISODE_METADATA, metadata_text(metadata))
        self._writer.finish()


class EpisodeWriter:
    """One episode's file and its thread. `put` never blocks; `finish` waits until all is on disk."""

    def __init__(self, path: Path, *, open_file: Any = open) -> None:
        self.path, self.part = path, layout.part_path(path)
        self.dropped = 0
        self.bytes = 0
        self.longest_wait_s = 0.0
        self.failure: Exception | None = None
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Message, float] | None] = queue.SimpleQueue()
        self._metadata: dict[str, Any] = {}
        self._file = open_file(self.part, "xb")
        lock_while_open(self._file)
        self._thread = threading.Thread(target=self._run, name="episode writer", daemon=True)
        self._thread.start()

    def put(self, message: Message) -> bool:
        """Hand over a message; False when too much is waiting already, and it was dropped."""
        with self._lock:
            if self.failure is not None or self._waiting_bytes > MOST_WAITING_BYTES:
                self.dropped += 1
                return False
            self._waiting_bytes += len(message.data)
        self._queue.put((message, time.monotonic()))
        return True

    def finish(self, metadata: Mapping[str, Any]) -> Path:
        """Close the file under its own name. Raises VitalError(DISK_FULL or BAD_RECORDING); what was written stays."""
        self._metadata = dict(metadata)
        self._queue.put(None)
        self._thread.join(FINISH_S)
        if self._thread.is_alive():
            raise VitalError(ErrorCode.TIMEOUT, f"{self.part} could not be written within {FINISH_S:.0f} s")
        if self.failure is not None:
            raise as_refusal(self.part, self.failure)
        return self.path

    def abandon(self) -> None:
        """Stop writing and leave what is there for `repair`."""
        with self._lock:
            self.failure = self.failure or OSError(errno.EINTR, "abandoned")
        self._queue.put(None)
        self._thread.join(FINISH_S)

    def _run(self) -> None:
        try:
            self._write_all()
        except Exception as error:
            with self._lock:
                self.failure = error
            # Nothing further can be written: closing may fail for the same reason.
            with suppress(OSError):
                self._file.close()

    def _write_all(self) -> None:
        mcap = McapFile(self._file)
        while (item := self._queue.get()) is not None:
            message, since_s = item
            mcap.add(message)
            with self._lock:
                self._waiting_bytes -= len(message.data)
            if (size := self._file.tell()) > self.bytes:
                self._file.flush()
                self.bytes = size
            self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - since_s)
        if self.failure is not None:
            self._file.close()
            return
        mcap.finish(self._metadata)
        self.bytes = self._file.tell()
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self.part, self.path)
        sync_folder(self.path.parent)
        self._file.close()
