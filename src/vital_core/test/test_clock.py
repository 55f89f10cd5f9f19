"""The pacer on a clock that stands still but for its sleeps and the work between them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core.clock import Pacer

PERIOD_S = 0.125  # a power of two: sums of it are exact


class SteppedClock:
    """Moves when told to, and by part of each sleep: a sleep may end early."""

    def __init__(self, share: float = 1.0) -> None:
        self.now_s, self.share = 0.0, share

    def now(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s if duration_s < 1e-6 else duration_s * self.share


@given(st.lists(st.integers(0, 40)), st.sampled_from([0.5, 1.0]))
def test_ticks_and_missed_ticks_add_up_to_the_grid(work, share):
    clock = SteppedClock(share)
    pacer = Pacer(PERIOD_S, now=clock.now, sleep=clock.sleep)
    for ticks, sixteenths in enumerate(work, start=1):
        clock.now_s += sixteenths * PERIOD_S / 16
        late_s = pacer.wait()
        due = clock.now_s - late_s
        assert late_s >= 0.0 and due % PERIOD_S == pytest.approx(0.0, abs=1e-9)
        assert 0.0 < pacer.remaining_s() <= PERIOD_S
        assert ticks + pacer.missed == math.floor(clock.now_s / PERIOD_S) + 1


@pytest.mark.parametrize("period_s", [0.0, -1.0])
def test_period_that_is_not_positive_is_refused(period_s):
    with pytest.raises(ValueError, match="must be positive"):
        Pacer(period_s)
