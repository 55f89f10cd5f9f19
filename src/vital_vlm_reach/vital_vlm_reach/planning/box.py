"""The box in which planned motion keeps the TCP."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vital_core.task import Task

# Planned motion stays this far inside the box that the command gate enforces.
BOX_MARGIN_M = 0.001


@dataclass(frozen=True)
class Box:
    """Where the TCP may be: corners in `link_base`, m."""

    lower_m: tuple[float, ...]
    upper_m: tuple[float, ...]

    @classmethod
    def of_task(cls, task: Task) -> "Box":
        """The task's workspace, `BOX_MARGIN_M` smaller on every side."""
        lower = tuple(v + BOX_MARGIN_M for v in task.workspace_lower_m)
        upper = tuple(v - BOX_MARGIN_M for v in task.workspace_upper_m)
        return cls(lower, upper)

    def outside_m(self, point_m: ArrayLike) -> float:
        """How far a point (3,) is outside along the worst axis; negative inside."""
        p = np.asarray(point_m, dtype=float)
        return float(np.maximum(np.subtract(self.lower_m, p), np.subtract(p, self.upper_m)).max())
