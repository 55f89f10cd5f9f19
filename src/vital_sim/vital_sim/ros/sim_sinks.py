"""Who wants what of the simulated robot, and how often."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from vital_sim.world.truth import Truth


@dataclass
class Sinks:
    """One function for each thing that is told. A camera is rendered only while `wants_*` says that somebody looks."""

    joints: Callable[[NDArray, NDArray], None]
    """Positions and velocities."""
    tactile: Callable[[NDArray, bool], None]
    """A reading, and whether it is within range."""
    wrist: Callable[[tuple[NDArray, NDArray | None], Any], None]
    """The image and, while it is wanted, its foreground; with a stamp, in the camera's own thread."""
    scene: Callable[[tuple[NDArray, NDArray], Any], None]
    """Colour and depth; with a stamp, in the camera's own thread."""
    show: Callable[[NDArray, Any], None]
    """A picture for people; with a stamp, in the camera's own thread."""
    truth: Callable[[Truth, int, int], None]
    """With seed and episode."""
    reference: Callable[[NDArray, NDArray], None]
    """Where the controller holds the joints, and how fast they are to move."""
    reset: Callable[[NDArray], None]
    """Where a new scene has put the joints, before anything else is sent of it."""
    wants_wrist: Callable[[], bool]
    """Whether somebody looks."""
    wants_foreground: Callable[[], bool]
    """Whether somebody looks."""
    wants_scene: Callable[[], bool]
    """Whether somebody looks."""
    wants_show: Callable[[], bool]
    """Whether somebody looks."""
    stamp: Callable[[], Any]
    """The moment that an image shows."""
    periods_s: dict[str, float] = field(
        default_factory=lambda: {
            "joints": 0.01,
            "reference": 0.02,
            "tactile": 0.01,
            "wrist": 1 / 30,
            "scene": 0.2,
            "show": 0.2,
            "truth": 0.02,
        }
    )
