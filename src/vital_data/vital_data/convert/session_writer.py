"""Writes converted episodes as a session: MCAP files of real ROS 2 messages, as the recorder's are."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcap.writer import CompressionType, Writer
from rclpy.serialization import serialize_message

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_data.convert.messages import messages_of
from vital_data.dataset.aligned_episode import StreamLike
from vital_data.files import layout
from vital_data.files.ros_schema import installed_definition

CHUNK_BYTES = 1024 * 1024


def episode_bytes(streams: Mapping[str, StreamLike], metadata: Mapping[str, str]) -> bytes:
    """An MCAP file of the streams; log time is the header stamp."""
    buffer = io.BytesIO()
    writer = Writer(buffer, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
    writer.start(profile="ros2", library="vital_data convert")
    channels: dict[str, int] = {}
    for topic, stamp_ns, message in messages_of(streams):
        if topic not in channels:
            kind = type(message)
            name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
            schema = writer.register_schema(name, "ros2msg", installed_definition(name).encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema)
        writer.add_message(channels[topic], stamp_ns, serialize_message(message), stamp_ns)
    writer.add_metadata(layout.EPISODE_METADATA, dict(metadata))
    writer.finish()
    return buffer.getvalue()


class SessionWriter:
    """A new session of converted episodes. Raises VitalError(BAD_PARAMETER) when the folder is there already."""

    def __init__(self, folder: Path, task: str, description: Mapping[str, Any]) -> None:
        self.folder, self.task = Path(folder), task
        if self.folder.exists():
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"{folder} is there already, expected a new folder: choose another"
            )
        content = {**description, "format": layout.SESSION_FORMAT, "task": task}
        safe_file.write_json(self.folder / layout.SESSION_FILE, content)
        self._lines: list[str] = []

    def add(self, streams: Mapping[str, StreamLike], entry: Mapping[str, Any]) -> Path:
        """Write one episode and then its line of the index. entry: outcome, faults and what else is known, JSON."""
        index = len(self._lines)
        path = layout.episode_path(self.folder, index)
        known = {"outcome": "success", "faults": [], "redo": False, **entry, "episode": index, "file": path.name}
        metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in {**known, "task": self.task}.items()}
        safe_file.write_bytes(path, episode_bytes(streams, metadata))
        self._lines.append(json.dumps(known))
        safe_file.write_bytes(self.folder / layout.INDEX_FILE, ("\n".join(self._lines) + "\n").encode())
        return path
