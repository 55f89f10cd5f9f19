"""Who moves the arm, from sample to sample: clutch, ownership and the device's signs of life, without ROS."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_teleop.device import DeviceSample
from vital_teleop.following import Box, FollowConfig, Follower

# A device that has given no sign of life for this long is lost: the arm is given back.
LOST_AFTER_S = 0.5
# A twist counts for at most this long, so that a late sample is no leap.
LONGEST_PERIOD_S = 0.1


class Mode(Enum):
    """The values of TeleopState."""

    IDLE = 0
    ENGAGED = 1
    WAITING = 2
    LOST = 3


@dataclass(frozen=True)
class Step:
    """What is to happen now. delta: TCP-frame motion (6,), m and rad, from the measured pose to the target, None for
    no command. wants_arm: whether the gate is to be asked for the arm, or kept from giving it to another."""

    mode: Mode
    wants_arm: bool
    delta: NDArray[np.float64] | None = None
    gripper: float = 1.0


class Operation:
    """The clutch closes: ask for the arm. It is ours: follow the hand. It opens, or the device is lost: give it back.

    After a loss, or when the arm was taken away, the clutch must open before it counts again.
    """

    def __init__(self, config: FollowConfig, box: Box, *, lost_after_s: float = LOST_AFTER_S) -> None:
        self._config, self._box, self._lost_after_s = config, box, lost_after_s
        self._follower: Follower | None = None
        self._must_open = False
        self._last_s: float | None = None
        self.mode = Mode.IDLE
        self.limited = 0

    @property
    def t_base_target(self) -> Pose | None:
        """Where the TCP is to go, while the hand is followed."""
        return None if self._follower is None else self._follower.t_base_target

    def forfeit(self) -> None:
        """The gate refused the arm, or took it away: not again before the clutch has opened."""
        self._must_open = True
        self._follower = None

    def step(self, sample: DeviceSample, now_s: float, t_base_tcp: Pose | None, *, owner: bool) -> Step:
        """One period. t_base_tcp: where the arm is measured to be, None while that is not known; owner: whether the
        arm is ours."""
        seconds = 0.0 if self._last_s is None else min(now_s - self._last_s, LONGEST_PERIOD_S)
        self._last_s = now_s
        if now_s - sample.alive_s > self._lost_after_s:
            self.forfeit()
            return self._in(Mode.LOST)
        if not sample.clutch:
            self._must_open, self._follower = False, None
            return self._in(Mode.IDLE)
        if self._must_open:
            return self._in(Mode.IDLE)
        if not owner or t_base_tcp is None:
            self._follower = None
            return self._in(Mode.WAITING, wants_arm=True)
        return self._follow(sample, seconds, t_base_tcp)

    def _follow(self, sample: DeviceSample, seconds: float, t_base_tcp: Pose) -> Step:
        first = self._follower is None
        follower = self._follower = self._follower or Follower(self._config, t_base_tcp)
        if sample.pose is not None:
            follower.follow_pose(sample.pose)
        elif sample.twist is not None and not first:
            follower.follow_twist(sample.twist, seconds)
        self.limited += follower.hold_to(t_base_tcp, self._box)
        self.mode = Mode.ENGAGED
        delta = pose_of.to_vector(pose_of.inverse(t_base_tcp) @ follower.t_base_target)
        return Step(Mode.ENGAGED, True, delta, sample.gripper)

    def _in(self, mode: Mode, *, wants_arm: bool = False) -> Step:
        self.mode = mode
        return Step(mode, wants_arm)
