"""A stall is waited out for a while, anything else is told at once."""

import pytest

from vital_core import stall
from vital_core.errors import ErrorCode, VitalError
from vital_core.stall import wait_out_a_stall


def failing(code: ErrorCode, times: int):
    left = [VitalError(code, "silent just then")] * times

    def work() -> str:
        if left:
            raise left.pop()
        return "done"

    return work


def test_a_sensor_that_comes_back_is_waited_for():
    assert wait_out_a_stall(failing(ErrorCode.SENSOR_FAULT, 3)) == "done"


def test_a_sensor_that_stays_silent_is_told(monkeypatch):
    monkeypatch.setattr(stall, "STALL_S", 0.2)
    with pytest.raises(VitalError, match="silent just then"):
        wait_out_a_stall(failing(ErrorCode.SENSOR_FAULT, 100))


@pytest.mark.parametrize(("code", "abandoned"), [(ErrorCode.STOPPED, False), (ErrorCode.SENSOR_FAULT, True)])
def test_other_refusals_and_a_cancel_are_not_waited_out(code, abandoned):
    work = failing(code, 1)
    with pytest.raises(VitalError):
        wait_out_a_stall(work, lambda: abandoned)
    assert work() == "done", "it was tried once"
