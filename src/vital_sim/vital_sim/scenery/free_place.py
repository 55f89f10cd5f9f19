"""Where on a table something may stand beside what stands there already."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TRIES = 80


def free_place(
    rng: np.random.Generator,
    taken: Sequence[NDArray[np.float64]],
    apart_m: float,
    lower: tuple[float, float],
    upper: tuple[float, float],
) -> NDArray[np.float64] | None:
    """(x, y) in m between ``lower`` and ``upper``, farther than that from every place taken; None: none was found."""
    for _ in range(TRIES):
        place = rng.uniform(lower, upper)
        if all(np.linalg.norm(place - other) > apart_m for other in taken):
            return place
    return None
