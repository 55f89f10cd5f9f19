"""The messages of a recording, file after file, in their order."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Message, Schema

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_data.files.mcap_file import open_recording, refuse
from vital_data.files.ros_messages import installed_definition, parse_definition
from vital_data.files.session import Session

NS_PER_S = 1e9
BAG_SUFFIX = ".mcap"


@dataclass(frozen=True)
class Said:
    """One message: CDR bytes, at a time since the recording began."""

    at_s: float
    topic: str
    data: bytes


@dataclass(frozen=True)
class Recording:
    """Files of one recording. start_ns, duration_s: from first to last message."""

    name: str
    files: tuple[Path, ...]
    kinds: dict[str, str]
    """package/msg/Type by topic."""
    changed: frozenset[str]
    """Topics whose type had other fields when it was recorded."""
    start_ns: int
    duration_s: float

    def messages(self) -> Iterator[Said]:
        """All from the beginning. Raises VitalError(BAD_RECORDING)."""
        for path in self.files:
            with open_recording(path) as recording:
                channels = recording.summary().channels
                for record in recording.records():
                    if isinstance(record, Message) and (channel := channels.get(record.channel_id)) is not None:
                        at_s = (record.log_time - self.start_ns) / NS_PER_S
                        yield Said(at_s, channel.topic, record.data)


def of_session(folder: Path, episode: int) -> Recording:
    """An episode of a recorded session. Raises VitalError(BAD_DATASET, BAD_PARAMETER or BAD_RECORDING)."""
    entry = Session.open(folder).entry(episode)
    return _opened(f"{folder.name}, episode {episode}: {entry.outcome or 'not judged'}", (entry.path,))


def of_bag(path: Path) -> Recording:
    """A bag: a folder of MCAP files, or one of them. Raises VitalError(BAD_PARAMETER or BAD_RECORDING)."""
    files = tuple(sorted(path.glob(f"*{BAG_SUFFIX}"))) if path.is_dir() else (path,)
    if not files or not all(file.suffix == BAG_SUFFIX for file in files):
        what = (
            f"bag {path} is no MCAP: expected a folder or file of `ros2 bag record -s mcap`, not compressed as a whole"
        )
        raise VitalError(ErrorCode.BAD_PARAMETER, what)
    return _opened(path.name, files)


def _opened(name: str, files: tuple[Path, ...]) -> Recording:
    kinds: dict[str, str] = {}
    changed = set[str]()
    begins, ends = list[int](), list[int]()
    for path in files:
        with open_recording(path) as recording:
            summary = recording.summary()
        for channel in summary.channels.values():
            kind = summary.schemas.get(channel.schema_id)
            kinds[channel.topic] = "" if kind is None else kind.name
            if kind is not None and not _is_installed(kind):
                changed.add(channel.topic)
        if summary.statistics is not None and summary.statistics.message_count:
            begins.append(summary.statistics.message_start_time)
            ends.append(summary.statistics.message_end_time)
    if not begins:
        raise refuse(files[0], "holds no message")
    return Recording(name, files, kinds, frozenset(changed), min(begins), (max(ends) - min(begins)) / NS_PER_S)


def _is_installed(kind: Schema) -> bool:
    try:
        recorded, here = kind.data.decode(errors="replace"), installed_definition(kind.name)
        return parse_definition(kind.name, recorded) == parse_definition(kind.name, here)
    except (VitalError, ValueError):
        return False


def known_topics(recording: Recording, shown: dict[str, str]) -> set[str]:
    """Topics of a recording that can be shown. shown: the types of those that the monitor knows.

    Those that had other fields are not among them. Raises VitalError(BAD_RECORDING) where there is none, and where one
    holds another type.
    """
    common = recording.kinds.keys() & shown.keys()
    for topic in sorted(common):
        if recording.kinds[topic] != shown[topic]:
            got = shortened(recording.kinds[topic], 80)
            raise refuse(recording.files[0], f"{topic} holds {got}, expected {shown[topic]}")
    common -= recording.changed
    if not common:
        has = shortened(", ".join(sorted(recording.kinds)), 200)
        raise refuse(recording.files[0], f"holds {has}: none of the topics that are shown, such as /joint_states")
    return common
