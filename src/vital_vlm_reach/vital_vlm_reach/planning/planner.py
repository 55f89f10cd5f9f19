"""What a planner is asked and what it answers: the interface of the embedded planner and of MoveIt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import Task
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.robot_model import Obstacle

Array = NDArray[np.float64]

KEEP_OUT = "keep_out"
# Full width of the column that is kept free of the arm around the target: any housing of the tasks fits.
KEEP_OUT_WIDTH_M = 0.08
# The column ends this share of the start's height above the target.
_KEEP_OUT_SHARE = 0.4

TABLE = Obstacle("table", (0.25, 0.0, -0.025), (1.9, 1.9, 0.05))
WALLS = (
    Obstacle("wall_behind", (-0.75, 0.0, 0.6), (0.02, 2.0, 1.2)),
    Obstacle("wall_left", (0.25, 0.9, 0.6), (2.0, 0.02, 1.2)),
    Obstacle("wall_right", (0.25, -0.9, 0.6), (2.0, 0.02, 1.2)),
)


@dataclass(frozen=True)
class ReachProblem:
    """From where to where, and what is in the way.

    start_rad: (7,) joint positions at rest. t_base_tcp_goal: TCP pose to reach. target_m: (3,) point in
    `link_base` above which the goal lies. obstacles: known ones, in addition to the target's keep-out column. seen:
    what the scene camera sees on the table. seed: of everything random.
    """

    task: Task
    start_rad: Array
    t_base_tcp_goal: Pose
    target_m: Array
    seed: int = 0
    obstacles: tuple[Obstacle, ...] = field(default=(TABLE, *WALLS))
    seen: tuple[Obstacle, ...] = ()

    @property
    def everything(self) -> tuple[Obstacle, ...]:
        """All that the arm must not touch."""
        return (*self.obstacles, *self.touchable)

    @property
    def touchable(self) -> tuple[Obstacle, ...]:
        """What the arm may be in contact with when it starts, as after an insertion."""
        return (*self.seen, self.keep_out)

    @property
    def keep_out(self) -> Obstacle:
        """The column over the target, from the table to below the hover region, that the arm must not enter."""
        top = float(self.target_m[2]) + _KEEP_OUT_SHARE * self.task.start_offset_m[2]
        height = max(top, 0.01)
        centre = (float(self.target_m[0]), float(self.target_m[1]), top - height / 2)
        return Obstacle(KEEP_OUT, centre, (KEEP_OUT_WIDTH_M, KEEP_OUT_WIDTH_M, height))


@dataclass(frozen=True)
class Plan:
    """A motion to the goal; how: which way was found (`straight`, `cartesian`, `over`, `sampled`, `moveit`)."""

    motion: JointMotion
    how: str
    planning_s: float


Cancelled = Callable[[], bool]


class Planner(Protocol):
    """Plans a motion. Raises VitalError: OUTSIDE_WORKSPACE, UNREACHABLE, IN_COLLISION, PLAN_FAILED, TIMEOUT, CANCELLED;
    NODE_LOST where another process plans."""

    def plan(self, problem: ReachProblem, cancelled: Cancelled) -> Plan:
        """A collision-free motion within limits, from rest at the start to rest at the goal.

        ``cancelled`` is asked now and then: once it says so, nobody wants the plan any more.
        """
        ...

    def retreat(self, problem: ReachProblem) -> JointMotion | None:
        """Straight out of what the arm is in contact with at the start, back along a tilted hand's axis or up; None
        when it touches nothing."""
        ...


def check_wanted(cancelled: Cancelled) -> None:
    """Raises VitalError(CANCELLED) when nobody wants the plan any more."""
    if cancelled():
        raise VitalError(ErrorCode.CANCELLED, "cancelled while planning: the arm has not moved")
