"""Reads a LeRobotDataset v3 back into frames, by the same feature map."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Meta
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Source
from vital_core.files.video import read_video
from vital_data.convert import lerobot_layout as layout
from vital_data.dataset.feature_map import FeatureMap
from vital_data.dataset.frames import Frames

MOST_JSON_BYTES = 50_000_000
INFO = ("data_path", "video_path", "features")
# Names in braces with a format, nothing that reaches into what they stand for.
Pattern = Annotated[str, Meta(pattern=r"^([^{}]|\{[a-z_]+(:[0-9]*d)?\})+$", max_length=300)]


def _refuse(folder: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_DATASET, f"LeRobot data set {folder}: {what}")


@dataclass(frozen=True)
class Info:
    """What is read of `meta/info.json`."""

    data_path: Pattern
    video_path: Pattern
    features: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StoredEpisode:
    """An episode read back."""

    index: int
    sentence: str
    frames: Frames
    origin: dict[str, Any]
    """What the recording knew; empty when another program wrote the data set."""


class LeRobotReader:
    """Episodes of a data set that fit ``features``. Raises VitalError(BAD_DATASET) when they do not."""

    def __init__(self, folder: Path, features: FeatureMap) -> None:
        self.folder = Path(folder)
        try:
            self.info = self._json(layout.INFO_PATH)
            self._rows = pq.read_table(self.folder / "meta/episodes").to_pylist()
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _refuse(self.folder, f"cannot be read ({error})") from error
        if self.info.get("codebase_version") != layout.CODEBASE_VERSION:
            got = self.info.get("codebase_version")
            raise _refuse(self.folder, f"version is '{got}', expected '{layout.CODEBASE_VERSION}'")
        self._checked = schema.checked(
            {name: self.info.get(name) for name in INFO}, Info, self._source(layout.INFO_PATH)
        )
        self.features = self._present(features)
        self._check_features()
        self.origins = self._read_origins()

    def _present(self, features: FeatureMap) -> FeatureMap:
        """The map less the optional topics whose features the data set does not have."""
        lacking = [f for f in features.features if f.optional and f.name not in self.info["features"]]
        return features.without({part.topic for feature in lacking for part in feature.parts})

    def _check_features(self) -> None:
        entries, rate_hz = self.info["features"], self.info.get("fps")
        if rate_hz != self.features.frame_rate_hz:
            raise _refuse(self.folder, f"{rate_hz} frames/s, the feature map expects {self.features.frame_rate_hz}")
        for feature in self.features.features:
            if feature.name not in entries:
                raise _refuse(self.folder, f"has no feature {feature.name}, it has {', '.join(sorted(entries))}")
            shape = tuple(entries[feature.name]["shape"])
            if shape != (len(feature.names),):
                raise _refuse(self.folder, f"{feature.name} has shape {shape}, expected ({len(feature.names)},)")
        for video in self.features.videos:
            if entries.get(video.name, {}).get("dtype") != "video":
                raise _refuse(self.folder, f"has no video {video.name}, it has {', '.join(sorted(entries))}")

    def _read_origins(self) -> list[dict[str, Any]]:
        path = self.folder / layout.ORIGIN_PATH
        if not path.exists():
            return []
        origin = self._json(layout.ORIGIN_PATH)
        if origin.get("format") != layout.ORIGIN_FORMAT:
            raise _refuse(self.folder, f"{path.name} is '{origin.get('format')}', expected '{layout.ORIGIN_FORMAT}'")
        return schema.checked(origin.get("episodes"), list[dict[str, Any]], self._source(layout.ORIGIN_PATH))

    def _source(self, name: str) -> Source:
        return Source(f"LeRobot data set {self.folder}: {name}", ErrorCode.BAD_DATASET, "is it of version 3?")

    def _json(self, name: str) -> dict[str, Any]:
        source = self._source(name)
        text = safe_file.read_bytes(self.folder / name, MOST_JSON_BYTES)
        return schema.checked(schema.plain_json(text, source, MOST_JSON_BYTES), dict[str, Any], source)

    def _file(self, pattern: str, **numbers: Any) -> Path:
        """A file of the data set, which lies in its folder whatever the pattern says. Raises VitalError."""
        try:
            path = (self.folder / pattern.format(**numbers)).resolve()
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            raise _refuse(self.folder, f"'{pattern}' is no pattern of its files ({error!r})") from error
        if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
            raise _refuse(self.folder, f"'{pattern}' leads to {path}, expected a file of the data set")
        return path

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[StoredEpisode]:
        for row in sorted(self._rows, key=lambda row: row["episode_index"]):
            yield self._read(row)

    def _read(self, row: dict[str, Any]) -> StoredEpisode:
        index, length = row["episode_index"], row["length"]
        numbers = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        table = pq.read_table(self._file(self._checked.data_path, **numbers))
        table = table.filter(pc.equal(table["episode_index"], index)).sort_by("frame_index")
        if len(table) != length:
            raise _refuse(self.folder, f"episode {index} has {len(table)} rows of frames, expected {length}")
        columns = {f.name: _vectors(table, f.name, len(f.names)) for f in self.features.features}
        videos = {video.name: self._read_video(row, video.name) for video in self.features.videos}
        origin = self.origins[index] if index < len(self.origins) else {}
        return StoredEpisode(index, row["tasks"][0], Frames(self._stamps(table), columns, videos), origin)

    def _stamps(self, table: pa.Table) -> NDArray[np.int64]:
        """(T, topics) the recorded stamps; for a data set of another origin, its regular times from 1 s on."""
        topics = list(self.features.topics)
        entry = self.info["features"].get(self.features.stamps)
        if entry is None:
            times_ns = np.round(table["frame_index"].to_numpy() * 1e9 / self.features.frame_rate_hz).astype(np.int64)
            return np.tile(times_ns[:, None] + 1_000_000_000, len(topics))
        if missing := sorted(set(topics) - set(entry["names"])):
            raise _refuse(self.folder, f"{self.features.stamps} has none for {', '.join(missing)}")
        stamps = _vectors(table, self.features.stamps, len(entry["names"]))
        return stamps[:, [entry["names"].index(topic) for topic in topics]]

    def _read_video(self, row: dict[str, Any], name: str) -> NDArray[np.uint8]:
        chunk, number = row[f"videos/{name}/chunk_index"], row[f"videos/{name}/file_index"]
        path = self._file(self._checked.video_path, video_key=name, chunk_index=chunk, file_index=number)
        images = read_video(path, row[f"videos/{name}/from_timestamp"], row["length"])
        if len(images) != row["length"]:
            raise _refuse(self.folder, f"{path} has {len(images)} frames of the episode, expected {row['length']}")
        return images


def _vectors(table: pa.Table, name: str, size: int) -> NDArray:
    """(T, size) values of one column."""
    column = table[name].combine_chunks()
    values = column if size == 1 and not pa.types.is_nested(column.type) else column.flatten()
    return values.to_numpy(zero_copy_only=False).reshape(len(table), size)
