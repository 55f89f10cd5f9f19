"""One step of an episode as bytes: the image once, without loss, and the numbers around it."""

import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import ACTION_VALUES, IMAGE_SIZE_PX, TACTILE_VALUES

HEAD = struct.Struct("<IIqqqHf")  # episode, index, ROS and steady stamp, weights version, bytes of the owner, distance
NUMBERS = 3 * ACTION_VALUES + TACTILE_VALUES
# Fast and small enough: a wrist image takes some 12 kB.
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


@dataclass(frozen=True)
class ReplayStep:
    """What was seen, answered and done at one tick; the last one of an episode is what was seen after it.

    image (128, 128, 3) uint8; tactile_ut (15,); base, residual, executed (7,) in m, rad, gripper; owner: whose action
    was executed; distance_m: to the goal, NaN where nobody knows; stamps in ns.
    """

    image: NDArray[np.uint8]
    tactile_ut: NDArray[np.float32]
    base: NDArray[np.float32]
    residual: NDArray[np.float32]
    executed: NDArray[np.float32]
    owner: str = "policy"
    weights_version: int = 0
    stamp_ns: int = 0
    steady_ns: int = 0
    distance_m: float = float("nan")

    def __post_init__(self) -> None:
        shapes = {"tactile_ut": (TACTILE_VALUES,), **dict.fromkeys(("base", "residual", "executed"), (ACTION_VALUES,))}
        for name, shape in {"image": (IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), **shapes}.items():
            values = np.asarray(getattr(self, name))
            if values.shape != shape or not np.isfinite(values).all():
                raise VitalError(
                    ErrorCode.BAD_OBSERVATION, f"{name} of a step is {values.shape}, expected {shape} of finite values"
                )


def to_bytes(episode: int, index: int, step: ReplayStep) -> bytes:
    """The payload of a record. Inverse of `from_bytes`."""
    owner = step.owner.encode()
    ok, png = cv2.imencode(".png", step.image[..., ::-1], PNG)
    assert ok
    numbers = np.concatenate([step.base, step.residual, step.executed, step.tactile_ut]).astype("<f4")
    stamps = (step.stamp_ns, step.steady_ns, step.weights_version)
    head = HEAD.pack(episode, index, *stamps, len(owner), step.distance_m)
    return b"".join([head, owner, numbers.tobytes(), png.tobytes()])


def place_of(data: bytes) -> tuple[int, int]:
    """(episode, index) of a payload, without reading the rest."""
    episode, index, *_ = HEAD.unpack_from(data)
    return episode, index


def from_bytes(data: bytes) -> ReplayStep:
    """A step out of its payload."""
    _, _, stamp_ns, steady_ns, version, owner_bytes, distance_m = HEAD.unpack_from(data)
    numbers_at = HEAD.size + owner_bytes
    image_at = numbers_at + 4 * NUMBERS
    numbers = np.frombuffer(data, "<f4", NUMBERS, numbers_at)
    base, residual, executed, tactile = np.split(numbers, np.cumsum([ACTION_VALUES] * 3))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8, offset=image_at), cv2.IMREAD_COLOR)
    assert picture is not None, "a record whose checksum is right holds a picture"
    image = picture[..., ::-1].astype(np.uint8)
    owner = data[HEAD.size : numbers_at].decode()
    return ReplayStep(image, tactile, base, residual, executed, owner, version, stamp_ns, steady_ns, distance_m)
