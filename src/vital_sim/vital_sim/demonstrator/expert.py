"""The scripted demonstrator: it knows what a policy does not, and errs as a person would when it is asked to."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.demonstrator.laws import law_for
from vital_sim.demonstrator.motion import track
from vital_sim.demonstrator.style import INTENTION, Phase, Style, human_style
from vital_sim.world.fixtures import Fixture
from vital_sim.world.world import Truth, World

RATE_HZ = 30.0
PERIOD_S = 1.0 / RATE_HZ
POLICY_PERIOD_S = 1.0 / 6.0
TOUCHED_N = 1.0


class _Drift:
    """A smooth random vector: sums of slow sines, of about unit size."""

    def __init__(self, rng: np.random.Generator, size: int, rate_hz: float) -> None:
        self._rates = 2 * np.pi * rate_hz * rng.uniform(0.4, 1.6, (size, 3))
        self._phases = rng.uniform(0, 2 * np.pi, (size, 3))
        self._weights = rng.normal(0, 0.8, (size, 3)) / np.sqrt(1.5)

    def __call__(self, t_s: float) -> NDArray[np.float64]:
        return (self._weights * np.sin(self._rates * t_s + self._phases)).sum(axis=1)


@dataclass(frozen=True)
class Command:
    """What the demonstrator commands at 30 Hz.

    target: TCP target in force until the next command. intended: where, from this state, it would want the
    TCP one policy period (1/6 s) later if it misjudged nothing; the label for learning (DART, Laskey et al.
    2017: the executed motion carries the noise, the label does not). gripper: 0 open, 1 closed.
    """

    target: Pose
    intended: Pose
    gripper: float = 1.0


class View(Protocol):
    """What the expert sees: the world itself, or the simulator's truth as it comes over ROS."""

    @property
    def task(self) -> Task:
        """The task being shown."""

    @property
    def fixture(self) -> Fixture:
        """What it is built of."""

    def truth(self) -> Truth:
        """The true state as it is now."""

    def t_base_tcp(self) -> Pose:
        """Measured pose of the TCP."""

    def t_tcp_tip_at_rest(self) -> Pose:
        """Pose of the tip in the TCP frame when nothing pushes on the object."""


class ScriptedExpert:
    """Does the task, knowing the target, the in-hand offset and the contact force.

    A feedback law on the true state: every command follows from where the tip is now relative to the opening.
    ``human_like`` adds a drifting misjudgement that touch resolves, a random pace, and a light search on the
    rim, so that demonstrations visit and leave the states that a learner meets.
    """

    def __init__(self, view: View, rng: np.random.Generator | None = None, *, human_like: bool = False) -> None:
        self._view = view
        rng = rng or np.random.default_rng(0)
        self.style = human_style(rng) if human_like else Style()
        self._intention = INTENTION if human_like else Style()
        self._drift = _Drift(rng, 5, self.style.error_hz)
        self._law = law_for(view.task, view.fixture)
        self._certainty_s = 0.0
        self._time_s = 0.0
        self._tcp = view.t_base_tcp()

    @property
    def phase(self) -> Phase:
        """What it is doing."""
        return self._law.phase

    @property
    def done(self) -> bool:
        """Whether the task has been done and stayed so."""
        return self._law.phase is Phase.DONE

    def command(self) -> Command:
        """The next 30 Hz command, from the true state."""
        truth = self._view.truth()
        self._law.update(truth, PERIOD_S)
        if truth.contact_force_n > TOUCHED_N and self._view.task.starts_closed:
            self._certainty_s += PERIOD_S
        twist = self._law.twist(self.style, truth, self._misjudgement())
        intended = self._moved(truth, self._law.twist(self._intention, truth, np.zeros(5)), POLICY_PERIOD_S)
        self._tcp = self._moved(truth, twist, PERIOD_S)
        self._time_s += PERIOD_S
        return Command(self._tcp, intended, self._law.gripper)

    def _misjudgement(self) -> NDArray[np.float64]:
        """(5,) lateral error in m, tilt error in rad, force error in N; touch, and time, make it go away."""
        style, late = self.style, np.exp(-max(0.0, self._time_s - 7.0) / 1.5)
        seen, felt = np.exp(-self._certainty_s / 0.5), np.exp(-self._certainty_s / 2.0)
        size = np.array([seen * style.error_m] * 2 + [seen * style.error_rad] * 2 + [felt * style.error_n])
        return late * size * self._drift(self._time_s)

    def _moved(self, truth: Truth, twist: NDArray[np.float64], seconds: float) -> Pose:
        """The commanded TCP pose after the tip has moved with ``twist`` (target frame) for ``seconds``."""
        rotation = truth.t_base_target[:3, :3]
        t_tcp_tip = self._view.t_tcp_tip_at_rest()
        tip = self._tcp @ t_tcp_tip
        moved = tip.copy()
        moved[:3, 3] += rotation @ twist[:3] * seconds
        turn = pose_of.from_vector(np.zeros(3), rotation @ twist[3:] * seconds)
        moved[:3, :3] = turn[:3, :3] @ tip[:3, :3]
        return moved @ pose_of.inverse(t_tcp_tip)


def sample_start(world: World, rng: np.random.Generator) -> Pose:
    """A TCP pose in the task's start region, which lies and is turned as the target nominally is."""
    yaw = world.variation.target_yaw_rad[0]
    nominal = pose_of.from_vector(world.site_pose("target_opening")[:3, 3], (0.0, 0.0, yaw))
    offset = rng.uniform(-0.5, 0.5, 3) * np.array(world.task.start_region_m)
    return nominal @ pose_of.point_down(offset + world.task.start_centre_m)


@dataclass(frozen=True)
class Trial:
    """One scripted run. deepest_m: greatest penetration seen at 30 Hz; force_n: greatest contact force."""

    success: bool
    duration_s: float
    depth_m: float
    lateral_m: float
    deepest_m: float
    force_n: float


class Controller(Protocol):
    """Commands at 30 Hz until it is done."""

    @property
    def done(self) -> bool: ...
    def command(self) -> Command: ...


def run(world: World, controller: Controller, *, limit_s: float = 20.0) -> Trial:
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
