"""One step of an episode as bytes: the image once, without loss, and the numbers around it.

Where the foreground is known it is the picture's fourth channel.
"""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import ACTION_VALUES, IMAGE_SIZE_PX, TACTILE_VALUES
from vital_rl.acting.rollout import ReplayStep

HEAD = struct.Struct("<IIqqqHf")  # episode, index, ROS and steady stamp, weights version, bytes of the owner, distance
# A PNG file begins with this; width, height, bits a channel and the kind of colours follow: 2 RGB, 6 with a fourth.
PNG_BEGINS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PNG_SIZE = struct.Struct(">IIBB")
PICTURES = [(IMAGE_SIZE_PX, IMAGE_SIZE_PX, 8, colours) for colours in (2, 6)]
NUMBERS = 3 * ACTION_VALUES + TACTILE_VALUES
# Fast and small enough: a wrist image takes some 12 kB.
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


def to_bytes(episode: int, index: int, step: ReplayStep) -> bytes:
    """The payload of a record. Inverse of `from_bytes`."""
    owner = step.owner.encode()
    picture = step.image[..., ::-1]
    if step.foreground is not None:
        picture = np.dstack([picture, 255 * np.unpackbits(step.foreground, axis=-1)])
    ok, png = cv2.imencode(".png", picture, PNG)
    assert ok
    numbers = np.concatenate([step.base, step.residual, step.executed, step.tactile_ut]).astype("<f4")
    stamps = (step.stamp_ns, step.steady_ns, step.weights_version)
    head = HEAD.pack(episode, index, *stamps, len(owner), step.distance_m)
    return b"".join([head, owner, numbers.tobytes(), png.tobytes()])


def place_of(data: bytes) -> tuple[int, int]:
    """(episode, index) of a payload, without reading the rest. Raises VitalError(BAD_RECORDING)."""
    if len(data) < HEAD.size:
        raise _refuse(f"has {len(data)} bytes, expected at least {HEAD.size}")
    episode, index, *_ = HEAD.unpack_from(data)
    return episode, index


def from_bytes(data: bytes) -> ReplayStep:
    """A step out of its payload. Raises VitalError(BAD_RECORDING or BAD_OBSERVATION) where it holds none."""
    place_of(data)
    _, _, stamp_ns, steady_ns, version, owner_bytes, distance_m = HEAD.unpack_from(data)
    numbers_at = HEAD.size + owner_bytes
    image_at = numbers_at + 4 * NUMBERS
    if len(data) < image_at:
        raise _refuse(f"has {len(data)} bytes, expected at least {image_at}")
    numbers = np.frombuffer(data, "<f4", NUMBERS, numbers_at)
    base, residual, executed, tactile = np.split(numbers, np.cumsum([ACTION_VALUES] * 3))
    picture = _picture(data[image_at:])
    image = picture[..., 2::-1].astype(np.uint8)
    foreground = np.packbits(picture[..., 3] > 0, axis=-1) if picture.shape[2] == 4 else None
    owner = data[HEAD.size : numbers_at].decode(errors="replace")
    return ReplayStep(
        image, tactile, base, residual, executed, owner, version, stamp_ns, steady_ns, distance_m, foreground
    )


def _picture(png: bytes) -> NDArray[np.uint8]:
    """(128, 128, 3 or 4); what says that it is of another size is not unpacked."""
    size = PNG_SIZE.unpack_from(png, len(PNG_BEGINS)) if len(png) > len(PNG_BEGINS) + PNG_SIZE.size else None
    if not png.startswith(PNG_BEGINS) or size not in PICTURES:
        raise _refuse(f"has a picture of width, height, bits, colours {size}, expected one of {PICTURES}")
    try:
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise _refuse(f"has a picture that cannot be unpacked ({error.err})") from error
    if picture is None or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4):
        raise _refuse("has a picture that cannot be unpacked")
    return np.asarray(picture, np.uint8)


def _refuse(what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_RECORDING, f"a stored step {what}: restore the replay, or begin another")
