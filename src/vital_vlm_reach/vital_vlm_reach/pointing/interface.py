"""The one interface behind which every pointing model stands."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pointing:
    """Where the thing named by the sentence is.

    pixel_uv: column and row in px in the picture as it was given, or None when it is not in view.
    confidence: that it is in view, 0 to 1. message: one sentence for the operator.
    """

    pixel_uv: tuple[float, float] | None
    confidence: float
    message: str


class PointingModel(Protocol):
    """Points at what a sentence names."""

    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """``rgb`` is (H, W, 3) uint8, ``prompt`` the operator's sentence; never raises for an absent object."""
        ...
