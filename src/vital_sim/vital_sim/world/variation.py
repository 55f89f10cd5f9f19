"""What changes from episode to episode, apart from the look."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Variation:
    """Centres and half ranges of uniform draws, in `link_base`."""

    target_x_m: tuple[float, float] = (0.45, 0.04)
    """Centre of the opening."""
    target_y_m: tuple[float, float] = (0.0, 0.04)
    """Centre of the opening."""
    target_z_m: tuple[float, float] = (0.035, 0.005)
    """Centre of the opening; a block lies on the table, as high as it is."""
    target_yaw_rad: tuple[float, float] = (0.0, float(np.deg2rad(2.0)))
    """Of the opening."""
    offset_m: float = 0.0015
    """Half range of the object's in-hand offset about nominal, along each axis."""
    offset_rad: float = float(np.deg2rad(4.0))
    """The same, about each axis."""


EXACT = Variation(offset_m=0.0, offset_rad=0.0)
_SOME_YAW = float(np.deg2rad(8.0))
# Where a task's own range differs: a lock is turned, a block lies on the table as it fell.
VARIATIONS = {
    "card_swipe": Variation(target_x_m=(0.50, 0.04)),
    "key_in_lock": Variation(target_yaw_rad=(0.0, _SOME_YAW)),
    "pick_block": Variation(target_yaw_rad=(0.0, _SOME_YAW)),
}


def variation_of(task: str) -> Variation:
    """What changes from episode to episode where a task is trained."""
    return VARIATIONS.get(task, Variation())
