"""One run of a scripted controller: what it sees, what it commands at 30 Hz, and how it went."""

from dataclasses import dataclass
from typing import Protocol

from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.world.boxes import Target
from vital_sim.world.motion import Arm, track
from vital_sim.world.truth import Truth

RATE_HZ = 30.0
PERIOD_S = 1.0 / RATE_HZ


@dataclass(frozen=True)
class Command:
    """What a controller commands at 30 Hz."""

    target: Pose
    """Of the TCP, in force until the next command."""
    intended: Pose
    """Where, from this state, it would want the TCP one policy period (1/6 s) later if it misjudged nothing, which
    only a simulation can tell."""
    demonstrated: Pose
    """The same with its misjudgement: where its own hand moves to, whatever noise the arm is given besides. A person's
    hand tells it (DART, Laskey et al. 2017: the executed motion carries the noise, the label does not)."""
    gripper: float = 1.0
    """0 open, 1 closed."""


class View(Protocol):
    """What a controller sees: the world itself, or the simulator's truth as it comes over ROS."""

    @property
    def task(self) -> Task:
        """The task being shown."""

    @property
    def fixture(self) -> Target:
        """What it is built around."""

    def truth(self) -> Truth:
        """The true state as it is now."""

    def t_base_tcp(self) -> Pose:
        """Measured pose of the TCP."""

    def t_tcp_tip_at_rest(self) -> Pose:
        """Pose of the tip in the TCP frame when nothing pushes on the object."""


@dataclass(frozen=True)
class Trial:
    """How one scripted run went."""

    success: bool
    """Whether the task was done at its end."""
    duration_s: float
    """Simulated."""
    depth_m: float
    """At its end, see `Truth`."""
    lateral_m: float
    """At its end, see `Truth`."""
    deepest_m: float
    """Greatest penetration seen at 30 Hz."""
    force_n: float
    """Greatest contact force seen at 30 Hz."""


class Controller(Protocol):
    """Commands at 30 Hz until it is done."""

    @property
    def done(self) -> bool:
        """Whether it has nothing more to command."""

    def command(self) -> Command:
        """The next one."""


class Stage(View, Arm, Protocol):
    """Where a controller acts: a world."""

    @property
    def time_s(self) -> float:
        """Simulated seconds."""

    def command_gripper(self, closed: float) -> None:
        """Where the fingers are to go: 0 open, 1 closed."""


def run(world: Stage, controller: Controller, *, limit_s: float = 20.0) -> Trial:
    """Let a controller act until it is done or the time is up."""
    deepest_m = force_n = 0.0
    truth = world.truth()
    start_s = world.time_s
    while not controller.done and world.time_s - start_s < limit_s:
        command = controller.command()
        world.command_gripper(command.gripper)
        track(world, command.target, PERIOD_S)
        truth = world.truth()
        deepest_m = max(deepest_m, truth.penetration_m)
        force_n = max(force_n, truth.contact_force_n)
    return Trial(truth.success, world.time_s - start_s, truth.depth_m, truth.lateral_m, deepest_m, force_n)
