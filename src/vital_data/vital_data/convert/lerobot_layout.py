"""Names, versions and table schemas of LeRobotDataset v3."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from vital_data.dataset.feature_map import FeatureMap

CODEBASE_VERSION = "v3.0"
CHUNK_FILES = 1000
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
INFO_PATH, STATS_PATH, TASKS_PATH = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
# Not LeRobot's: what the recording knew and the format has no place for.
ORIGIN_PATH, ORIGIN_FORMAT = "meta/vital.json", "vital_lerobot/1"

INDEX_COLUMNS = {
    "timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64", "task_index": "int64",
}  # fmt: skip
ARROW = {"float32": pa.float32(), "float64": pa.float64(), "int64": pa.int64(), "bool": pa.bool_()}


def vector_type(dtype: str, size: int) -> pa.DataType:
    """Column type of a feature: LeRobot keeps a vector of one as a plain value."""
    return ARROW[dtype] if size == 1 else pa.list_(ARROW[dtype], size)


def feature_entries(features: FeatureMap, image_shape: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    """`info.json`'s description of every feature."""
    height, width, channels = image_shape
    entries: dict[str, dict[str, Any]] = {}
    for video in features.videos:
        entries[video.name] = {
            "dtype": "video",
            "shape": [height, width, channels],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": height, "video.width": width, "video.codec": features.video_codec.codec,
                "video.pix_fmt": features.video_codec.pixel_format, "video.is_depth_map": False,
                "video.fps": features.frame_rate_hz, "video.channels": channels, "has_audio": False,
            },
        }  # fmt: skip
    for feature in features.features:
        names = list(feature.names)
        entries[feature.name] = {"dtype": feature.dtype, "shape": [len(names)], "names": names}
    entries[features.stamps] = {"dtype": "int64", "shape": [len(features.topics)], "names": list(features.topics)}
    return entries | {name: {"dtype": kind, "shape": [1], "names": None} for name, kind in INDEX_COLUMNS.items()}


def data_schema(features: FeatureMap) -> pa.Schema:
    """Of the frames' table."""
    sizes = {f.name: (f.dtype, len(f.names)) for f in features.features}
    sizes[features.stamps] = ("int64", len(features.topics))
    fields = [pa.field(name, vector_type(*of)) for name, of in sizes.items()]
    return pa.schema(fields + [pa.field(name, ARROW[kind]) for name, kind in INDEX_COLUMNS.items()])


def tasks_table(sentences: list[str]) -> pa.Table:
    """Of the tasks, with the sentence as pandas' index."""
    column = {"field_name": "__index_level_0__", "name": None, "pandas_type": "unicode", "numpy_type": "object"}
    task = {"field_name": "task_index", "name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    note = {
        "index_columns": ["__index_level_0__"],
        "column_indexes": [],
        "columns": [{**task, "metadata": None}, {**column, "metadata": None}],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    table = pa.table({"task_index": pa.array(range(len(sentences)), pa.int64()), "__index_level_0__": sentences})
    return table.replace_schema_metadata({"pandas": json.dumps(note)})


def file_of(pattern: str, number: int, **names: str) -> Path:
    """Path of the n-th file by a pattern of this layout."""
    return Path(pattern.format(chunk_index=number // CHUNK_FILES, file_index=number % CHUNK_FILES, **names))
