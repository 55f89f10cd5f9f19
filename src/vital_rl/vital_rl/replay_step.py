"""One step of an episode as bytes: the image once, without loss, and the numbers around it.

Where the foreground is known it is the picture's fourth channel.
"""

import struct

import cv2
import numpy as np

from vital_core.observation import ACTION_VALUES, TACTILE_VALUES
from vital_policy.rollout import ReplayStep

HEAD = struct.Struct("<IIqqqHf")  # episode, index, ROS and steady stamp, weights version, bytes of the owner, distance
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
    picture = cv2.imdecode(np.frombuffer(data, np.uint8, offset=image_at), cv2.IMREAD_UNCHANGED)
    assert picture is not None, "a record whose checksum is right holds a picture"
    image = picture[..., 2::-1].astype(np.uint8)
    foreground = np.packbits(picture[..., 3] > 0, axis=-1) if picture.shape[2] == 4 else None
    owner = data[HEAD.size : numbers_at].decode()
    return ReplayStep(
        image, tactile, base, residual, executed, owner, version, stamp_ns, steady_ns, distance_m, foreground
    )
