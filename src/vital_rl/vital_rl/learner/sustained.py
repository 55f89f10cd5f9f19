"""What a machine can sustain, told before a training starts: a second of updates on made-up numbers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

WARM_UP = 3


@dataclass(frozen=True)
class Sustained:
    """Updates a second that were measured, and what they are for."""

    updates_per_s: float
    """With the actor's among them, as past the critics' own beginning."""
    threads: int
    """That they were measured on."""
    updates_per_step: int
    """That are asked for."""
    control_rate_hz: float
    """Steps a second of an arm that acts without pause."""

    @property
    def asked_per_s(self) -> float:
        """Updates that a second of acting asks for."""
        return self.updates_per_step * self.control_rate_hz

    @property
    def text(self) -> str:
        """What whoever trains is told."""
        told = (
            f"this machine makes {self.updates_per_s:.0f} updates/s on {self.threads} thread(s), "
            f"{self.asked_per_s:.0f} are asked for ({self.updates_per_step} a step at {self.control_rate_hz:g} Hz): "
        )
        if self.updates_per_s >= self.asked_per_s:
            return told + "learning keeps up with the arm"
        share = self.updates_per_s / self.asked_per_s
        fits = int(self.updates_per_s / self.control_rate_hz)
        fewer = f"; {fits} a step would keep up" if fits else ""
        return told + f"a step takes {1.0 / share:.1f} times as long as the arm needs for it{fewer}"

    def steps_text(self, steps: int) -> str:
        """How long the updates of so many steps take, where nobody waits for an arm."""
        hours = steps * self.updates_per_step / self.updates_per_s / 3600.0
        return f"the updates of {steps} steps take {hours:.1f} h, without simulation and features"


def measure(
    update: Callable[[], object], updates_per_step: int, control_rate_hz: float, seconds: float = 1.0
) -> Sustained:
    """One update after the other for so many seconds, on PyTorch's threads."""
    for _ in range(WARM_UP):
        update()
    start, count = time.perf_counter(), 0
    while (took_s := time.perf_counter() - start) < seconds or not count:
        update()
        count += 1
    return Sustained(count / took_s, torch.get_num_threads(), updates_per_step, control_rate_hz)
