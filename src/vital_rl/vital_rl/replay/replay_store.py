"""Episodes of interaction on disk: appended a step at a time, closed, labelled, and read since a cursor.

Acknowledged means durable. An episode stays unseen by whoever learns until it is closed and labelled; what an
interruption left open is closed as interrupted, and can still be labelled.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import schema
from vital_core.files.schema import Count, Name, Source, Text
from vital_rl.replay.replay_log import Place, Record, ReplayLog
from vital_rl.replay.step import ReplayStep, from_record, place_of, to_record

OPEN, STEP, CLOSE, LABEL, EVICT = 1, 2, 3, 4, 5
INTERRUPTED = "interrupted"
DEFAULT_CAPACITY = 20_000
EpisodeNumber = Annotated[int, Meta(ge=0, le=2**31 - 1)]
log = logging.getLogger(__name__)


class LabelVerdict(Enum):
    """What became of a label."""

    TAKEN = "taken"
    SAME = "same as before"
    REPLACED = "replaced"
    UNKNOWN_EPISODE = "unknown episode"
    STILL_OPEN = "the episode is still open"
    DISAGREES = "another label was given before"


@dataclass
class StoredEpisode:
    """One episode: where its steps are, how it ended, and what it was labelled."""

    number: int
    about: Mapping[str, Any]
    chunk: int
    steps: list[Place] = field(default_factory=list)
    reason: str = ""
    terminated: bool = False
    success: bool | None = None
    disputed: bool = False
    incomplete: bool = False
    """Whether the disk has lost something of it: what stands in its place is not what was done."""

    @property
    def closed(self) -> bool:
        """Whether nothing is added any more."""
        return bool(self.reason)

    @property
    def readable(self) -> bool:
        """Whether a learner may see it: closed, labelled by nobody else otherwise, whole and at least one step long."""
        return self.closed and self.success is not None and self.worth_a_label and not self.disputed

    @property
    def worth_a_label(self) -> bool:
        """Whether a label would let a learner see it once it is closed."""
        return not self.incomplete and len(self.steps) > 1


@dataclass(frozen=True)
class Opened:
    """Record of an episode's begin."""

    episode: EpisodeNumber
    about: dict[str, Any]


@dataclass(frozen=True)
class Closed:
    """Record of an episode's end."""

    episode: EpisodeNumber
    reason: Name
    terminated: bool

    def apply(self, episode: StoredEpisode) -> None:
        """Note it."""
        episode.reason, episode.terminated = self.reason, self.terminated


@dataclass(frozen=True)
class Labelled:
    """Record of a label; source: who gave it."""

    episode: EpisodeNumber
    success: bool
    disputed: bool
    source: Text

    def apply(self, episode: StoredEpisode) -> None:
        """Note it."""
        episode.success, episode.disputed = self.success, self.disputed


@dataclass(frozen=True)
class Evicted:
    """Record of an episode that went to make room: places before the cursor that have gone, and transitions."""

    episode: EpisodeNumber
    evicted: Count
    transitions: Count


RECORDS: dict[int, type[Opened | Closed | Labelled | Evicted]] = {
    OPEN: Opened, CLOSE: Closed, LABEL: Labelled, EVICT: Evicted,
}  # fmt: skip
RECORD_SOURCE = Source(
    "a record of the replay", ErrorCode.BAD_RECORDING, "its checksum is right, so another program wrote it: restore it"
)


@dataclass(frozen=True)
class Released:
    """What is read: episodes in the order in which they became readable, and the cursor to go on from."""

    episodes: tuple[StoredEpisode, ...]
    cursor: int


class ReplayStore:
    """The store of one folder; one process writes it. capacity: steps, beyond which the oldest episodes go."""

    def __init__(self, folder: Path, capacity: int = DEFAULT_CAPACITY, **log_options: Any) -> None:
        self._log, self._capacity = ReplayLog(folder, **log_options), capacity
        self._episodes: dict[int, StoredEpisode] = {}
        # Numbers in the order in which they became readable, and the complement of one that a dispute has taken back.
        self._released: list[int] = []
        self._evicted = self._evicted_transitions = 0
        self._next = 0
        lost_bytes = 0
        for record in self._log.recover():
            if self._log.lost_bytes > lost_bytes:
                lost_bytes = self._log.lost_bytes
                self._give_up_open_episodes()
            self._replay(record)
        for episode in [e for e in self._episodes.values() if not e.closed]:
            self._interrupt(episode.number)

    def _interrupt(self, number: int) -> None:
        """Close what nobody goes on with. Where that cannot be written it holds as long as this store, and again."""
        try:
            self.close_episode(number, INTERRUPTED)
        except VitalError as error:
            log.warning("episode %d: its end is not on disk yet (%s)", number, error)
            episode = self._episodes[number]
            episode.reason = INTERRUPTED
            self._release(episode)

    def _give_up_open_episodes(self) -> None:
        """A chunk has lost its rest: nobody knows which steps of an episode that goes on behind it are missing."""
        for episode in self._episodes.values():
            if not episode.closed and not episode.incomplete:
                episode.incomplete = True
                log.warning("episode %d has lost what a damaged chunk held: it is not learned from", episode.number)

    def _replay(self, record: Record) -> None:
        if record.kind == STEP:
            number, _ = place_of(record.payload)
            if (episode := self._episodes.get(number)) is not None and not episode.incomplete:
                episode.steps.append(record.place)
            return
        if (kind := RECORDS.get(record.kind)) is None:
            return
        values = schema.from_json(record.payload, kind, RECORD_SOURCE)
        match values:
            case Opened():
                self._begin(values.episode, values.about, record.place)
            case Evicted():
                self._drop(values.episode)
                self._evicted, self._evicted_transitions = values.evicted, values.transitions
            case Closed() | Labelled() if (episode := self._episodes.get(values.episode)) is not None:
                values.apply(episode)
                self._release(episode)

    def _begin(self, number: int, about: Mapping[str, Any], place: Place) -> None:
        self._episodes[number] = StoredEpisode(number, about, place.chunk)
        self._next = max(self._next, number + 1)

    def _release(self, episode: StoredEpisode) -> None:
        if episode.readable and episode.number not in self._released:
            self._released.append(episode.number)
        elif not episode.readable and episode.number in self._released:
            # A dispute takes it back; who has read it already is told by its absence from later reads.
            self._released[self._released.index(episode.number)] = ~episode.number

    def _write(self, kind: int, values: Mapping[str, Any]) -> Place:
        return self._log.append(kind, json.dumps(values).encode())

    @property
    def steps(self) -> int:
        """Of all episodes that are kept."""
        return sum(len(e.steps) for e in self._episodes.values())

    @property
    def transitions(self) -> int:
        """Steps from one observation to the next in all episodes that a learner may have seen, evicted ones too."""
        return self._evicted_transitions + sum(len(e.steps) - 1 for e in self._episodes.values() if e.readable)

    @property
    def episodes(self) -> tuple[StoredEpisode, ...]:
        """All that are kept, oldest first."""
        return tuple(self._episodes.values())

    @property
    def cursor(self) -> int:
        """Where a reader stands who has read everything."""
        return self._evicted + len(self._released)

    @property
    def capacity(self) -> int:
        """Steps, beyond which the oldest episodes go."""
        return self._capacity

    @property
    def size_bytes(self) -> int:
        """On disk."""
        return self._log.size_bytes

    @property
    def lost_bytes(self) -> int:
        """Of damaged records that recovery left out."""
        return self._log.lost_bytes

    def episode(self, number: int) -> StoredEpisode | None:
        """An episode by its number."""
        return self._episodes.get(number)

    def open_episode(self, about: Mapping[str, Any]) -> int:
        """Begin an episode; returns its number."""
        number = self._next
        self._begin(number, about, self._write(OPEN, {"episode": number, "about": dict(about)}))
        return number

    def append(self, number: int, step: ReplayStep) -> int:
        """Add a step to an open episode; returns its index, on disk by then. Raises VitalError."""
        index = len(self._open(number).steps)
        self.append_record(to_record(number, index, step))
        return index

    def append_record(self, record: bytes) -> bool:
        """Add a step that brings its place; False where it is there already. On disk by then. Raises VitalError."""
        number, index = place_of(record)
        episode = self._open(number)
        if index > len(episode.steps):
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"step {index} of episode {number} came, expected {len(episode.steps)}"
            )
        if index < len(episode.steps):
            return False
        episode.steps.append(self._log.append(STEP, record))
        return True

    def _open(self, number: int) -> StoredEpisode:
        episode = self._episodes.get(number)
        if episode is None or episode.closed:
            state = "is unknown" if episode is None else f"was closed ({episode.reason})"
            raise VitalError(ErrorCode.BAD_PARAMETER, f"episode {number} {state}, expected an open one: open another")
        return episode

    def close_episode(self, number: int, reason: str, *, terminated: bool = False) -> None:
        """End an episode; its last step is what was seen after the last action. terminated: it ended by itself."""
        episode = self._open(number)
        self._write(CLOSE, {"episode": number, "reason": reason, "terminated": terminated})
        episode.reason, episode.terminated = reason, terminated
        self._release(episode)
        try:
            self._make_room()
        except VitalError as error:
            log.warning("the oldest episodes stay until the next one is closed: %s", error)

    def label(self, number: int, success: bool, source: str, *, relabel: bool = False) -> LabelVerdict:
        """Say how an episode went. Two labels that disagree leave it unread until one is given with ``relabel``."""
        episode = self._episodes.get(number)
        if episode is None:
            return LabelVerdict.UNKNOWN_EPISODE
        if not episode.closed:
            return LabelVerdict.STILL_OPEN
        if episode.success == success and not episode.disputed:
            return LabelVerdict.SAME
        verdict = LabelVerdict.TAKEN if episode.success is None else LabelVerdict.REPLACED
        disputed = episode.success is not None and not relabel
        kept = episode.success if disputed else success
        self._write(LABEL, {"episode": number, "success": kept, "disputed": disputed, "source": source})
        episode.success, episode.disputed = kept, disputed
        self._release(episode)
        return LabelVerdict.DISAGREES if disputed else verdict

    def read_since(self, cursor: int, limit: int = 100) -> Released:
        """At most ``limit`` episodes that became readable after ``cursor`` (0: from the oldest that is kept)."""
        first = max(0, cursor - self._evicted)
        numbers = self._released[first : first + limit]
        found = tuple(self._episodes[n] for n in numbers if n in self._episodes)
        return Released(found, self._evicted + first + len(numbers))

    def read_records(self, number: int) -> list[bytes]:
        """All steps of an episode as they lie on disk, what was seen after the last action included."""
        return [self._log.read(place) for place in self._episodes[number].steps]

    def read_steps(self, number: int) -> list[ReplayStep]:
        """`read_records`, decoded."""
        return [from_record(record) for record in self.read_records(number)]

    def _make_room(self) -> None:
        while self.steps > self._capacity and len(self._episodes) > 1:
            oldest = next(iter(self._episodes.values()))
            if not oldest.closed:
                return
            evicted, transitions = self._after(oldest)
            self._write(EVICT, {"episode": oldest.number, "evicted": evicted, "transitions": transitions})
            self._drop(oldest.number)
        oldest_chunk = min((e.chunk for e in self._episodes.values()), default=0)
        for chunk in self._log.chunks:
            if chunk < oldest_chunk:
                self._log.forget(chunk)

    def _after(self, oldest: StoredEpisode) -> tuple[int, int]:
        """How many places before the cursor and how many transitions have gone once ``oldest`` has.

        What was released before it moves up by a place: a reader may see that twice, and misses nothing.
        """
        places = sum(number in (oldest.number, ~oldest.number) for number in self._released)
        transitions = max(0, len(oldest.steps) - 1) if oldest.readable else 0
        return self._evicted + places, self._evicted_transitions + transitions

    def _drop(self, number: int) -> None:
        episode = self._episodes.get(number)
        if episode is None:
            return
        self._evicted, self._evicted_transitions = self._after(episode)
        del self._episodes[number]
        self._released = [other for other in self._released if other not in (number, ~number)]

    def close(self) -> None:
        """Let go of the files."""
        self._log.close()
