"""Places on a table, apart from what stands there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vital_sim.scenery.free_place import free_place

LOWER, UPPER = (0.3, -0.2), (0.6, 0.2)


@given(st.integers(0, 2**32), st.integers(0, 6))
def test_a_place_lies_between_its_bounds_and_apart_from_all_others(seed: int, count: int) -> None:
    rng, taken = np.random.default_rng(seed), []
    for _ in range(count + 1):
        place = free_place(rng, taken, 0.05, LOWER, UPPER)
        assert place is not None and np.all(place >= LOWER) and np.all(place <= UPPER)
        assert all(np.linalg.norm(place - other) > 0.05 for other in taken)
        taken.append(place)


def test_where_nothing_is_free_none_is_told() -> None:
    assert free_place(np.random.default_rng(0), [np.array([0.45, 0.0])], 1.0, LOWER, UPPER) is None
