"""When a session gives up."""

import pytest

from vital_bringup.sessions.patience import MOST_FAILURES_IN_A_ROW, STALLED_S, Patience
from vital_core.errors import ErrorCode, VitalError


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_failures_in_a_row_are_too_many_and_one_good_attempt_forgets_them():
    patience = Patience("went wrong")
    for _ in range(2):
        for _ in range(MOST_FAILURES_IN_A_ROW - 1):
            patience.failed("no way there", ErrorCode.UNREACHABLE)
        patience.went_well()
    with pytest.raises(VitalError, match="5 attempts in a row went wrong, the last: no way there") as given_up:
        for _ in range(MOST_FAILURES_IN_A_ROW):
            patience.failed("no way there", ErrorCode.UNREACHABLE)
    assert given_up.value.code is ErrorCode.GIVE_UP


def test_stalls_count_only_once_nothing_else_has_happened_for_minutes():
    clock = Clock()
    patience = Patience("went wrong", clock)
    for _ in range(10):
        patience.failed("no image", ErrorCode.NO_CAMERA)
        clock.now_s += STALLED_S / 20
    patience.went_well()
    patience.failed("no image", ErrorCode.NO_CAMERA)
    clock.now_s += STALLED_S * 1.01
    with pytest.raises(VitalError, match="0 attempts and 2 stalls in a row went wrong, the last: no image"):
        patience.failed("no image", ErrorCode.NO_CAMERA)
