"""Scripted controllers that know what a policy does not: for demonstrations, and to measure the world with."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.connectors import Connector
from vital_sim.motion import track
from vital_sim.world import Truth, World

RATE_HZ = 30.0
PERIOD_S = 1.0 / RATE_HZ
POLICY_PERIOD_S = 1.0 / 6.0


class Phase(Enum):
    """What the demonstrator is doing."""

    APPROACH = "approach"
    TOUCH = "touch"
    INSERT = "insert"
    HOLD = "hold"
    DONE = "done"


@dataclass(frozen=True)
class Style:
    """How a demonstrator moves. Lengths in m, speeds in m/s, forces in N.

    pace: overall speed factor. aim_m, aim_slope: lateral error at which it stops descending, at the mouth
    and per metre of height. press_n: force with which it feels its way over the rim. error_m: size of its
    slowly drifting misjudgement, and error_hz how fast that drifts. error_rad: the same for tilt.
    """

    pace: float = 1.0
    aim_m: float = 0.0002
    aim_slope: float = 0.12
    gain_1_s: float = 2.5
    press_n: float = 6.0
    error_m: float = 0.0
    error_hz: float = 0.3
    error_rad: float = 0.0
    error_n: float = 0.0


def human_style(rng: np.random.Generator) -> Style:
    """A person's way of doing it, another one each time."""
    return Style(
        pace=rng.uniform(0.65, 0.95),
        aim_m=rng.uniform(0.0008, 0.0015),
        aim_slope=0.35,
        gain_1_s=rng.uniform(3.0, 4.5),
        press_n=rng.uniform(5.0, 9.0),
        error_m=rng.uniform(0.001, 0.004),
        error_hz=rng.uniform(0.15, 0.4),
        error_rad=np.deg2rad(rng.uniform(0.3, 1.5)),
        error_n=rng.uniform(4.0, 14.0),
    )


# What every demonstrator means to do, whatever the day's pace: the label for learning is the same for all.
INTENTION = Style(pace=0.85, aim_m=0.0008, aim_slope=0.35, gain_1_s=4.0, press_n=6.0)


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
    2017: the executed motion carries the noise, the label does not).
    """

    target: Pose
    intended: Pose


class View(Protocol):
    """What the expert sees: the world itself, or the simulator's truth as it comes over ROS."""

    @property
    def task(self) -> Task:
        """The task being shown."""

    @property
    def connector(self) -> Connector:
        """Its connector."""

    def truth(self) -> Truth:
        """The true state as it is now."""

    def t_base_tcp(self) -> Pose:
        """Measured pose of the TCP."""

    def t_tcp_tip_at_rest(self) -> Pose:
        """Pose of the tip in the TCP frame when nothing pushes on the object."""


class ScriptedExpert:
    """Inserts the held object, knowing the target, the in-hand offset and the contact force.

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
        self.phase = Phase.APPROACH
        self._certainty_s = 0.0
        self._held_s = 0.0
        self._time_s = 0.0
        self._tcp = view.t_base_tcp()

    @property
    def done(self) -> bool:
        """Whether the object has been inserted and held there."""
        return self.phase is Phase.DONE

    def command(self) -> Command:
        """The next 30 Hz command, from the true state."""
        truth = self._view.truth()
        self._update_phase(truth)
        twist = self._twist(self.style, truth, self._misjudgement())
        intended = self._moved(truth, self._twist(self._intention, truth, np.zeros(5)), POLICY_PERIOD_S)
        self._tcp = self._moved(truth, twist, PERIOD_S)
        self._time_s += PERIOD_S
        return Command(self._tcp, intended)

    def _update_phase(self, truth: Truth) -> None:
        goal_m = self._view.task.success_depth_m
        engaged_m = self._view.connector.chamfer_m + 0.0005
        if truth.depth_m >= goal_m + 0.0012 or (self.phase is Phase.HOLD and truth.success):
            self._held_s += PERIOD_S
            self.phase = Phase.DONE if self._held_s > 0.5 else Phase.HOLD
        elif truth.depth_m > engaged_m and truth.lateral_m < 0.002:
            self.phase = Phase.INSERT
        elif truth.contact_force_n > 1.0:
            self.phase = Phase.TOUCH
        elif truth.depth_m < -0.002:
            self.phase = Phase.APPROACH
        if truth.contact_force_n > 1.0:
            self._certainty_s += PERIOD_S

    def _misjudgement(self) -> NDArray[np.float64]:
        """(5,) lateral error in m, tilt error in rad, force error in N; touch, and time, make it go away."""
        style, late = self.style, np.exp(-max(0.0, self._time_s - 7.0) / 1.5)
        seen, felt = np.exp(-self._certainty_s / 0.5), np.exp(-self._certainty_s / 2.0)
        size = np.array([seen * style.error_m] * 2 + [seen * style.error_rad] * 2 + [felt * style.error_n])
        return late * size * self._drift(self._time_s)

    def _twist(self, style: Style, truth: Truth, misjudged: NDArray[np.float64]) -> NDArray[np.float64]:
        """(6,) wanted tip velocity (m/s) and rotation rate (rad/s) in the target's frame."""
        if self.phase in (Phase.HOLD, Phase.DONE):
            return np.zeros(6)
        aligned = truth.t_base_target @ pose_of.point_down(np.zeros(3))
        error = pose_of.to_vector(pose_of.inverse(truth.t_base_target) @ truth.t_base_tip)
        tilt = truth.t_base_tip[:3, :3] @ pose_of.to_vector(pose_of.inverse(truth.t_base_tip) @ aligned)[3:]
        tilt = truth.t_base_target[:3, :3].T @ tilt
        tilt[:2] += misjudged[2:4]
        lateral = error[:2] + misjudged[:2]
        rate = _limited(style.gain_1_s * tilt, 0.5)
        speed = -_limited(style.gain_1_s * lateral, 0.06 if self.phase is Phase.APPROACH else 0.005)
        pressing = replace(style, press_n=style.press_n + misjudged[4])
        descent = self._descent(pressing, truth, float(np.linalg.norm(lateral)), float(np.linalg.norm(tilt)))
        return style.pace * np.concatenate([speed, [-descent], rate])

    def _descent(self, style: Style, truth: Truth, lateral_m: float, tilt_rad: float) -> float:
        """Downward speed in m/s."""
        height_m = max(0.0, -truth.depth_m)
        if self.phase is Phase.INSERT:
            return 0.020 * float(np.clip((35.0 - truth.contact_force_n) / 10.0, -0.2, 1.0))
        if self.phase is Phase.TOUCH:
            if truth.lateral_m > 0.006:
                return -0.02
            return float(np.clip(0.002 * (style.press_n - truth.contact_force_n), -0.01, 0.006))
        allowed = style.aim_m + style.aim_slope * height_m
        readiness = np.clip(1.5 * (1.0 - lateral_m / allowed), -0.3, 1.0)
        readiness = min(readiness, np.clip(1.5 - tilt_rad / (0.015 + 2.0 * height_m), -0.3, 1.0))
        return float(readiness) * float(np.clip(1.2 * height_m, 0.006, 0.06))

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


def _limited(vector: NDArray[np.float64], largest: float) -> NDArray[np.float64]:
    size = float(np.linalg.norm(vector))
    return vector if size <= largest else vector * (largest / size)


class BlindController:
    """Knows the target's true pose but not how the object lies in the hand: goes above it and pushes straight in."""

    def __init__(self, world: World, *, speed_m_s: float = 0.02) -> None:
        self._world = world
        self._speed_m_s = speed_m_s
        self._height_m = 0.02
        self._tcp = world.t_base_tcp()
        self._aligned = False
        self._waited_s = 0.0

    @property
    def done(self) -> bool:
        """Whether it has pushed as far as it goes."""
        return self._waited_s > 0.5

    def command(self) -> Command:
        """The next 30 Hz command."""
        target = self._world.truth().t_base_target
        lowest_m = -(self._world.task.success_depth_m + 0.0015)
        if self._aligned and self._height_m > lowest_m:
            self._height_m -= self._speed_m_s * PERIOD_S
        elif self._aligned:
            self._waited_s += PERIOD_S
        goal = target @ pose_of.point_down([0, 0, self._world.task.tip_offset_m + self._height_m])
        step, angle = pose_of.distance(self._tcp, goal)
        fraction = min(1.0, 0.06 * PERIOD_S / max(step, 1e-9), 0.5 * PERIOD_S / max(angle, 1e-9))
        self._aligned = self._aligned or fraction >= 1.0
        self._tcp = pose_of.interpolate(self._tcp, goal, fraction)
        return Command(self._tcp, self._tcp)


def sample_start(world: World, rng: np.random.Generator) -> Pose:
    """A TCP pose in the task's start region: the box centred hover_height_m above the target."""
    target = world.site_pose("target_opening")[:3, 3]
    extent = np.array(world.task.start_region_m)
    offset = rng.uniform(-0.5, 0.5, 3) * extent
    return pose_of.point_down(target + offset + [0, 0, world.task.hover_tcp_height_m])


@dataclass(frozen=True)
class Trial:
    """One scripted run. deepest_m: greatest penetration seen at 30 Hz; force_n: greatest contact force."""

    success: bool
    duration_s: float
    depth_m: float
    lateral_m: float
    deepest_m: float
    force_n: float


def run(world: World, controller: ScriptedExpert | BlindController, *, limit_s: float = 20.0) -> Trial:
    """Let a controller act until it is done or the time is up."""
    deepest_m = force_n = 0.0
    truth = world.truth()
    start_s = world.time_s
    while not controller.done and world.time_s - start_s < limit_s:
        track(world, controller.command().target, PERIOD_S)
        truth = world.truth()
        deepest_m = max(deepest_m, truth.penetration_m)
        force_n = max(force_n, truth.contact_force_n)
    return Trial(truth.success, world.time_s - start_s, truth.depth_m, truth.lateral_m, deepest_m, force_n)
