"""A picture to learn from, and what is seen in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Farther than this between the picture's depth and the point, and something stands before it.
HIDDEN_M = 0.03


@dataclass(frozen=True)
class Picture:
    """A view and what can be seen in it: image (480, 640, 3) uint8, name -> (u, v) in its pixels; hidden: unseen."""

    image: NDArray[np.uint8]
    seen: dict[str, tuple[float, float]]
    hidden: tuple[str, ...]
