"""A sensor that is held up for a moment on a busy machine is waited for; one that stays silent is a fault."""

import time
from collections.abc import Callable
from typing import TypeVar

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError

STALL_S = 2.0
RETRY_S = 0.1
Answer = TypeVar("Answer")


def wait_out_a_stall(work: Callable[[], Answer], abandon: Callable[[], bool] = lambda: False) -> Answer:
    """What ``work`` returns, tried again for `STALL_S` while it raises VitalError(SENSOR_FAULT), unless ``abandon``
    says to end that; for a thread beside the executor. Raises what ``work`` raises."""
    deadline_s = steady_s() + STALL_S
    while True:
        try:
            return work()
        except VitalError as error:
            if error.code is not ErrorCode.SENSOR_FAULT or abandon() or steady_s() > deadline_s:
                raise
        time.sleep(RETRY_S)
