"""The recorder without ROS: a session, one episode at a time, checked before it is acknowledged."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vital_core.errors import ErrorCode, VitalError
from vital_data.files import layout
from vital_data.files.disk import as_refusal
from vital_data.files.episode_reader import read_episode
from vital_data.files.episode_writer import EpisodeWriter, Message
from vital_data.files.session import Session
from vital_data.files.streams import IMAGE_TOPIC, JOINT_TOPIC, TACTILE_TOPIC
from vital_data.recording.quality import StreamReport, faults_of, stream_reports
from vital_data.recording.repair import Repaired, repair_session

OUTCOMES = ("success", "failure", "redo")
# Without these nothing is recorded.
REQUIRED = (IMAGE_TOPIC, TACTILE_TOPIC, JOINT_TOPIC)
FRESH_S = 0.5


@dataclass(frozen=True)
class Finished:
    """A saved episode."""

    index: int
    frames: int
    duration_s: float
    faults: tuple[str, ...]


class Recorder:
    """Messages go in at any time; those between `start` and `finish` are an episode.

    ``now_s`` is a steady clock. An existing session is gone on with; what an interrupted run left is repaired first.
    """

    def __init__(
        self,
        folder: Path,
        task: str,
        description: Mapping[str, Any],
        *,
        min_free_bytes: int = 200_000_000,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task, self._min_free_bytes, self._now_s = task, min_free_bytes, now_s
        self.session = Session.create_or_resume(folder, task, description)
        self.repaired: list[Repaired] = repair_session(self.session.folder)
        self.episode = self.session.next_index() - 1
        self.saved = sum(entry.usable for entry in self.session.episodes())
        self.faults: tuple[str, ...] = ()
        self._longest_wait_s = 0.0
        self._writer: EpisodeWriter | None = None
        self._metadata: dict[str, Any] = {}
        self._started_s = 0.0
        self._last_s: dict[str, float] = {}
        self._stamps: dict[str, list[int]] = {}

    @property
    def folder(self) -> Path:
        """The session's."""
        return self.session.folder

    @property
    def recording(self) -> bool:
        """Whether an episode is open."""
        return self._writer is not None

    @property
    def failure(self) -> Exception | None:
        """Why the open episode cannot be written any further."""
        return None if self._writer is None else self._writer.failure

    @property
    def duration_s(self) -> float:
        """Of the open episode."""
        return self._now_s() - self._started_s if self.recording else 0.0

    @property
    def bytes(self) -> int:
        """Of the open episode, on its way to the disk."""
        return 0 if self._writer is None else self._writer.bytes

    @property
    def dropped(self) -> int:
        """Messages of the open episode that found no room to wait in."""
        return 0 if self._writer is None else self._writer.dropped

    @property
    def longest_wait_s(self) -> float:
        """The longest that a message has waited to be written, in this session."""
        return max(self._longest_wait_s, 0.0 if self._writer is None else self._writer.longest_wait_s)

    def put(self, message: Message) -> None:
        """A message that has just come; never waits."""
        self._last_s[message.topic] = self._now_s()
        if self._writer is not None and self._writer.put(message):
            self._stamps.setdefault(message.topic, []).append(message.stamp_ns)

    def streams(self) -> list[StreamReport]:
        """How the topics of the open episode come."""
        return stream_reports({name: np.array(stamps, np.int64) for name, stamps in self._stamps.items()})

    def start(self, metadata: Mapping[str, Any]) -> int:
        """Open the next episode; its index. Raises VitalError: BUSY, SENSOR_FAULT, DISK_FULL, BAD_RECORDING."""
        if self.recording:
            raise VitalError(ErrorCode.BUSY, f"episode {self.episode} is open: finish it first")
        now_s = self._now_s()
        silent = [name for name in REQUIRED if now_s - self._last_s.get(name, -np.inf) > FRESH_S]
        if silent:
            raise VitalError(ErrorCode.SENSOR_FAULT, f"nothing comes on {', '.join(silent)}: is the sensor running?")
        try:
            return self._open(metadata, now_s)
        except OSError as error:
            raise as_refusal(self.folder, error) from error

    def _open(self, metadata: Mapping[str, Any], now_s: float) -> int:
        free = shutil.disk_usage(self.folder).free
        if free < self._min_free_bytes:
            raise VitalError(
                ErrorCode.DISK_FULL,
                f"{free / 1e6:.0f} MB are free at {self.folder}, expected {self._min_free_bytes / 1e6:.0f}: make room",
            )
        number = self.session.next_index()
        self._stamps = {}
        self._writer = EpisodeWriter(layout.episode_path(self.folder, number))
        self.episode, self._started_s = number, now_s
        self._metadata = {**metadata, "episode": number, "task": self.task}
        return number

    def finish(self, outcome: str, note: str = "") -> Finished:
        """Close the open episode, check it, and give it its line in the index; on disk when this returns.

        With none open, `redo` marks the last one. Raises VitalError: NOT_RECORDING, DISK_FULL, BAD_RECORDING.
        """
        if outcome not in OUTCOMES:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"outcome is '{outcome}', expected one of {', '.join(OUTCOMES)}")
        writer, self._writer = self._writer, None
        if writer is None:
            return self._mark_last(outcome, note)
        duration_s = self._now_s() - self._started_s
        # Faults are found in what is on disk, so they are in the index and not in the file.
        metadata = {**self._metadata, "outcome": outcome, "note": note, "streams": [asdict(r) for r in self.streams()]}
        try:
            path = writer.finish({**metadata, "dropped": writer.dropped, "duration_s": duration_s})
        finally:
            self._longest_wait_s = max(self._longest_wait_s, writer.longest_wait_s)
        return self._check_in(path, outcome, note, duration_s, writer.dropped)

    def _check_in(self, path: Path, outcome: str, note: str, duration_s: float, dropped: int) -> Finished:
        episode = read_episode(path)
        faults = faults_of(episode.streams, dropped)
        frames = len(episode.streams[IMAGE_TOPIC].stamps_ns) if IMAGE_TOPIC in episode.streams else 0
        entry = {"episode": self.episode, "file": path.name, "outcome": outcome, "faults": faults, "note": note}
        entry |= {"redo": outcome == "redo", "frames": frames, "duration_s": round(duration_s, 3)}
        self.session.append(entry)
        self.faults = tuple(faults)
        self.saved += outcome == "success" and not faults
        return Finished(self.episode, frames, duration_s, self.faults)

    def _mark_last(self, outcome: str, note: str) -> Finished:
        entries = self.session.episodes()
        if outcome != "redo" or not entries:
            raise VitalError(ErrorCode.NOT_RECORDING, "no episode is open: start one first")
        last = entries[-1]
        self.session.append({"episode": last.index, "redo": True, "note": note})
        self.saved -= last.usable
        return Finished(last.index, last.frames, last.duration_s, last.faults)

    def close(self) -> None:
        """End without finishing: the open episode stays as it is, for `repair`."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
