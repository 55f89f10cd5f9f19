"""What can be had back from an episode that was not finished: its whole chunks, as an episode marked as aborted.

The damaged file is kept beside it under another name; as long as the index does not know of the repair, it is done
again, so that a repair may be interrupted too.
"""

import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcap.records import Channel, Metadata, Schema
from mcap.records import Message as McapMessage

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_data.files import layout
from vital_data.files.episode_reader import read_episode
from vital_data.files.episode_writer import McapFile, Message
from vital_data.files.index_line import entry_of
from vital_data.files.mcap_file import open_recording
from vital_data.files.session import MOST_INDEX_BYTES, Session
from vital_data.files.streams import IMAGE_TOPIC
from vital_data.recording.quality import faults_of

ABORTED = "aborted"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repaired:
    """An episode that was had back."""

    index: int
    path: Path
    messages: int
    frames: int
    """Its wrist images."""
    kept: Path
    """The damaged file, under its own new name."""


def _records(path: Path, metadata: dict[str, str]) -> Iterator[Message]:
    """The messages of every whole chunk, up to where the file breaks off; its metadata are noted on the way."""
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    with suppress(VitalError), open_recording(path) as recording:
        for record in recording.records():
            if isinstance(record, Schema):
                schemas[record.id] = record.name
            elif isinstance(record, Channel):
                channels[record.id] = record.topic, schemas[record.schema_id]
            elif isinstance(record, Metadata):
                metadata |= record.metadata
            elif isinstance(record, McapMessage):
                topic, kind = channels[record.channel_id]
                recording.budget.count_message()
                yield Message(topic, kind, record.data, record.log_time, record.publish_time)


def recover(path: Path, target: Path, metadata: dict[str, str]) -> int:
    """Write what is whole of ``path`` as an episode; returns how many messages that are (nothing is written for 0)."""
    buffer, count = io.BytesIO(), 0
    found: dict[str, str] = {}
    mcap = McapFile(buffer, library="vital_data repair")
    for message in _records(path, found):
        mcap.add(message)
        count += 1
    if count:
        mcap.finish({**found, **metadata})
        safe_file.write_bytes(target, buffer.getvalue())
    return count


def repair_episode(session: Session, broken: Path) -> Repaired:
    """Put what is whole of ``broken`` in its place and note it in the index; the damaged file keeps another name."""
    number = _number(broken)
    target = layout.episode_path(session.folder, number)
    kept = target.with_name(f"{target.name}{layout.BROKEN_SUFFIX}")
    broken.replace(kept)
    faults = ["ABORTED: the recording was interrupted"]
    metadata = {"episode": str(number), "task": session.task, "outcome": ABORTED, "faults": json.dumps(faults)}
    messages = recover(kept, target, metadata)
    frames = _frames(target) if messages else 0
    entry = {"episode": number, "file": target.name, "outcome": ABORTED, "faults": faults, "frames": frames}
    session.append({**entry, "note": f"repaired: {messages} messages of an interrupted recording"})
    return Repaired(number, target, messages, frames, kept)


def _frames(path: Path) -> int:
    try:
        episode = read_episode(path, topics=(IMAGE_TOPIC,))
    except VitalError:
        return 0
    return sum(len(stream.stamps_ns) for stream in episode.streams.values())


def _number(path: Path) -> int:
    numbers = (layout.episode_number(path, suffix) for suffix in ("", layout.PART_SUFFIX, layout.BROKEN_SUFFIX))
    return next(number for number in numbers if number is not None)


def broken_files(folder: Path) -> list[Path]:
    """Unfinished files, finished ones that cannot be read, and those whose repair came to no end."""
    session = Session.open(folder)
    aborted = {entry.index for entry in session.episodes() if entry.outcome == ABORTED}
    kept = layout.episode_files(folder, layout.BROKEN_SUFFIX)
    broken = [path for path in kept if _number(path) not in aborted]
    again = {_number(path) for path in broken}
    broken += session.leftovers()
    for path in layout.episode_files(folder):
        if _number(path) in again:
            continue
        try:
            read_episode(path, topics=())
        except VitalError:
            broken.append(path)
    return broken


def repair_session(folder: Path) -> list[Repaired]:
    """Repair every broken file of a session, and give lines to whole files that the index does not know."""
    session = Session.open(folder)
    if strays := layout.strays(folder):
        log.warning("session %s: no episodes, left alone: %s", folder, ", ".join(path.name for path in strays))
    _mend_index(session)
    repaired = [repair_episode(session, path) for path in broken_files(folder)]
    known = {entry.index for entry in session.episodes()}
    for path in layout.episode_files(folder):
        if _number(path) not in known:
            session.append({**_judged(path), "note": "its line in the index was missing"})
    return repaired


def _judged(path: Path) -> dict[str, Any]:
    """An index entry of a whole file; one that the recorder did not come to judge is judged now."""
    episode = read_episode(path)
    faults = list(episode.faults)
    if "faults" not in episode.metadata:
        faults = faults_of(episode.streams, _dropped(episode.metadata))
    entry = {"episode": _number(path), "file": path.name, "outcome": episode.outcome, "faults": faults}
    return entry | {"redo": episode.outcome == "redo", "frames": _frames(path)}


def _dropped(metadata: Mapping[str, str]) -> int:
    told = metadata.get("dropped", "0")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0


def _mend_index(session: Session) -> None:
    """Take torn lines out of the index; their episodes get new ones. The old file is kept beside it."""
    path = session.folder / layout.INDEX_FILE
    try:
        text = safe_file.read_bytes(path, MOST_INDEX_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise VitalError(ErrorCode.BAD_DATASET, f"{path} cannot be read ({error}): move it away") from error
    good, torn = [], 0
    for line in text.splitlines():
        try:
            if line:
                entry_of(line)
                good.append(line)
        except ValueError:
            torn += 1
    if torn:
        path.replace(path.with_name(path.name + ".broken"))
        safe_file.write_bytes(path, "".join(line + "\n" for line in good).encode())
