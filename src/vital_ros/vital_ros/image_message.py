"""numpy images to and from sensor_msgs/Image, without copying byte by byte."""

import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from vital_core.errors import ErrorCode, VitalError, shortened

_TYPES: dict[str, tuple[np.dtype, int]] = {
    "rgb8": (np.dtype(np.uint8), 3),
    "mono8": (np.dtype(np.uint8), 1),
    "16UC1": (np.dtype("<u2"), 1),
}
LARGEST_SIDE_PX = 10_000


def to_message(image: NDArray, encoding: str, header: Header) -> Image:
    """Image message from (H, W, 3) uint8 for rgb8, (H, W) uint8 for mono8, (H, W) uint16 in mm for 16UC1."""
    dtype, channels = _TYPES[encoding]
    shape = image.shape[:2] if channels == 1 else (*image.shape[:2], channels)
    if image.shape != shape or image.dtype != dtype:
        raise ValueError(f"{encoding} needs {dtype} with {channels} channel(s), got {image.dtype} {image.shape}")
    message = Image(header=header, encoding=encoding, height=image.shape[0], width=image.shape[1])
    message.step = image.shape[1] * channels * dtype.itemsize
    # rclpy checks a `bytes` element by element; an array is taken as it is.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(image).tobytes())
    message.data = data
    return message


def from_message(message: Image, encoding: str) -> NDArray:
    """Array as in `to_message`. Raises VitalError(BAD_OBSERVATION) for another encoding, a wrong size or byte order."""
    dtype, channels = _TYPES[encoding]
    if message.encoding != encoding:
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"image has encoding '{shortened(message.encoding, 40)}', expected '{encoding}': set the camera's format",
        )
    if not (0 < message.width <= LARGEST_SIDE_PX and 0 < message.height <= LARGEST_SIDE_PX):
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"image is {message.width}x{message.height}, expected 1 to {LARGEST_SIDE_PX} px a side",
        )
    if message.is_bigendian and dtype.itemsize > 1:
        raise VitalError(ErrorCode.BAD_OBSERVATION, f"{encoding} image is big-endian, expected little-endian")
    row_bytes = message.width * channels * dtype.itemsize
    if message.step < row_bytes or len(message.data) != message.step * message.height:
        raise VitalError(
            ErrorCode.BAD_OBSERVATION,
            f"image of {message.width}x{message.height} has {len(message.data)} bytes in steps of {message.step}",
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)[:, :row_bytes]
    pixels = np.ascontiguousarray(rows).view(dtype)
    return pixels.reshape(message.height, message.width, channels) if channels > 1 else pixels
