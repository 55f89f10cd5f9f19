"""What the experiments measure with: the deepest penetration, and what a tactile reading tells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TouchScore:
    """Held-out accuracy of telling by touch alone on which side a contact is."""

    correct: int
    """Of the trials."""
    trials: int
    """All that were held out."""


def score_touches(touches: Sequence[tuple[NDArray[np.float64], int]], train: int) -> TouchScore:
    """Learn from the first ``train`` touches, each a reading (15,) and its side, and tell the side of the others."""
    features, labels = np.stack([reading for reading, _ in touches]), np.array([side for _, side in touches])
    predict = discriminant(features[:train], labels[:train])
    return TouchScore(int((predict(features[train:]) == labels[train:]).sum()), len(touches) - train)


def discriminant(
    features: NDArray[np.float64], labels: NDArray[np.int64]
) -> Callable[[NDArray[np.float64]], NDArray[np.int64]]:
    """Linear discriminant analysis with a shared covariance: readings (n, d), labels (n,) from 0 on."""
    classes = range(int(labels.max()) + 1)
    means = np.stack([features[labels == k].mean(axis=0) for k in classes])
    spread = np.cov((features - means[labels]).T) + np.eye(features.shape[1])
    weights = np.linalg.solve(spread, means.T)
    bias = -0.5 * np.einsum("kd,dk->k", means, weights)
    return lambda x: (x @ weights + bias).argmax(axis=1)


class DeepestPenetration:
    """Watches every physics step of every world while the `with` block lasts; `metres` is the deepest seen."""

    def __init__(self) -> None:
        self.metres = 0.0

    def __enter__(self) -> Self:
        # MuJoCo calls this from inside each mj_step; at time 0 a world is still being put in place.
        mujoco.set_mjcb_control(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        mujoco.set_mjcb_control(None)

    def _watch(self, _model: mujoco.MjModel, data: mujoco.MjData) -> None:
        if data.ncon and data.time > 0.0:
            self.metres = max(self.metres, -float(data.contact.dist.min()))
