"""Where the training set's episodes come from: recorded sessions, or the simulator's scripted demonstrations."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW
from vital_data.dataset.scripted_demos import (
    DEMONSTRATED,
    FOREGROUND,
    SCRIPTED_FILES,
    read_scripted_demo,
    scripted_frames,
    tells,
    wrist_view_of,
)
from vital_data.files import layout
from vital_data.files.episode_reader import message_count, read_episode
from vital_data.files.session import SUCCESS, EpisodeEntry, Session
from vital_data.files.streams import DEMONSTRATED_TOPIC, FOREGROUND_TOPIC, IMAGE_TOPIC, Stream

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpisodeSource:
    """A usable episode's file."""

    name: str
    """Folder and file, for messages."""
    path: Path
    number: int
    """Its place in the folder."""
    wrist_view: str = WINDOW
    """What its wrist images show (`vital_core.task.Task`)."""

    @property
    def _scripted(self) -> bool:
        return self.path.suffix != layout.EPISODE_SUFFIX

    def images(self) -> int:
        """How many images it holds."""
        return scripted_frames(self.path) if self._scripted else message_count(self.path, IMAGE_TOPIC)

    def tells_demonstrated(self) -> bool:
        """Whether it says where the demonstrator's own hand moved to, apart from noise that the arm was given."""
        return tells(self.path, DEMONSTRATED) if self._scripted else message_count(self.path, DEMONSTRATED_TOPIC) > 0

    def tells_foreground(self) -> bool:
        """Whether it says what its images show."""
        return tells(self.path, FOREGROUND) if self._scripted else message_count(self.path, FOREGROUND_TOPIC) > 0

    def read(self, task: str, topics: Collection[str]) -> Mapping[str, Stream]:
        """Its streams. Raises VitalError(BAD_DATASET) when it is of another task, BAD_RECORDING when it is broken."""
        if self._scripted:
            demo = read_scripted_demo(self.path, self.number)
            found, streams = demo.header.get("task", ""), demo.streams
        else:
            episode = read_episode(self.path, topics=topics)
            found, streams = episode.task, episode.streams
        if found != task:
            raise VitalError(ErrorCode.BAD_DATASET, f"episode {self.name}: is of task '{found}', expected '{task}'")
        return streams


def why_not_usable(entry: EpisodeEntry) -> str:
    """Why an episode is kept out of training."""
    reasons = ["marked redo"] if entry.redo else []
    if entry.outcome != SUCCESS:
        reasons.append(f"outcome {entry.outcome or 'unknown'}")
    return ", ".join([*reasons, *entry.faults]) or "not usable"


def _scripted_sources(folder: Path) -> list[EpisodeSource]:
    paths = sorted(folder.glob(SCRIPTED_FILES))
    return [
        EpisodeSource(f"{folder.name}/{path.stem}", path, number, wrist_view_of(path))
        for number, path in enumerate(paths)
    ]


def _session_sources(folder: Path, task: str, include_unusable: bool, excluded: dict[str, str]) -> list[EpisodeSource]:
    session = Session.open(folder)
    if session.task != task:
        raise VitalError(ErrorCode.BAD_DATASET, f"session {folder} is of task '{session.task}', expected '{task}'")
    sources = []
    for entry in session.episodes():
        name = f"{entry.path.parent.name}/{entry.path.stem}"
        if entry.usable or include_unusable:
            sources.append(EpisodeSource(name, entry.path, entry.index, session.wrist_view))
        else:
            excluded[name] = why_not_usable(entry)
    return sources


def episode_sources(
    folders: Sequence[Path], task: str, include_unusable: bool = False
) -> tuple[list[EpisodeSource], dict[str, str]]:
    """Episodes to use of all folders, in order, and those left out with the reason.

    Raises VitalError(BAD_DATASET) when a folder is of another task, or no episode is usable.
    """
    sources: list[EpisodeSource] = []
    excluded: dict[str, str] = {}
    for folder in folders:
        scripted = [] if (folder / layout.SESSION_FILE).exists() else _scripted_sources(folder)
        sources += scripted or _session_sources(folder, task, include_unusable, excluded)
    if not sources:
        reasons = "; ".join(f"{name}: {why}" for name, why in excluded.items()) or "there are none"
        raise VitalError(
            ErrorCode.BAD_DATASET,
            f"no usable episode in {', '.join(map(str, folders))} ({reasons}), expected some: record with "
            f"`./vital record task:={task}`",
        )
    for name, why in excluded.items():
        log.warning("%s is left out: %s", name, why)
    return sources, excluded
