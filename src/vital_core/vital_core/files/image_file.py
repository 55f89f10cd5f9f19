"""Images from files: what is no regular file or says that it is huge is refused before it is decoded."""

import io
import warnings
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vital_core.files import safe_file
from vital_core.files.schema import Source

MOST_BYTES = 64_000_000
MOST_PIXELS = 50_000_000


def read_image(path: Path, flags: int, source: Source) -> NDArray[np.uint8]:
    """A PNG, JPEG or BMP file as OpenCV decodes it with ``flags`` (`cv2.IMREAD_COLOR`, ...). Raises VitalError."""
    try:
        data = safe_file.read_bytes(path, MOST_BYTES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            width, height = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP")).size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise source.refuse(f"cannot be read ({error})") from error
    if width * height > MOST_PIXELS:
        raise source.refuse(f"is of {width}x{height} pixels, expected at most {MOST_PIXELS} of them")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise source.refuse(f"cannot be decoded ({error.err})") from error
    if image is None:
        raise source.refuse("is no image")
    return cast(NDArray[np.uint8], image)
