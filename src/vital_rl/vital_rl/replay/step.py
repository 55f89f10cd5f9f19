"""One step of an episode, and its record: the bytes in which it is sent, kept on disk and read again.

A record holds the numbers as they are and the image as PNG, without loss; where the foreground is known it is the
image's fourth channel.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import ACTION_VALUES, IMAGE_SIZE_PX, TACTILE_VALUES
from vital_core.owner import Owner

FOREGROUND_SHAPE = (IMAGE_SIZE_PX, IMAGE_SIZE_PX // 8)
HEAD = struct.Struct("<IIqqqHf")  # episode, index, ROS and steady stamp, weights version, bytes of the owner, distance
# A PNG file begins with this; width, height, bits a channel and the kind of colours follow: 2 RGB, 6 with a fourth.
PNG_BEGINS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PNG_SIZE = struct.Struct(">IIBB")
IMAGES = [(IMAGE_SIZE_PX, IMAGE_SIZE_PX, 8, colours) for colours in (2, 6)]
NUMBERS = 3 * ACTION_VALUES + TACTILE_VALUES
# Fast and small enough: a wrist image takes some 12 kB.
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
# µT; m and rad in one control period. What is learned from must not be swept away by one number.
LARGEST = {"tactile_ut": 1e6, "base": 10.0, "residual": 10.0, "executed": 10.0}


@dataclass(frozen=True)
class ReplayStep:
    """What was seen, answered and done at one tick; the last one of an episode is what was seen after it.

    image (128, 128, 3) uint8; tactile_ut (15,); base, residual, executed (7,) in m, rad, gripper; owner: whose action
    was executed; distance_m: to the goal, NaN where nobody knows; stamps in ns; foreground: (128, 16) uint8, a bit a
    pixel (`numpy.packbits`), where the image shows what the task is about, None where nobody tells.
    """

    image: NDArray[np.uint8]
    tactile_ut: NDArray[np.float32]
    base: NDArray[np.float32]
    residual: NDArray[np.float32]
    executed: NDArray[np.float32]
    owner: str = Owner.POLICY
    weights_version: int = 0
    stamp_ns: int = 0
    steady_ns: int = 0
    distance_m: float = float("nan")
    foreground: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        shapes = {"tactile_ut": (TACTILE_VALUES,), **dict.fromkeys(("base", "residual", "executed"), (ACTION_VALUES,))}
        for name, shape in {"image": (IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), **shapes}.items():
            values = np.asarray(getattr(self, name))
            if values.shape != shape or not np.isfinite(values).all():
                raise VitalError(
                    ErrorCode.BAD_OBSERVATION, f"{name} of a step is {values.shape}, expected {shape} of finite values"
                )
        if self.foreground is not None and self.foreground.shape != FOREGROUND_SHAPE:
            raise VitalError(
                ErrorCode.BAD_OBSERVATION,
                f"foreground of a step is {self.foreground.shape}, expected {FOREGROUND_SHAPE} or none",
            )

    def check_plausible(self) -> None:
        """Raises VitalError(BAD_MESSAGE) for numbers that no sensor or arm has."""
        for name, largest in LARGEST.items():
            if (got := float(np.abs(getattr(self, name)).max())) > largest:
                raise VitalError(ErrorCode.BAD_MESSAGE, f"{name} reaches {got:g}, expected at most {largest:g}")
        if math.isinf(self.distance_m):
            raise VitalError(
                ErrorCode.BAD_MESSAGE,
                f"distance_m is {self.distance_m}, expected a finite one, or NaN where nobody knows",
            )


def foreground_of(steps: Sequence[ReplayStep]) -> NDArray[np.uint8] | None:
    """(T, 128, 16), an image of which nobody tells being all foreground; None where it is so with every one."""
    if all(step.foreground is None for step in steps):
        return None
    whole = np.full(FOREGROUND_SHAPE, 255, np.uint8)
    return np.stack([whole if step.foreground is None else step.foreground for step in steps])


def to_record(episode: int, index: int, step: ReplayStep) -> bytes:
    """The step with its place in the replay. Inverse of `from_record` and `place_of`."""
    owner = step.owner.encode()
    image = step.image[..., ::-1]
    if step.foreground is not None:
        image = np.dstack([image, 255 * np.unpackbits(step.foreground, axis=-1)])
    ok, png = cv2.imencode(".png", image, PNG)
    assert ok
    numbers = np.concatenate([step.base, step.residual, step.executed, step.tactile_ut]).astype("<f4")
    stamps = (step.stamp_ns, step.steady_ns, step.weights_version)
    head = HEAD.pack(episode, index, *stamps, len(owner), step.distance_m)
    return b"".join([head, owner, numbers.tobytes(), png.tobytes()])


def place_of(record: bytes) -> tuple[int, int]:
    """(episode, index) of a record, without reading the rest. Raises VitalError(BAD_RECORDING)."""
    if len(record) < HEAD.size:
        raise _refusal(f"has {len(record)} bytes, expected at least {HEAD.size}")
    episode, index, *_ = HEAD.unpack_from(record)
    return episode, index


def from_record(record: bytes) -> ReplayStep:
    """The step of a record. Raises VitalError(BAD_RECORDING or BAD_OBSERVATION) where it holds none."""
    place_of(record)
    _, _, stamp_ns, steady_ns, version, owner_bytes, distance_m = HEAD.unpack_from(record)
    numbers_at = HEAD.size + owner_bytes
    image_at = numbers_at + 4 * NUMBERS
    if len(record) < image_at:
        raise _refusal(f"has {len(record)} bytes, expected at least {image_at}")
    numbers = np.frombuffer(record, "<f4", NUMBERS, numbers_at)
    base, residual, executed, tactile = np.split(numbers, np.cumsum([ACTION_VALUES] * 3))
    channels = _unpack_png(record[image_at:])
    image = channels[..., 2::-1].astype(np.uint8)
    foreground = np.packbits(channels[..., 3] > 0, axis=-1) if channels.shape[2] == 4 else None
    owner = record[HEAD.size : numbers_at].decode(errors="replace")
    return ReplayStep(
        image, tactile, base, residual, executed, owner, version, stamp_ns, steady_ns, distance_m, foreground
    )


def _unpack_png(png: bytes) -> NDArray[np.uint8]:
    """(128, 128, 3 or 4); what says that it is of another size is not unpacked."""
    size = PNG_SIZE.unpack_from(png, len(PNG_BEGINS)) if len(png) > len(PNG_BEGINS) + PNG_SIZE.size else None
    if not png.startswith(PNG_BEGINS) or size not in IMAGES:
        raise _refusal(f"has an image of width, height, bits, colours {size}, expected one of {IMAGES}")
    try:
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise _refusal(f"has an image that cannot be unpacked ({error.err})") from error
    if image is None or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4):
        raise _refusal("has an image that cannot be unpacked")
    return np.asarray(image, np.uint8)


def _refusal(what: str) -> VitalError:
    return VitalError(
        ErrorCode.BAD_RECORDING,
        f"the record of a step {what}: send one of this version, restore the replay, or begin another",
    )
