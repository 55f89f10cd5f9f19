"""What whoever locates a target is shown: the scene camera's view as a robot has it, and nothing of the truth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core.pose import Pose


@dataclass(frozen=True)
class SceneLook:
    """One look from beside the table.

    rgb: (H, W, 3) uint8. depth_mm: (H, W) uint16, aligned, 0 = no reading. camera_matrix: (3, 3), px. t_base_camera: as
    a calibration would have found it. t_base_tcp: where the hand is meanwhile, by its encoders.
    """

    rgb: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    camera_matrix: NDArray[np.float64]
    t_base_camera: Pose
    t_base_tcp: Pose


# The target's frame in `link_base`, z out of its surface. Raises VitalError where it cannot be told.
Locator = Callable[[SceneLook], Pose]
