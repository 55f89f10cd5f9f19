"""The declarative map between a session's topics and a LeRobot dataset's features, read from YAML."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Name, Source

NEWEST: Literal["newest"] = "newest"
FOLLOWING: Literal["following"] = "following"


@dataclass(frozen=True)
class Part:
    """Columns of a feature: one field of a topic. match: which of its samples belongs to a frame."""

    topic: Name
    field: Name
    names: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=1000)]
    match: Literal["newest", "following"] = NEWEST


@dataclass(frozen=True)
class Feature:
    """One named vector per frame, its parts side by side. optional: left out where not every episode has it."""

    name: Name
    dtype: Literal["float32", "float64", "int64", "bool"]
    parts: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=100)]
    optional: bool = False

    def __post_init__(self) -> None:
        if "/" in self.name:
            raise _refuse(f"{self.name}: a feature's name must not contain '/'")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feature's values."""
        return tuple(name for part in self.parts for name in part.names)


@dataclass(frozen=True)
class Video:
    """A camera: the images of one topic."""

    name: Name
    topic: Name
    field: Name


@dataclass(frozen=True)
class VideoCodec:
    """How videos are encoded, in ffmpeg's words."""

    codec: Name
    pixel_format: Name
    options: Mapping[Name, Name]


@dataclass(frozen=True)
class FeatureMap:
    """Everything that is in the file: see `config/lerobot_features.yaml`."""

    robot_type: Name
    frame_rate_hz: Annotated[int, Meta(ge=1, le=1000)]
    clock: Name
    stamps: Name
    video_codec: VideoCodec
    videos: tuple[Video, ...]
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        if self.clock not in {video.topic for video in self.videos}:
            raise _refuse(f"the clock is {self.clock}, expected the topic of one of the videos")

    @property
    def topics(self) -> tuple[str, ...]:
        """All topics, the clock first, then as they come: the columns of the stamps."""
        parts = (part.topic for feature in self.features for part in feature.parts)
        return tuple(dict.fromkeys([self.clock, *(video.topic for video in self.videos), *parts]))

    def without(self, absent: Collection[str]) -> "FeatureMap":
        """The map for recordings that lack these topics. Raises VitalError(BAD_DATASET) unless all are optional."""
        for feature in self.features:
            if not feature.optional and (lacking := sorted({part.topic for part in feature.parts} & set(absent))):
                raise VitalError(
                    ErrorCode.BAD_DATASET,
                    f"no message on {', '.join(lacking)}, which feature {feature.name} is made of: take it out of the "
                    "map, or make it optional",
                )
        kept = tuple(f for f in self.features if not {part.topic for part in f.parts} & set(absent))
        return dataclasses.replace(self, features=kept)

    def match_of(self, topic: str) -> str:
        """Which sample of a topic belongs to a frame; all of its parts must agree."""
        found = {part.match for feature in self.features for part in feature.parts if part.topic == topic}
        if len(found) > 1:
            raise _refuse(f"{topic} is matched as {' and '.join(sorted(found))}, expected one way per topic")
        return found.pop() if found else NEWEST


SOURCE = Source("feature map", ErrorCode.BAD_PARAMETER, "expected the layout of config/lerobot_features.yaml")


def _refuse(what: str) -> VitalError:
    return SOURCE.refuse(what)


def parse_feature_map(text: str | bytes) -> FeatureMap:
    """From YAML. Raises VitalError(BAD_PARAMETER) naming what is wrong."""
    values = schema.from_yaml(text, dict[str, Any], SOURCE)
    for part in ("videos", "features"):
        named = schema.checked(values.get(part), dict[str, dict[str, Any]], SOURCE)
        values[part] = [{**given, "name": name} for name, given in named.items()]
    values["video_codec"] = values.pop("video", None)
    return schema.checked(values, FeatureMap, SOURCE)


def load_feature_map(path: Path | None = None) -> FeatureMap:
    """From a file, or the one that comes with the package."""
    if path is None:
        return parse_feature_map(resources.files("vital_data").joinpath("config/lerobot_features.yaml").read_bytes())
    try:
        return parse_feature_map(safe_file.read_bytes(path, schema.YAML_BYTES))
    except OSError as error:
        raise _refuse(f"{path} cannot be read ({error})") from error
