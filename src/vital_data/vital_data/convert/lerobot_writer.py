"""Writes a LeRobotDataset v3: one table of frames, one video file per camera and episode, and the meta tables.

The folder is made aside and renamed when it is whole, so that an interrupted conversion leaves nothing.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_core.files.video import write_video
from vital_data.convert import lerobot_layout as layout
from vital_data.convert.lerobot_statistics import column_statistics, flatten, video_statistics
from vital_data.dataset.feature_map import FeatureMap
from vital_data.dataset.frames import Frames

DATA_FILE_MB, VIDEO_FILE_MB = 100, 200


@dataclass(frozen=True)
class SourceEpisode:
    """An episode to write."""

    sentence: str
    """The task in words."""
    frames: Frames
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What the recording knows beside the frames, JSON."""


class LeRobotWriter:
    """Appends episodes to a data set in ``folder``; `close` writes what is known only at the end."""

    def __init__(self, folder: Path, features: FeatureMap) -> None:
        self.folder, self.features = folder, features
        self.frames = 0
        self._sentences: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._origins: list[dict[str, Any]] = []
        self._image_shape: tuple[int, ...] = ()
        self._columns: dict[str, list[NDArray]] = {}
        self._video_statistics: dict[str, list[dict[str, list]]] = {}
        data = folder / layout.file_of(layout.DATA_PATH, 0)
        data.parent.mkdir(parents=True)
        self._data = pq.ParquetWriter(data, layout.data_schema(features))

    def add(self, source: SourceEpisode) -> None:
        """Write one episode's frames and videos."""
        number, frames = len(self._rows), source.frames
        if source.sentence not in self._sentences:
            self._sentences.append(source.sentence)
        self._data.write_table(self._table(number, source))
        statistics = {name: column_statistics(values) for name, values in frames.columns.items()}
        row = {
            "episode_index": number, "tasks": [source.sentence], "length": len(frames),
            "data/chunk_index": 0, "data/file_index": 0,
            "dataset_from_index": self.frames, "dataset_to_index": self.frames + len(frames),
            "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
        }  # fmt: skip
        for name, images in frames.videos.items():
            row |= self._write_video(number, name, images)
            statistics[name] = video_statistics(images)
            self._video_statistics.setdefault(name, []).append(statistics[name])
        for name, values in frames.columns.items():
            self._columns.setdefault(name, []).append(values)
        self._rows.append(row | flatten(statistics))
        self._origins.append(dict(source.origin))
        self.frames += len(frames)

    def _table(self, number: int, source: SourceEpisode) -> pa.Table:
        frames, count = source.frames, len(source.frames)
        frame_index = np.arange(count)
        columns: dict[str, pa.Array] = {}
        vectors = {**frames.columns, self.features.stamps: frames.stamps_ns}
        schema = layout.data_schema(self.features)
        for name, values in vectors.items():
            flat, kind = np.ascontiguousarray(values).ravel(), schema.field(name).type
            columns[name] = pa.array(flat) if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(
                pa.array(flat, kind.value_type), values.shape[1]
            )  # fmt: skip
        columns |= {
            "timestamp": pa.array((frame_index / self.features.frame_rate_hz).astype(np.float32)),
            "frame_index": pa.array(frame_index),
            "episode_index": pa.array(np.full(count, number)),
            "index": pa.array(self.frames + frame_index),
            "task_index": pa.array(np.full(count, self._sentences.index(source.sentence))),
        }
        return pa.table(columns, schema=schema)

    def _write_video(self, number: int, name: str, images: NDArray[np.uint8]) -> dict[str, Any]:
        shape = images.shape[1:]
        if self._image_shape and shape != self._image_shape:
            raise VitalError(ErrorCode.BAD_DATASET, f"images of {shape} after images of {self._image_shape}")
        self._image_shape = shape
        codec, rate_hz = self.features.video_codec, self.features.frame_rate_hz
        path = layout.file_of(layout.VIDEO_PATH, number, video_key=name)
        write_video(self.folder / path, images, rate_hz, codec.codec, codec.pixel_format, codec.options)
        return {
            f"videos/{name}/chunk_index": number // layout.CHUNK_FILES,
            f"videos/{name}/file_index": number % layout.CHUNK_FILES,
            f"videos/{name}/from_timestamp": 0.0,
            f"videos/{name}/to_timestamp": len(images) / rate_hz,
        }

    def close(self) -> None:
        """Write the tables of episodes and tasks, the statistics and the description."""
        self._data.close()
        if not self._rows:
            raise VitalError(ErrorCode.BAD_DATASET, "no episode to convert, expected at least one")
        episodes = self.folder / layout.file_of(layout.EPISODES_PATH, 0)
        episodes.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._rows), episodes)
        pq.write_table(layout.tasks_table(self._sentences), self.folder / layout.TASKS_PATH)
        safe_file.write_json(self.folder / layout.STATS_PATH, self._statistics())
        origin = {"format": layout.ORIGIN_FORMAT, "episodes": self._origins}
        safe_file.write_json(self.folder / layout.ORIGIN_PATH, origin)
        safe_file.write_json(self.folder / layout.INFO_PATH, self._info())

    def _statistics(self) -> dict[str, dict[str, list]]:
        total = {name: column_statistics(np.concatenate(parts)) for name, parts in self._columns.items()}
        return total | {name: _pooled(parts) for name, parts in self._video_statistics.items()}

    def _info(self) -> dict[str, Any]:
        episodes = len(self._rows)
        return {
            "codebase_version": layout.CODEBASE_VERSION,
            "robot_type": self.features.robot_type,
            "total_episodes": episodes,
            "total_frames": self.frames,
            "total_tasks": len(self._sentences),
            "chunks_size": layout.CHUNK_FILES,
            "data_files_size_in_mb": DATA_FILE_MB,
            "video_files_size_in_mb": VIDEO_FILE_MB,
            "fps": self.features.frame_rate_hz,
            "splits": {"train": f"0:{episodes}"},
            "data_path": layout.DATA_PATH,
            "video_path": layout.VIDEO_PATH,
            "features": layout.feature_entries(self.features, self._image_shape),
        }


def _pooled(parts: list[dict[str, list]]) -> dict[str, list]:
    """Statistics of several episodes' images together; quantiles are weighted means, as LeRobot pools them."""
    weights = np.array([part["count"][0] for part in parts], float)
    stacked = {name: np.array([part[name] for part in parts]) for name in parts[0]}
    mean = np.average(stacked["mean"], axis=0, weights=weights)
    variance = np.average(stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2, axis=0, weights=weights)
    pooled = {name: np.average(value, axis=0, weights=weights) for name, value in stacked.items()}
    pooled |= {"min": stacked["min"].min(0), "max": stacked["max"].max(0), "mean": mean, "std": np.sqrt(variance)}
    return {name: value.tolist() for name, value in pooled.items()} | {"count": [int(weights.sum())]}


def write_lerobot(folder: Path, features: FeatureMap, episodes: Iterable[SourceEpisode]) -> int:
    """Write the data set whole or not at all; returns the number of frames. Raises VitalError(BAD_DATASET)."""
    folder = Path(folder)
    if folder.exists():
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{folder} is there already, expected a new folder: choose another")
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        writer = LeRobotWriter(aside, features)
        for episode in episodes:
            writer.add(episode)
        writer.close()
        os.replace(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return writer.frames
