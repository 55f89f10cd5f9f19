"""The xArm 7: joint table, limits and frames. Everything that needs the arm's geometry reads it from here.

Source: the vendor's `xarm_description` (default kinematics of the xArm 7 with the xArm gripper).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

JOINT_NAMES = tuple(f"joint{i}" for i in range(1, 8))
BASE_FRAME = "link_base"
TCP_FRAME = "link_tcp"
FLANGE_TO_TCP_M = 0.172
# The joint that drives the gripper, and where it is when the gripper is closed; 0 is open.
GRIPPER_JOINT = "drive_joint"
GRIPPER_CLOSED_RAD = 0.85
MAX_JOINT_SPEED_RAD_S = 3.14
# MoveIt's limits in the vendor's configuration; planning stays below them.
PLANNING_JOINT_SPEED_RAD_S = 2.14
PLANNING_JOINT_ACCELERATION_RAD_S2 = 10.0


@dataclass(frozen=True)
class Joint:
    """One revolute joint about its own z axis; origin in the parent link (m, rad), limits in rad."""

    name: str
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float]
    lower: float
    upper: float
    effort_nm: float


_HALF_PI = float(np.pi / 2)
_TWO_PI = float(2 * np.pi)
# The vendor's "limited" ranges are wider than these at joints 2 and 6 and narrower at joint 4 (-0.11 to 3.11);
# the intersection of both is used, and odd joints stay within +-0.99 pi so that no cable winds up.
_ODD = float(0.99 * np.pi)
JOINTS = (
    Joint("joint1", (0, 0, 0.267), (0, 0, 0), -_ODD, _ODD, 50),
    Joint("joint2", (0, 0, 0), (-_HALF_PI, 0, 0), -2.059, 2.0944, 50),
    Joint("joint3", (0, -0.293, 0), (_HALF_PI, 0, 0), -_ODD, _ODD, 30),
    Joint("joint4", (0.0525, 0, 0), (_HALF_PI, 0, 0), -0.11, 3.11, 30),
    Joint("joint5", (0.0775, -0.3425, 0), (_HALF_PI, 0, 0), -_ODD, _ODD, 30),
    Joint("joint6", (0, 0, 0), (_HALF_PI, 0, 0), -1.69297, 3.11, 20),
    Joint("joint7", (0.076, 0.097, 0), (-_HALF_PI, 0, 0), -_ODD, _ODD, 20),
)
LOWER_RAD: NDArray[np.float64] = np.array([j.lower for j in JOINTS])
UPPER_RAD: NDArray[np.float64] = np.array([j.upper for j in JOINTS])
# TCP at (0.40, 0, 0.35) m in the base, pointing down: away from every limit and singularity.
HOME_RAD: NDArray[np.float64] = np.array([0.0000, -0.2539, 0.0000, 1.2522, 0.0000, 1.5061, 0.0000])
