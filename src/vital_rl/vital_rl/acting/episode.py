"""One episode of the local policy: ticks paced on steady time until it ends, and why it ended."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vital_core.clock import Pacer, steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_rl.acting.tick import EpisodeFigures, PolicyTick, TickResult


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

    def __init__(
        self,
        tick: PolicyTick,
        period_s: float,
        give_up_after_s: float,
        fault: Callable[[], VitalError | None] = lambda: None,
    ) -> None:
        """fault: asked before every tick; what it tells ends the episode."""
        self._tick, self._period_s, self._fault = tick, period_s, fault
        self._ended_by: EpisodeEnd | None = None
        self.figures = EpisodeFigures(give_up_after_s)

    def cancel(self) -> None:
        """No tick begins after this; the episode counts as completed."""
        self.end(EpisodeEnd(True, ErrorCode.CANCELLED, "cancelled"))

    def end(self, end: EpisodeEnd) -> None:
        """No tick begins after this, for a reason; the first one counts."""
        self._ended_by = self._ended_by or end

    @property
    def ended(self) -> bool:
        """Whether no tick begins any more."""
        return self._ended_by is not None

    def run(self, duration_s: float, act: Callable[[TickResult, TickTimes], bool]) -> EpisodeEnd:
        """Tick for ``duration_s``; ``act`` gets every tick's result at once, and says whether it was sent."""
        self._tick.reset()
        with _undisturbed():
            pacer = Pacer(self._period_s)
            end_s = steady_s() + duration_s
            while not self.figures.lost:
                late_s = self._next(pacer)
                started_s = steady_s()
                if (error := self._fault()) is not None:
                    self.end(EpisodeEnd(False, error.code, error.message))
                if self._ended_by is not None:
                    return self._ended_by
                if started_s >= end_s:
                    return EpisodeEnd(True, ErrorCode.OK, f"the time of {duration_s:.1f} s is up")
                result = self._tick.run()
                sent = act(result, TickTimes(started_s, late_s, steady_s() - started_s))
                self.figures.note(result, sent, started_s, steady_s() - started_s)
        f = self.figures
        told = f"{f.refused_in_a_row} observations in a row, {f.refused_for_s:.1f} s, were not fit to act on"
        return EpisodeEnd(False, result.code, f"{told}: {result.message}")

    def _next(self, pacer: Pacer) -> float:
        """Wait for the next tick; how late it comes, s. Ticks that were slept through are passed over."""
        missed = pacer.missed
        late_s = pacer.wait()
        for _ in range(pacer.missed - missed):
            self._tick.skip()
        return late_s


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection while the episode runs."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
