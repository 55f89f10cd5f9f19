"""From a finished episode to aligned n-step transitions.

Row t of an episode holds what was seen at t, what the base policy answered, what was added, who acted and the reward of
that step. A transition starts at t and ends at t + n, or at the episode's end; none looks into another episode.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError


@dataclass(frozen=True)
class EpisodeSteps:
    """T steps and what was seen after the last one.

    features: (T + 1, V, D) of V augmented variants; base (T + 1, 7) normalised; residual (T, 7), executed minus base
    over the offset scale; reward (T,); intervened (T,) bool, a person acted; terminated: the episode came to its end
    by itself, otherwise it was cut off and its last state has a value like any other.
    """

    features: NDArray[np.floating]
    base: NDArray[np.float32]
    residual: NDArray[np.float32]
    reward: NDArray[np.float32]
    intervened: NDArray[np.bool_]
    terminated: bool

    def __post_init__(self) -> None:
        steps = len(self.reward)
        expected = {"features": steps + 1, "base": steps + 1, "residual": steps, "intervened": steps}
        for name, length in expected.items():
            if len(getattr(self, name)) != length:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} rows for {steps} rewards, expected {length}: "
                    "every step needs what was seen before it, and the last one what was seen after"
                )
        if steps < 1:
            raise ValueError("an episode has no step, expected at least one")

    def __len__(self) -> int:
        return len(self.reward)


@dataclass(frozen=True)
class Transitions:
    """N rows: from state `start` to state `end` (indices of the episode's rows), with what came between.

    reward (N,): discounted sum on the way; discount (N,): of the value at the end, 0 where the episode terminated.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    reward: NDArray[np.float32]
    discount: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.start)


def n_step(episode: EpisodeSteps, steps: int, gamma: float) -> Transitions:
    """One transition a step (Sutton and Barto 2018, section 7.1); the last ones are shorter, none is left out."""
    if steps < 1 or not 0.0 <= gamma <= 1.0:
        raise ValueError(f"n is {steps} and gamma {gamma}, expected at least 1 and 0 to 1")
    length = len(episode)
    start = np.arange(length)
    end = np.minimum(start + steps, length)
    powers = gamma ** np.arange(steps)
    padded = np.concatenate([episode.reward, np.zeros(steps, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps)[:length]
    discount = gamma ** (end - start).astype(np.float64)
    if episode.terminated:
        discount[end == length] = 0.0
    return Transitions(start, end, (windows @ powers).astype(np.float32), discount.astype(np.float32))


def rewards(success: bool, distance_m: NDArray[np.floating] | None, length: int, *, dense: bool) -> NDArray[np.float32]:
    """(length,) 1 at the end of a success, and with ``dense`` minus the distance to the goal (m) after each step.

    Where a distance is not known for a moment, it is taken from those around it. Raises VitalError(BAD_PARAMETER) where
    none is.
    """
    reward = np.zeros(length, np.float32)
    if dense:
        if distance_m is None or len(distance_m) != length:
            raise ValueError(f"the dense reward needs {length} distances, got {distance_m}")
        known = np.flatnonzero(np.isfinite(distance_m))
        if not len(known):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                "the dense reward needs the distance to the goal, which nobody measured here: leave it out",
            )
        reward -= np.interp(np.arange(length), known, np.asarray(distance_m)[known]).astype(np.float32)
    if success:
        reward[-1] += 1.0
    return reward


def same(a: EpisodeSteps, b: EpisodeSteps) -> bool:
    """Whether two episodes hold the same numbers."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(EpisodeSteps))
