"""How a demonstrator moves, and what every demonstrator means to do."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

X, Z = 0, 2
"""Of the target's frame."""


class Phase(Enum):
    """What the demonstrator is doing."""

    APPROACH = "approach"
    TOUCH = "touch"
    INSERT = "insert"
    HOLD = "hold"
    DONE = "done"


@dataclass(frozen=True)
class Style:
    """How a demonstrator moves."""

    pace: float = 1.0
    """Overall speed factor."""
    aim_m: float = 0.0002
    """Lateral error at which it stops descending, at the mouth."""
    aim_slope: float = 0.12
    """What more it allows per metre of height."""
    gain_1_s: float = 2.5
    """Speed per error."""
    press_n: float = 6.0
    """Force with which it feels its way over the rim."""
    error_m: float = 0.0
    """Size of its slowly drifting misjudgement."""
    error_hz: float = 0.3
    """How fast that drifts."""
    error_rad: float = 0.0
    """The same misjudgement of the tilt."""
    error_n: float = 0.0
    """The same misjudgement of the force."""


def human_style(rng: np.random.Generator) -> Style:
    """A person's way of doing it, another one each time."""
    return Style(
        pace=rng.uniform(0.65, 0.95),
        aim_m=rng.uniform(0.0008, 0.0015),
        aim_slope=0.35,
        gain_1_s=rng.uniform(3.0, 4.5),
        press_n=rng.uniform(3.0, 6.0),
        error_m=rng.uniform(0.001, 0.004),
        error_hz=rng.uniform(0.15, 0.4),
        error_rad=np.deg2rad(rng.uniform(0.3, 1.5)),
        error_n=rng.uniform(1.0, 5.0),
    )


# What every demonstrator means to do, whatever the day's pace: the label for learning is the same for all.
INTENTION = Style(pace=0.85, aim_m=0.0008, aim_slope=0.35, gain_1_s=4.0, press_n=4.0)
