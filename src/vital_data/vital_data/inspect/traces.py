"""What one looks at in an episode: field changes, a force proxy, commanded steps and speeds, over the seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core.observation import MAGNETOMETERS
from vital_data.files.streams import (
    COMMAND_TOPIC,
    IMAGE_TOPIC,
    NS_PER_S,
    POSE_TOPIC,
    TACTILE_TOPIC,
    Stamps,
    Stream,
)

SPEED_WINDOW_S = 0.1


@dataclass(frozen=True)
class Trace:
    """Values (n, lines) over seconds (n,) since the episode's first image, with a name per line."""

    seconds: NDArray[np.float64]
    values: NDArray[np.float64]
    names: tuple[str, ...]


def start_ns(streams: Mapping[str, Stream]) -> int:
    """Stamp of the first image, or of the earliest message where there is none."""
    if IMAGE_TOPIC in streams and len(streams[IMAGE_TOPIC].stamps_ns):
        return int(streams[IMAGE_TOPIC].stamps_ns[0])
    return min(int(s.stamps_ns[0]) for s in streams.values() if len(s.stamps_ns))


def _seconds(stamps_ns: Stamps, zero_ns: int) -> NDArray[np.float64]:
    return (stamps_ns - zero_ns) / NS_PER_S


def _empty(names: tuple[str, ...]) -> Trace:
    return Trace(np.empty(0), np.empty((0, len(names))), names)


def tactile_trace(streams: Mapping[str, Stream]) -> Trace:
    """Field change of every magnetometer's three axes, µT."""
    names = tuple(f"m{m} {axis}" for m in range(1, MAGNETOMETERS + 1) for axis in "xyz")
    stream = streams.get(TACTILE_TOPIC)
    if stream is None or not len(stream.stamps_ns):
        return _empty(names)
    samples = len(stream.stamps_ns)
    field_ut = np.asarray(stream.values["field_ut"], float).reshape(samples, -1)
    baseline_ut = np.asarray(stream.values["baseline_ut"], float).reshape(samples, -1)
    return Trace(_seconds(stream.stamps_ns, start_ns(streams)), field_ut - np.nan_to_num(baseline_ut), names)


def force_proxy(streams: Mapping[str, Stream]) -> Trace:
    """Largest field change of one magnetometer, µT: the size that the gate's force limit watches."""
    field = tactile_trace(streams)
    change = np.linalg.norm(field.values.reshape(-1, MAGNETOMETERS, 3), axis=2)
    return Trace(field.seconds, change.max(1, keepdims=True, initial=0.0), ("largest change",))


def step_trace(streams: Mapping[str, Stream]) -> Trace:
    """Commanded translation, mm, and rotation, degrees, in the TCP frame."""
    names = ("x mm", "y mm", "z mm", "rx °", "ry °", "rz °")
    stream = streams.get(COMMAND_TOPIC)
    if stream is None or not len(stream.stamps_ns):
        return _empty(names)
    steps = [1000.0 * stream.values["translation_m"], np.rad2deg(stream.values["rotation_rad"])]
    return Trace(_seconds(stream.stamps_ns, start_ns(streams)), np.concatenate(steps, axis=1), names)


def speed_trace(streams: Mapping[str, Stream]) -> Trace:
    """Speed of the TCP over the last 100 ms, mm/s."""
    stream = streams.get(POSE_TOPIC)
    if stream is None or len(stream.stamps_ns) < 2:
        return _empty(("speed",))
    seconds = _seconds(stream.stamps_ns, start_ns(streams))
    earlier = np.searchsorted(seconds, seconds - SPEED_WINDOW_S)
    position = stream.values["t_base_tcp"][:, :3, 3]
    elapsed = np.maximum(seconds - seconds[earlier], 1e-3)
    speed = 1000.0 * np.linalg.norm(position - position[earlier], axis=1) / elapsed
    return Trace(seconds, speed[:, None], ("speed",))
