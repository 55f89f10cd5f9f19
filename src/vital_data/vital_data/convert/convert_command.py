"""`vital_data convert`: sessions to LeRobotDataset v3 and back, and scripted demonstrations to sessions."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW, load_task, task_names
from vital_data.convert.lerobot_reader import LeRobotReader
from vital_data.convert.lerobot_writer import SourceEpisode, write_lerobot
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset.feature_map import FeatureMap, load_feature_map
from vital_data.dataset.frames import frames_of, streams_of
from vital_data.dataset.scripted_demos import SCRIPTED_FILES, read_scripted_demo, wrist_view_of
from vital_data.files.episode_reader import Episode, message_count, read_episode
from vital_data.files.session import EpisodeEntry, Session

Item = TypeVar("Item")
Progress = Callable[[Iterable[Item], int], Iterable[Item]]


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Declare the command's options."""
    parser = commands.add_parser("convert", help="to and from other formats")
    parser.add_argument("source", type=Path, help="folder to read")
    parser.add_argument("out", type=Path, help="folder to write; must not be there yet")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", choices=["lerobot"], help="from a session")
    way.add_argument("--from", dest="origin", choices=["lerobot", "scripted"], help="to a session")
    parser.add_argument("--features", type=Path, help="map of topics to features (default: the package's)")
    parser.add_argument("--task", help="of a data set that does not say it")
    parser.add_argument("--all", action="store_true", help="also failures and episodes with faults")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Convert, with a progress bar."""

    def progress(items: Iterable, total: int) -> Iterable:
        return track(items, options.source.name, total=total, console=console)

    if options.origin == "scripted":
        count = from_scripted_demos(options.source, options.out, progress=progress)
    else:
        features = load_feature_map(options.features)
        if options.to:
            count = to_lerobot(options.source, options.out, features, include_unusable=options.all, progress=progress)
        else:
            count = from_lerobot(options.source, options.out, features, task=options.task, progress=progress)
    console.print(f"{count} episodes in {options.out}", highlight=False, soft_wrap=True)
    return 0


def silent(items: Iterable[Item], total: int) -> Iterable[Item]:
    """No progress shown."""
    return items


def _sentence(task: str) -> str:
    return load_task(task).prompt if task in task_names() else task


def _checked(episode: Episode, features: FeatureMap) -> Episode:
    if missing := [topic for topic in features.topics if topic not in episode.streams]:
        raise VitalError(
            ErrorCode.BAD_DATASET,
            f"{episode.path} has no message on {', '.join(missing)}, which the feature map needs: leave the episode "
            "out, or change the map",
        )
    return episode


def _episode_source(session: Session, entry: EpisodeEntry, features: FeatureMap) -> SourceEpisode:
    episode = _checked(read_episode(entry.path, features.topics), features)
    origin = {
        "task": session.task, "file": entry.path.name, "outcome": entry.outcome, "faults": list(entry.faults),
        "redo": entry.redo, "wrist_view": session.wrist_view, "metadata": episode.metadata,
    }  # fmt: skip
    return SourceEpisode(_sentence(session.task), frames_of(episode.streams, features), origin)


def to_lerobot(
    session_folder: Path,
    out: Path,
    features: FeatureMap,
    *,
    include_unusable: bool = False,
    progress: Progress = silent,
) -> int:
    """A session as a LeRobotDataset v3; returns how many episodes. Raises VitalError(BAD_DATASET)."""
    session = Session.open(session_folder)
    entries = [entry for entry in session.episodes() if entry.usable or include_unusable]
    if not entries:
        raise VitalError(ErrorCode.BAD_DATASET, f"session {session.folder} has no usable episode, expected some")
    absent = {t for t in features.topics if any(not message_count(entry.path, t) for entry in entries)}
    fitting = features.without(absent)
    write_lerobot(out, fitting, (_episode_source(session, e, fitting) for e in progress(entries, len(entries))))
    return len(entries)


def _task_of(reader: LeRobotReader, task: str | None) -> str:
    """The task given, or the one that the data set says it is of."""
    if task is not None:
        return load_task(task).name
    tasks = {episode.get("task") for episode in reader.origins}
    if len(tasks) == 1 and isinstance(only := tasks.pop(), str):
        return only
    raise VitalError(
        ErrorCode.BAD_PARAMETER, f"{reader.folder} does not say which task it is of, expected --task, one of "
        f"{', '.join(task_names())}"
    )  # fmt: skip


def _only_view(views: Iterable[str], folder: Path) -> str:
    """What all wrist images of a folder show (`vital_core.task.Task`)."""
    told = sorted(set(views)) or [WINDOW]
    if len(told) > 1:
        raise VitalError(ErrorCode.BAD_DATASET, f"the wrist images of {folder} show {', '.join(told)}, expected one")
    return told[0]


def from_lerobot(
    folder: Path, out: Path, features: FeatureMap, *, task: str | None = None, progress: Progress = silent
) -> int:
    """A LeRobotDataset v3 as a session; returns how many episodes. Raises VitalError(BAD_DATASET)."""
    reader = LeRobotReader(folder, features)
    view = _only_view((str(episode.get("wrist_view", WINDOW)) for episode in reader.origins), folder)
    about = {"converted_from": str(folder), "wrist_view": view}
    writer = SessionWriter(out, _task_of(reader, task), about)
    for stored in progress(reader, len(reader)):
        entry = {key: stored.origin[key] for key in ("outcome", "faults", "redo") if key in stored.origin}
        origin: dict[str, Any] = {"converted_from": f"{folder}, episode {stored.index}", "sentence": stored.sentence}
        writer.add(streams_of(stored.frames, reader.features), {**entry, **origin})
    return len(reader)


def from_scripted_demos(folder: Path, out: Path, *, progress: Progress = silent) -> int:
    """A folder of `collect_demos` as a session; returns how many episodes. Raises VitalError(BAD_DATASET)."""
    paths = sorted(Path(folder).glob(SCRIPTED_FILES))
    if not paths:
        raise VitalError(ErrorCode.BAD_DATASET, f"{folder} has no episode_*.safetensors, expected scripted ones")
    view = _only_view(map(wrist_view_of, paths), folder)
    about = {"converted_from": str(folder), "operator": "scripted", "wrist_view": view}
    writer: SessionWriter | None = None
    for number, path in enumerate(progress(paths, len(paths))):
        demo = read_scripted_demo(path, number)
        task = demo.header.get("task", "")
        if writer is None:
            writer = SessionWriter(out, task, about)
        if task != writer.task:
            raise VitalError(ErrorCode.BAD_DATASET, f"{path} is of task '{task}', expected '{writer.task}'")
        entry = {"outcome": "success" if demo.header.get("success") == "true" else "failure"}
        writer.add(demo.streams, {**entry, "seed": int(demo.header.get("seed", -1)), "converted_from": path.name})
    return len(paths)
