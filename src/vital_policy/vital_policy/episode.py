"""One episode of the local policy: ticks paced on steady time until it ends, and why it ended."""

import contextlib
import gc
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vital_core.clock import Pacer, steady_s
from vital_core.errors import ErrorCode
from vital_policy.tick import EpisodeFigures, PolicyTick, TickResult

# The tick competes with camera and simulator for the cores; it may go first where the system allows that.
TICK_NICENESS = -10


@dataclass(frozen=True)
class TickTimes:
    """When a tick began (steady time), how late that was, and how long observation to action took, s."""

    started_s: float
    lateness_s: float
    inference_s: float


@dataclass(frozen=True)
class EpisodeEnd:
    """How an episode ended. completed: it ran to its time or until it was cancelled."""

    completed: bool
    code: ErrorCode
    message: str


class Episode:
    """Runs ticks in the calling thread; `cancel` ends it from any other."""

    def __init__(self, tick: PolicyTick, period_s: float, give_up_after: int) -> None:
        self._tick, self._period_s = tick, period_s
        self._cancelled = threading.Event()
        self.figures = EpisodeFigures(give_up_after)

    def cancel(self) -> None:
        """No tick begins after this."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def run(self, duration_s: float, act: Callable[[TickResult, TickTimes], None]) -> EpisodeEnd:
        """Tick for ``duration_s``; ``act`` gets every tick's result at once, before the tick is counted."""
        self._tick.reset()
        with _undisturbed():
            pacer = Pacer(self._period_s)
            end_s = steady_s() + duration_s
            while not self.figures.lost:
                late_s = pacer.wait()
                started_s = steady_s()
                if self.cancelled:
                    return EpisodeEnd(True, ErrorCode.CANCELLED, "cancelled")
                if started_s >= end_s:
                    return EpisodeEnd(True, ErrorCode.OK, f"the time of {duration_s:.1f} s is up")
                result = self._tick.run()
                act(result, TickTimes(started_s, late_s, steady_s() - started_s))
                self.figures.note(result, started_s, steady_s() - started_s)
        refused = self.figures.refused_in_a_row
        return EpisodeEnd(
            False, result.code, f"{refused} observations in a row were not fit to act on: {result.message}"
        )


def _go_first() -> None:
    """Real-time scheduling for this thread, or a better niceness, as far as the system allows."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), TICK_NICENESS)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection, and a higher priority for this thread, while the episode runs."""
    _go_first()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
