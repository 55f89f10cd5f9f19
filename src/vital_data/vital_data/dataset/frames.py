"""One episode as a table of frames at the image clock, and a table of frames as streams again."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_data.dataset.feature_map import FOLLOWING, FeatureMap, Part
from vital_data.files.stream_values import pose_matrices
from vital_data.files.streams import FRAMES, Stamps, Stream


@dataclass(frozen=True)
class Frames:
    """T frames of one episode."""

    stamps_ns: NDArray[np.int64]
    """(T, topics) header stamp of every topic's sample, in the order of the map's topics."""
    columns: Mapping[str, NDArray]
    """(T, values) by feature."""
    videos: Mapping[str, NDArray[np.uint8]]
    """(T, H, W, 3) by feature."""
    dropped: int = 0
    """Images at either end of the episode for which a topic had no sample."""

    def __len__(self) -> int:
        return len(self.stamps_ns)


def _match(clock_ns: Stamps, stamps_ns: Stamps, how: str) -> NDArray[np.int64]:
    """(T,) sample of each frame, out of range where there is none."""
    if how == FOLLOWING:
        return np.searchsorted(stamps_ns, clock_ns, side="left")
    return np.searchsorted(stamps_ns, clock_ns, side="right") - 1


def _columns(part: Part, values: NDArray, samples: int) -> NDArray:
    rows = np.asarray(values).reshape(samples, -1)
    if rows.shape[1] != len(part.names):
        raise VitalError(
            ErrorCode.BAD_DATASET,
            f"{part.topic} {part.field} has {rows.shape[1]} values, the feature map names {len(part.names)}",
        )
    return rows


def frames_of(streams: Mapping[str, Stream], features: FeatureMap) -> Frames:
    """The episode at its image clock. Raises VitalError(BAD_DATASET) when it does not fit the map."""
    clock_ns = streams[features.clock].stamps_ns
    index = np.stack(
        [_match(clock_ns, streams[topic].stamps_ns, features.match_of(topic)) for topic in features.topics], axis=1
    )
    sizes = np.array([len(streams[topic].stamps_ns) for topic in features.topics])
    there = np.flatnonzero(((index >= 0) & (index < sizes)).all(1))
    if not len(there):
        raise VitalError(ErrorCode.BAD_DATASET, "no image with a sample of every topic, expected some")
    index = index[there]
    sample_of = dict(zip(features.topics, index.T, strict=True))
    stamps = np.stack([streams[topic].stamps_ns[sample_of[topic]] for topic in features.topics], axis=1)
    columns = {}
    for feature in features.features:
        parts = [
            _columns(part, streams[part.topic].values[part.field], len(streams[part.topic].stamps_ns))[
                sample_of[part.topic]
            ]
            for part in feature.parts
        ]
        columns[feature.name] = np.concatenate(parts, axis=1).astype(feature.dtype)
    videos = {v.name: streams[v.topic].values[v.field][sample_of[v.topic]] for v in features.videos}
    return Frames(stamps, columns, videos, len(clock_ns) - len(there))


def streams_of(frames: Frames, features: FeatureMap) -> dict[str, Stream]:
    """The streams that the frames were taken from, as far as the frames hold them. Inverse of `frames_of`."""
    streams: dict[str, Stream] = {}
    rows_of: dict[str, NDArray[np.int64]] = {}
    for column, topic in enumerate(features.topics):
        stamps, rows = np.unique(frames.stamps_ns[:, column], return_index=True)
        streams[topic], rows_of[topic] = Stream(stamps, {}, FRAMES.get(topic, "")), rows
    for video in features.videos:
        streams[video.topic].values[video.field] = frames.videos[video.name][rows_of[video.topic]]
    for feature in features.features:
        start = 0
        for part in feature.parts:
            values = frames.columns[feature.name][rows_of[part.topic], start : start + len(part.names)]
            start += len(part.names)
            streams[part.topic].values[part.field] = values[:, 0] if len(part.names) == 1 else values
    for stream in streams.values():
        if {"position_m", "quaternion_xyzw"} <= set(stream.values):
            stream.values["t_base_tcp"] = pose_matrices(stream.values["position_m"], stream.values["quaternion_xyzw"])
    return streams
