"""The arm as the gate knows it: where it is measured to be, where it has been sent, and whether the two agree."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vital_control.limits import Limits
from vital_control.tracking import relieving
from vital_control.trajectory import Array, Trajectory
from vital_core.xarm7 import MAX_JOINT_SPEED_RAD_S

ADOPT_S = 0.3  # to ease a controller's set point to where the arm is
DISPLACED_TOLERANCE_RAD = 0.005
SETTLED_S = 0.1  # after which a jump was no stray reading
JUMP_RAD = 0.1  # beyond what the fastest joint covers between two readings: the arm was put elsewhere


@dataclass(frozen=True)
class Motion:
    """A trajectory in force since ``start_s`` of the steady clock."""

    trajectory: Trajectory
    start_s: float


class Arm:
    """Measured joints and the motion in force. ``issue`` is called with every trajectory that takes force.

    Before the first motion the arm counts as sent to where it is measured to be. Times are steady time, s.
    """

    def __init__(self, limits: Limits, issue: Callable[[Trajectory], None]) -> None:
        self.limits = limits
        self.unusable_readings = 0
        self.adoptions = 0
        self.measured: Array | None = None
        self._measured_s = -np.inf
        self._displaced_s: float | None = None
        self._motion: Motion | None = None
        self._adopted_from_s = -np.inf
        self._issue = issue

    def observe(self, joints_rad: Array | None, now_s: float) -> None:
        """Take in measured joint positions (7,); None, when a joint was not in the reading, is only counted."""
        if joints_rad is None or joints_rad.shape != (7,) or not np.isfinite(joints_rad).all():
            self.unusable_readings += 1
            return
        if self.measured is not None:
            within_reach = JUMP_RAD + MAX_JOINT_SPEED_RAD_S * (now_s - self._measured_s)
            if np.abs(joints_rad - self.measured).max() > within_reach:
                self._displaced_s = now_s
        self.measured, self._measured_s = joints_rad, now_s

    def age_s(self, now_s: float) -> float:
        """Seconds since the last usable joint state; inf before the first."""
        return float(now_s - self._measured_s)

    def seen(self, now_s: float) -> bool:
        """Whether the measured joints are fresh."""
        return self.age_s(now_s) <= self.limits.max_joint_state_age_s

    def commanded(self, now_s: float) -> tuple[Array, Array]:
        """Commanded positions and velocities, each (7,)."""
        if self._motion is not None:
            return self._motion.trajectory.state(now_s - self._motion.start_s)
        assert self.measured is not None
        return self.measured, np.zeros_like(self.measured)

    def moving(self, now_s: float) -> bool:
        """Whether the motion in force has not come to rest yet."""
        return self._motion is not None and now_s - self._motion.start_s < self._motion.trajectory.duration_s

    def apart_rad(self, now_s: float) -> float:
        """Largest distance of a joint from where it has been sent."""
        assert self.measured is not None
        return float(np.abs(self.measured - self.commanded(now_s)[0]).max())

    def follow(self, trajectory: Trajectory, now_s: float) -> None:
        """Put a trajectory in force from now on."""
        self._motion = Motion(trajectory, now_s)
        self._issue(trajectory)

    def come_to_rest(self, now_s: float) -> None:
        """Stop on the present path; an arm at rest, or eased to where it is, is left alone."""
        if self._motion is not None and self.moving(now_s) and not self.adopting(now_s):
            elapsed_s = now_s - self._motion.start_s
            self.follow(self._motion.trajectory.stopped(elapsed_s, self.limits.blend_acceleration_rad_s2), now_s)

    def yield_to_force(self, now_s: float) -> None:
        """Come to rest where the arm really is, so that it stops pressing towards where it was sent."""
        if self.measured is None or not self.seen(now_s):
            self.come_to_rest(now_s)
            return
        way = relieving(*self.commanded(now_s), self.measured, self.limits.blend_acceleration_rad_s2)
        self.follow(way, now_s)

    @property
    def displaced(self) -> bool:
        """Whether the arm has been put elsewhere, faster than it can move, and has not been adopted there yet."""
        return self._displaced_s is not None

    def adopting(self, now_s: float) -> bool:
        """Whether the set point is still being eased to where the arm is."""
        return now_s < self._adopted_from_s

    def adopt_if_apart(self, now_s: float) -> bool:
        """Go on from the measured joints when the arm at rest is not where it was sent (a reset, a hand).

        A stray reading is none: a jump must have lasted.
        """
        just_now = self._displaced_s is not None and now_s - self._displaced_s < SETTLED_S
        if self.measured is None or self.moving(now_s) or just_now:
            return False
        tolerance = DISPLACED_TOLERANCE_RAD if self.displaced else self.limits.rest_tolerance_rad
        self._displaced_s = None
        if self.apart_rad(now_s) <= tolerance:
            return False
        self.follow(Trajectory.rest(self.measured, ADOPT_S), now_s)
        self._adopted_from_s = now_s + ADOPT_S
        self.adoptions += 1
        return True
