"""Demonstrations of the simulator's scripted expert (`collect_demos`, vital_demo/1) as streams of a recording."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vital_core.arm.xarm7 import BASE_FRAME, TCP_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_core.observation import IMAGE_SIZE_PX, MAGNETOMETERS, TACTILE_VALUES
from vital_core.task import WINDOW
from vital_data.files import streams as topics
from vital_data.files.stream_values import relative_vectors, values_of_matrices
from vital_data.files.streams import NS_PER_S, Stream

FORMAT = "vital_demo/1"
SCRIPTED_FILES = "episode_*.safetensors"
# The files hold no times: they begin at this ROS time, and each episode a minute after the one before.
START_NS, EPISODE_NS = 1_600_000_000 * NS_PER_S, 60 * NS_PER_S
# A command answers the image that it was stamped with, a moment later.
COMMAND_DELAY_NS = 1_000_000
ARRAYS = ("image", "tactile_ut", "t_base_tcp", "t_base_tcp_target", "gripper")
DEMONSTRATED, INTENDED, FOREGROUND = "t_base_tcp_demonstrated", "t_base_tcp_intended", "foreground"
OPTIONAL = (DEMONSTRATED, INTENDED, FOREGROUND)
FLOATS = ("F32", "F64")
# By array: kinds of numbers, and the shape of a frame's.
SHAPES: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "image": (("U8",), (IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)), "tactile_ut": (FLOATS, (TACTILE_VALUES,)),
    "t_base_tcp": (FLOATS, (4, 4)), "t_base_tcp_target": (FLOATS, (4, 4)),
    DEMONSTRATED: (FLOATS, (4, 4)), INTENDED: (FLOATS, (4, 4)),
    "gripper": (FLOATS, ()), FOREGROUND: (("U8",), (IMAGE_SIZE_PX, IMAGE_SIZE_PX // 8)),
}  # fmt: skip


@dataclass(frozen=True)
class ScriptedDemo:
    """One file: its header (task, seed, ...) and its streams."""

    path: Path
    header: dict[str, str]
    streams: dict[str, Stream]


def _refuse(path: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_DATASET, f"demonstration {path}: {what}")


def _header(path: Path) -> weight_file.Header:
    """The header, the arrays in it of the shapes that they must have. Raises VitalError(BAD_DATASET)."""
    header = weight_file.read_header(path, Source(f"demonstration {path}", ErrorCode.BAD_DATASET, "record it again"))
    frames = header.shapes.get("image", (0,))[:1]
    for name, (dtype, shape) in SHAPES.items():
        entry = header.tensors.get(name)
        if entry is not None and ((*frames, *shape) != entry.shape or entry.dtype not in dtype):
            raise _refuse(path, f"{name} is {entry.dtype} of {entry.shape}, expected {dtype[0]} of {(*frames, *shape)}")
    return header


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    # What is no regular file with a header that fits it is refused before the library opens it.
    _header(path)
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise _refuse(path, f"cannot be read ({error})") from error


def scripted_frames(path: Path) -> int:
    """Number of images in a file. Raises VitalError(BAD_DATASET)."""
    return _header(path).shapes.get("image", (0,))[0]


def wrist_view_of(path: Path) -> str:
    """What a file's wrist images show: the task's window where it says nothing. Raises VitalError(BAD_DATASET)."""
    return _header(path).metadata.get("wrist_view", WINDOW)


def tells(path: Path, array: str) -> bool:
    """Whether a file has an array that it may lack (`OPTIONAL`). Raises VitalError(BAD_DATASET)."""
    with _opened(path) as file:
        return array in set(file.keys())


def read_scripted_demo(path: Path, number: int) -> ScriptedDemo:
    """Read the ``number``-th file of a folder. Raises VitalError(BAD_DATASET) for anything but vital_demo/1."""
    with _opened(path) as file:
        header = file.metadata() or {}
        names = set(file.keys())
        arrays = {name: file.get_tensor(name) for name in (*ARRAYS, *OPTIONAL) if name in names}
    expected = {"format": FORMAT, "frame": TCP_FRAME, "rate_hz": f"{topics.FRAME_RATE_HZ:g}"}
    for name, value in expected.items():
        if header.get(name) != value:
            raise _refuse(path, f"{name} is '{header.get(name)}', expected '{value}'")
    if missing := sorted(set(ARRAYS) - set(arrays)):
        raise _refuse(path, f"has no {', '.join(missing)}")
    return ScriptedDemo(path, header, _streams(arrays, START_NS + number * EPISODE_NS))


def _poses(stamps: NDArray[np.int64], poses: NDArray[np.float64]) -> Stream:
    return Stream(stamps, values_of_matrices(poses), BASE_FRAME)


def _streams(arrays: dict[str, NDArray], start_ns: int) -> dict[str, Stream]:
    frames = len(arrays["image"])
    stamps = start_ns + np.round(np.arange(frames) * NS_PER_S / topics.FRAME_RATE_HZ).astype(np.int64)
    measured, target = arrays["t_base_tcp"], arrays["t_base_tcp_target"]
    steps = relative_vectors(measured, target)
    tactile = {
        "field_ut": arrays["tactile_ut"],
        "baseline_ut": np.zeros_like(arrays["tactile_ut"]),
        "valid": np.ones((frames, MAGNETOMETERS), bool),
    }
    command = {"translation_m": steps[:, :3], "rotation_rad": steps[:, 3:], "gripper": arrays["gripper"]}
    streams = {
        topics.IMAGE_TOPIC: Stream(stamps, {"image": arrays["image"]}),
        topics.TACTILE_TOPIC: Stream(stamps, tactile),
        topics.POSE_TOPIC: _poses(stamps, measured),
        topics.TARGET_TOPIC: _poses(stamps + COMMAND_DELAY_NS, target),
        topics.COMMAND_TOPIC: Stream(stamps + COMMAND_DELAY_NS, command, TCP_FRAME),
    }
    for name, topic in ((DEMONSTRATED, topics.DEMONSTRATED_TOPIC), (INTENDED, topics.INTENDED_TOPIC)):
        if name in arrays:
            streams[topic] = _poses(stamps, arrays[name])
    if FOREGROUND in arrays:
        foreground = 255 * np.unpackbits(arrays[FOREGROUND], axis=-1)
        streams[topics.FOREGROUND_TOPIC] = Stream(stamps, {"image": foreground})
    return streams
