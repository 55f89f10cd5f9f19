"""How often a session may fail in a row before something is wrong, and what is a failure at all.

A stall is none: a busy machine held something up, and the next attempt may well do. Nothing but stalls for minutes is
one.
"""

import math
from collections.abc import Callable

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError

MOST_FAILURES_IN_A_ROW = 5
STALLED_S = 180.0
STALLS = frozenset(
    {ErrorCode.STALE_OBSERVATION, ErrorCode.NO_CAMERA, ErrorCode.TIMEOUT, ErrorCode.BUSY, ErrorCode.NODE_LOST}
)


class Patience:
    """Counts what went wrong since something went well. what: ends the sentence with which it gives up."""

    def __init__(self, what: str, now: Callable[[], float] = steady_s) -> None:
        self._what, self._now = what, now
        self.went_well()

    def went_well(self) -> None:
        """An attempt came to a good end."""
        self._failures, self._stalls, self._stalled_since_s = 0, 0, math.inf

    def failed(self, note: str, code: ErrorCode = ErrorCode.GIVE_UP) -> None:
        """An attempt did not. Raises VitalError(GIVE_UP) when that was one too many."""
        if code in STALLS:
            self._stalls += 1
            self._stalled_since_s = min(self._now(), self._stalled_since_s)
        else:
            self._failures += 1
            self._stalled_since_s = math.inf
        if self._failures >= MOST_FAILURES_IN_A_ROW or self._now() - self._stalled_since_s > STALLED_S:
            stalls = f" and {self._stalls} stalls" if self._stalls else ""
            raise VitalError(
                ErrorCode.GIVE_UP, f"{self._failures} attempts{stalls} in a row {self._what}, the last: {note}"
            )
