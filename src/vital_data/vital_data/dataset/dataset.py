"""Recorded sessions in memory: every 30 Hz frame as a 6 Hz observation with the chunk of actions to imitate.

The files are the source. The same files, task and settings give the same arrays and the same hash.
"""

import dataclasses
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_core.observation import IMAGE_SIZE_PX
from vital_core.task import WINDOW, load_task
from vital_data.dataset.actions import ActionSource, chunk_frames, chunks_of
from vital_data.dataset.aligned_episode import AlignedEpisode, AlignmentConfig, align, refuse
from vital_data.dataset.episode_source import EpisodeSource, episode_sources
from vital_data.dataset.normalisation import Normaliser, stored_normaliser

FORMAT = "vital_dataset/1"
# Decompression lets go of the interpreter, so two readers do better than one; more only wait for each other.
READERS = 2
log = logging.getLogger(__name__)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Demonstrations:
    """All frames that begin an action, of all episodes, with their chunks."""

    image: NDArray[np.uint8]
    """(N, 128, 128, 3)."""
    tactile_ut: NDArray[np.float32]
    """(N, 15), baseline subtracted."""
    tcp_m: NDArray[np.float64]
    """(N, 3) measured position of the TCP in `link_base`."""
    actions: NDArray[np.float64]
    """(N, chunk, 7) in m, rad and gripper units."""
    mask: NDArray[np.bool_]
    """(N, chunk), False where there is nothing to imitate."""
    episode: NDArray[np.int64]
    """(N,) index of the episode."""
    sha256: str
    """Of the content and the settings."""
    normaliser: Normaliser
    """Fitted on all of it."""
    action_source: ActionSource = ActionSource.COMMANDED
    """Where the actions come from."""
    names: tuple[str, ...] = ()
    """Of the episodes: folder and file."""
    refused: dict[str, int] = field(default_factory=dict)
    """Frames left out, by reason."""
    excluded: dict[str, str] = field(default_factory=dict)
    """Episodes left out, and why."""
    foreground: NDArray[np.uint8] | None = None
    """(N, 128, 16), a bit a pixel: where the image shows what the task is about; None where it was not asked for."""

    wrist_view: str = WINDOW
    """What the images show (`vital_core.task.Task`)."""

    def __len__(self) -> int:
        return len(self.image)

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return int(self.episode.max()) + 1

    def subset(self, chosen: NDArray[np.bool_]) -> "Demonstrations":
        """The frames where ``chosen`` (N,) is True, with the normaliser of the whole."""
        names = ("image", "tactile_ut", "tcp_m", "actions", "mask", "episode")
        parts = {name: getattr(self, name)[chosen] for name in names}
        if self.foreground is not None:
            parts["foreground"] = self.foreground[chosen]
        return dataclasses.replace(self, **parts)

    def normalised_at(self, point_m: tuple[float, float, float]) -> "Demonstrations":
        """The same with a normaliser of the way of this point of the hand, in the TCP frame."""
        normaliser = Normaliser.fit(self.actions[self.mask], self.tactile_ut, point_m)
        return dataclasses.replace(self, normaliser=normaliser)


def load_demonstrations(
    sessions: Path | Sequence[Path],
    task: str,
    chunk: int = 10,
    action_source: ActionSource | None = None,
    *,
    include_unusable: bool = False,
    foreground: bool | None = False,
    progress: Progress = log.debug,
) -> Demonstrations:
    """Every usable episode of one or more folders, in order: recorded sessions, or scripted demonstrations.

    Without an ``action_source`` it is what was demonstrated where every episode tells it apart from injected noise, and
    the command otherwise.
    The control rate is the task's. Episodes that are marked redo, failed or faulty are left out and named, unless
    ``include_unusable``. ``foreground``: read it too, None for where every episode tells it; only the simulation does.
    The normaliser is kept beside the first session, and made again when the content changes.
    Raises VitalError(BAD_DATASET) when an episode breaks the contract, is of another task, or none is usable.
    """
    folders = [Path(sessions)] if isinstance(sessions, str | Path) else [Path(folder) for folder in sessions]
    sources, excluded = episode_sources(folders, task, include_unusable)
    views = {source.wrist_view: source.name for source in sources}
    if len(views) > 1:
        told = ", ".join(f"'{view}' in {name}" for view, name in sorted(views.items()))
        raise VitalError(ErrorCode.BAD_DATASET, f"the wrist images show {told}: give demonstrations of one view alone")
    if action_source is None:
        demonstrated = all(source.tells_demonstrated() for source in sources)
        action_source = ActionSource.DEMONSTRATED if demonstrated else ActionSource.COMMANDED
    if foreground is None:
        foreground = all(source.tells_foreground() for source in sources)
    config = AlignmentConfig(action_source, load_task(task).control_rate_hz, foreground=foreground)
    with ThreadPoolExecutor(READERS) as pool:
        digests = list(pool.map(_file_hash, [source.path for source in sources]))
        aligned = pool.map(lambda source: _aligned(source, task, config, progress), sources)
        frames = _Frames(sources, chunk, config)
        for episode in aligned:
            frames.take(episode)
    sha256 = _content_hash(task, chunk, config, [source.path.name for source in sources], digests)
    return dataclasses.replace(frames.demonstrations(sha256, folders[0], excluded), wrist_view=next(iter(views)))


def _aligned(source: EpisodeSource, task: str, config: AlignmentConfig, progress: Progress) -> AlignedEpisode:
    aligned = align(source.name, source.read(task, config.topics()), config)
    progress(source.name)
    return aligned


def _file_hash(path: Path) -> str:
    with safe_file.open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content_hash(task: str, chunk: int, config: AlignmentConfig, names: Sequence[str], digests: Sequence[str]) -> str:
    settings = asdict(config)
    settings["label"] = settings.pop("action_source").value
    content = {
        "format": FORMAT,
        "task": task,
        "chunk": chunk,
        "settings": settings,
        "episodes": list(zip(names, digests, strict=True)),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class _Frames:
    """Takes over the usable frames of one episode after the other.

    All images go into one block at once, so that no episode's own copy is kept; what stays unused of the block
    was never touched.
    """

    def __init__(self, sources: Sequence[EpisodeSource], chunk: int, config: AlignmentConfig) -> None:
        self._chunk, self._config = chunk, config
        size = sum(source.images() for source in sources)
        self._image = np.empty((size, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), np.uint8)
        self._count = 0
        self._names: list[str] = []
        self._parts: list[tuple[NDArray, ...]] = []
        self._foreground: list[NDArray[np.uint8]] = []
        self._refused: Counter[str] = Counter()

    def take(self, episode: AlignedEpisode) -> None:
        """Append the frames that begin a usable action, with their chunks."""
        config = self._config
        frames = chunk_frames(episode.stamps_ns, self._chunk, config.control_rate_hz, config.frame_rate_hz)
        actions, mask = chunks_of(episode.actions, episode.valid, frames)
        start = np.flatnonzero(episode.observed & episode.valid)
        if not len(start):
            raise refuse(episode.name, f"no frame can be used of {len(episode)}: {_listed(episode.refused)}")
        end = self._count + len(start)
        self._image[self._count : end] = episode.image[start]
        number = np.full(len(start), len(self._names))
        self._parts.append((episode.tactile_ut[start], episode.tcp_m[start], actions[start], mask[start], number))
        if episode.foreground is not None:
            self._foreground.append(episode.foreground[start])
        self._count = end
        self._names.append(episode.name)
        self._refused.update({why: count for why, count in episode.refused.items() if count})

    def demonstrations(self, sha256: str, folder: Path, excluded: dict[str, str]) -> Demonstrations:
        """All frames taken, with the normaliser kept in ``folder``."""
        if self._refused:
            log.warning("frames left out: %s", _listed(self._refused))
        tactile_ut, tcp_m, actions, mask, episode = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        normaliser = stored_normaliser(folder, sha256, lambda: Normaliser.fit(actions[mask], tactile_ut))
        return Demonstrations(
            image=self._image[: self._count],
            tactile_ut=tactile_ut,
            tcp_m=tcp_m,
            actions=actions,
            mask=mask,
            episode=episode,
            sha256=sha256,
            normaliser=normaliser,
            action_source=self._config.action_source,
            names=tuple(self._names),
            refused=dict(self._refused),
            excluded=excluded,
            foreground=np.concatenate(self._foreground) if self._foreground else None,
        )


def _listed(refused: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in refused.items() if count)
