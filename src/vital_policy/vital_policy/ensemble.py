"""Temporal ensemble: the action of a tick is the mean of all predictions made for it (Zhao et al. 2023)."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

PAPER_DECAY = 0.01


class TemporalEnsemble:
    """Weights w_i = exp(-decay i), w_0 the oldest prediction for the tick. One per episode, or reset between.

    The paper's 0.01 is nearly a plain mean over 1.7 s at 6 Hz: smooth, and late to feel a contact. Below 0 the
    newest predictions weigh most.
    A component that is zero is a prediction like any other.
    """

    def __init__(self, decay: float = PAPER_DECAY) -> None:
        if not math.isfinite(decay):
            raise ValueError(f"decay is {decay}, expected a finite number")
        self.decay = decay
        self._chunks: deque[NDArray[np.float64] | None] = deque()  # newest first

    def reset(self) -> None:
        """Forget every prediction: a new episode begins."""
        self._chunks.clear()

    def skip(self) -> None:
        """A tick passes without a prediction; older predictions stay aligned with time."""
        self._chunks.appendleft(None)
        self._forget_used()

    def step(self, chunk: NDArray[np.floating]) -> NDArray[np.float64]:
        """Add the chunk (K, A) predicted at this tick (row 0 is for this tick); returns the action (A,)."""
        self._chunks.appendleft(np.array(chunk, dtype=float))
        self._forget_used()
        predictions = np.stack([c[age] for age, c in enumerate(self._chunks) if c is not None][::-1])
        exponents = -self.decay * np.arange(len(predictions))
        weights = np.exp(exponents - exponents.max())
        return weights @ predictions / weights.sum()

    def _forget_used(self) -> None:
        while self._chunks:
            oldest = self._chunks[-1]
            if oldest is not None and len(oldest) >= len(self._chunks):
                return
            self._chunks.pop()
