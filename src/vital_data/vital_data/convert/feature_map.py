"""The declarative map between a session's topics and a LeRobot dataset's features, read from YAML."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from vital_core.errors import ErrorCode, VitalError

DTYPES = ("float32", "float64", "int64", "bool")
NEWEST, FOLLOWING = "newest", "following"


@dataclass(frozen=True)
class Part:
    """Columns of a feature: one field of a topic. match: which of its samples belongs to a frame."""

    topic: str
    field: str
    names: tuple[str, ...]
    match: str = NEWEST

    def __post_init__(self) -> None:
        if self.match not in (NEWEST, FOLLOWING):
            raise _refuse(f"{self.topic} {self.field}: match is '{self.match}', expected {NEWEST} or {FOLLOWING}")


@dataclass(frozen=True)
class Feature:
    """One named vector per frame, its parts side by side. optional: left out where not every episode has it."""

    name: str
    dtype: str
    parts: tuple[Part, ...]
    optional: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise _refuse(f"{self.name}: dtype is '{self.dtype}', expected one of {', '.join(DTYPES)}")
        if "/" in self.name:
            raise _refuse(f"{self.name}: a feature's name must not contain '/'")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feature's values."""
        return tuple(name for part in self.parts for name in part.names)


@dataclass(frozen=True)
class Video:
    """A camera: the images of one topic."""

    name: str
    topic: str
    field: str


@dataclass(frozen=True)
class VideoCodec:
    """How videos are encoded, in ffmpeg's words."""

    codec: str
    pixel_format: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class FeatureMap:
    """Everything that is in the file: see `config/lerobot_features.yaml`."""

    robot_type: str
    frame_rate_hz: int
    clock: str
    stamps: str
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


def _refuse(what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_PARAMETER, f"feature map: {what}")


def _part(values: dict[str, Any]) -> Part:
    return Part(**{**values, "names": tuple(values["names"])})


def parse_feature_map(text: str) -> FeatureMap:
    """From YAML. Raises VitalError(BAD_PARAMETER) naming what is wrong."""
    try:
        values = yaml.safe_load(text)
        codec = values.pop("video")
        videos = tuple(Video(name, **given) for name, given in values.pop("videos").items())
        features = tuple(
            Feature(**{**given, "name": name, "parts": tuple(_part(part) for part in given["parts"])})
            for name, given in values.pop("features").items()
        )
        return FeatureMap(**values, video_codec=VideoCodec(**codec), videos=videos, features=features)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise _refuse(f"cannot be read ({error!r}), expected the layout of config/lerobot_features.yaml") from error


def load_feature_map(path: Path | None = None) -> FeatureMap:
    """From a file, or the one that comes with the package."""
    if path is None:
        return parse_feature_map(resources.files("vital_data").joinpath("config/lerobot_features.yaml").read_text())
    try:
        return parse_feature_map(Path(path).read_text())
    except OSError as error:
        raise _refuse(f"{path} cannot be read ({error})") from error
