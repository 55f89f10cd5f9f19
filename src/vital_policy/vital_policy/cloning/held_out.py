"""How well the first action of a chunk is predicted on episodes that were held out, by dimension and phase, at the tip.

It tells within minutes of training what trials tell within hours: a dimension that is not learned has no R2.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = ("x", "y", "z", "rx", "ry", "rz", "gripper")
PHASES = ("all", "first", "middle", "last")
# Variance (m^2, rad^2, gripper^2) below which a dimension does not move, and there is nothing to explain.
STILL = np.array([1e-10] * 3 + [1e-8] * 3 + [1e-6])
Scores = Mapping[str, Mapping[str, float | None]]


def r_squared(predicted: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[float | None]:
    """Share of the variance of each column of (N, D) that is explained: 1 for all, 0 where the mean does as well,
    None where there is none."""
    if len(wanted) < 2:
        return [None] * wanted.shape[1]
    variance = wanted.var(0)
    missed = ((predicted - wanted) ** 2).mean(0)
    return [
        None if total < least else float(1.0 - error / total)
        for error, total, least in zip(missed, variance, STILL[: wanted.shape[1]], strict=True)
    ]


def phases_of(episode: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) 0, 1, 2: the third of its episode in which each frame lies. episode: (N,), frames in order."""
    phase = np.zeros(len(episode), np.int64)
    for number in np.unique(episode):
        frames = np.flatnonzero(episode == number)
        phase[frames] = 3 * np.arange(len(frames)) // len(frames)
    return phase


def scores(predicted: NDArray[np.float64], wanted: NDArray[np.float64], phase: NDArray[np.int64]) -> Scores:
    """`r_squared` of (N, 7) actions, m, rad, gripper: {phase: {dimension: R2 or None}}."""
    found = {}
    for number, name in enumerate(PHASES, start=-1):
        chosen = phase == number if number >= 0 else np.ones(len(phase), bool)
        found[name] = dict(zip(DIMENSIONS, r_squared(predicted[chosen], wanted[chosen]), strict=True))
    return found


def line_of(found: Scores) -> str:
    """The scores over all phases in one line; a dimension that stands still is left out."""
    told = ((name, value) for name, value in found["all"].items() if value is not None)
    return "R2 " + " ".join(f"{name} {value:.2f}" for name, value in told)
