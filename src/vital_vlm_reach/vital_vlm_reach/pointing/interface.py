"""The one interface behind which every pointing model stands."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Candidate:
    """One place that a model points at: column and row in px, what it calls it, and how sure it is, 0 to 1."""

    pixel_uv: tuple[float, float]
    label: str = ""
    confidence: float = 1.0


@dataclass(frozen=True)
class Pointing:
    """Where the thing named by the sentence is.

    pixel_uv: column and row in px in the image as it was given, or None when it is not in view.
    confidence: that it is in view, 0 to 1. message: one sentence for the operator.
    candidates: every place that the model named, the chosen one first; empty where a model names one alone. Where it
    takes none for the thing, those that it would have pointed at.
    """

    pixel_uv: tuple[float, float] | None
    confidence: float
    message: str
    candidates: tuple[Candidate, ...] = ()


class PointingModel(Protocol):
    """Points at what a sentence names."""

    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """``rgb`` is (H, W, 3) uint8, ``prompt`` the operator's sentence; never raises for an absent object.

        Raises VitalError for a sentence that is not one, and where the model fails or cannot be understood.
        """
        ...
