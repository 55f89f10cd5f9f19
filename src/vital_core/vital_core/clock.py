"""Steady time: ages, deadlines and pacing never follow a clock that can be set."""

import time
from collections.abc import Callable


def steady_s() -> float:
    """Seconds of the steady clock."""
    return time.monotonic()


def wait_until(condition: Callable[[], bool], deadline_s: float, *, look_every_s: float = 0.05) -> bool:
    """Wait for ``condition`` until ``deadline_s`` of the steady clock; whether it came true."""
    while not condition():
        if steady_s() > deadline_s:
            return False
        time.sleep(look_every_s)
    return True


class Pacer:
    """Ticks at ``start + i * period``: a late tick does not push back the ones after it.

    A tick that is missed altogether is skipped and counted in `missed`, never made up for in a burst.
    """

    def __init__(
        self,
        period_s: float,
        *,
        now: Callable[[], float] = steady_s,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if period_s <= 0.0:
            raise ValueError(f"period_s must be positive, got {period_s}")
        self.period_s = period_s
        self.missed = 0
        self._now, self._sleep = now, sleep
        self._next = now()

    def remaining_s(self) -> float:
        """Seconds until the next tick is due; negative when it is late."""
        return self._next - self._now()

    def wait(self) -> float:
        """Sleep until the next tick; returns how late it comes, in seconds (0 or a little more)."""
        while (remaining := self.remaining_s()) > 0.0:
            self._sleep(remaining)
        late = -self.remaining_s()
        behind = int(late // self.period_s)
        self.missed += behind
        self._next += (behind + 1) * self.period_s
        return late
