"""Writes converted episodes as a session: MCAP files of real ROS 2 messages, as the recorder's are."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rclpy.serialization import serialize_message

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_data.convert.messages import messages_of
from vital_data.files import layout
from vital_data.files.episode_writer import McapFile, Message
from vital_data.files.ros_messages import type_name
from vital_data.files.streams import Stream


def episode_bytes(streams: Mapping[str, Stream], metadata: Mapping[str, Any]) -> bytes:
    """An MCAP file of the streams; log time is the header stamp."""
    buffer = io.BytesIO()
    mcap = McapFile(buffer, library="vital_data convert")
    for topic, stamp_ns, message in messages_of(streams):
        mcap.add(Message(topic, type_name(type(message)), bytes(serialize_message(message)), stamp_ns, stamp_ns))
    mcap.finish(metadata)
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

    def add(self, streams: Mapping[str, Stream], entry: Mapping[str, Any]) -> Path:
        """Write one episode and then its line of the index. entry: outcome, faults and what else is known, JSON."""
        index = len(self._lines)
        path = layout.episode_path(self.folder, index)
        known = {"outcome": "success", "faults": [], "redo": False, **entry, "episode": index, "file": path.name}
        safe_file.write_bytes(path, episode_bytes(streams, {**known, "task": self.task}))
        self._lines.append(json.dumps(known))
        safe_file.write_bytes(self.folder / layout.INDEX_FILE, ("\n".join(self._lines) + "\n").encode())
        return path
