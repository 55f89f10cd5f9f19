"""How the arm follows its commands: delay, lag, speed limit, and an encoder that is off by a little."""

import functools
import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core.arm.xarm7 import MAX_JOINT_SPEED_RAD_S

Joints = NDArray[np.float64]  # (7,)


@dataclass(frozen=True)
class ArmConfig:
    """Tracking of the arm's controller."""

    delay_s: float = 0.015
    """Pure delay from command to motion."""
    bandwidth_rad_s: float = 60.0
    """Of the critically damped second-order lag."""
    stiffness_nm: tuple[float, ...] = (14e3, 14e3, 10e3, 10e3, 5.6e3, 5.6e3, 2.8e3)
    """Joint stiffness that stands for the controller and the gears: the TCP gives way by 25 to 40 N/mm."""
    damping_ratio: float = 1.0
    """Of each joint against its reflected inertia."""
    armature_kgm2: tuple[float, ...] = (1.2, 1.2, 0.8, 0.8, 0.3, 0.3, 0.15)
    """Reflected inertia of the motors."""
    encoder_error_rad: float = 1.0e-4
    """Standard deviation of each joint's error in an episode; 1e-4 rad gives the data sheet's 0.1 mm at the TCP."""

    def damping_nms(self) -> NDArray[np.float64]:
        """(7,) joint damping."""
        return 2.0 * self.damping_ratio * np.sqrt(np.multiply(self.stiffness_nm, self.armature_kgm2))


@functools.lru_cache
def _lag_over(dt_s: float, bandwidth_rad_s: float) -> tuple[float, float, float, float]:
    """What ``dt_s`` makes of a joint's error (reference - target) and speed: the exact step of the critically damped
    oscillator e'' + 2 w e' + w^2 e = 0, as the rows of a matrix."""
    w, decay = bandwidth_rad_s, math.exp(-bandwidth_rad_s * dt_s)
    return decay * (1.0 + w * dt_s), decay * dt_s, -decay * w * w * dt_s, decay * (1.0 - w * dt_s)


class TrackingFilter:
    """From joint commands, at any rate, to the reference of the stiff joint servos."""

    def __init__(self, config: ArmConfig) -> None:
        self._config = config
        self.commanded = np.zeros(7)
        self.reference = np.zeros(7)
        self._speed = np.zeros(7)
        self._delayed = np.zeros(7)
        self._queue: deque[tuple[float, Joints]] = deque()
        self._now_s = 0.0

    def reset(self, joints_rad: ArrayLike) -> None:
        """Stand still at ``joints_rad``."""
        q = np.array(joints_rad, dtype=float)
        self.commanded, self.reference, self._delayed = q.copy(), q.copy(), q.copy()
        self._speed = np.zeros(7)
        self._queue.clear()
        self._now_s = 0.0

    def command(self, joints_rad: ArrayLike) -> None:
        """Take a new joint target, in force from now (plus the delay) until the next."""
        q = np.array(joints_rad, dtype=float)
        if q.shape != (7,) or not np.isfinite(q).all():
            raise ValueError(f"a joint command is 7 finite angles in rad, got {joints_rad!r}")
        self.commanded = q
        self._queue.append((self._now_s + self._config.delay_s, q))

    def step(self, dt_s: float) -> Joints:
        """Reference (7,) after ``dt_s`` more seconds."""
        self._now_s += dt_s
        while self._queue and self._queue[0][0] <= self._now_s + 1e-9:
            self._delayed = self._queue.popleft()[1]
        kept, gained, pulled, slowed = _lag_over(dt_s, self._config.bandwidth_rad_s)
        error, speed = self.reference - self._delayed, self._speed
        self._speed = pulled * error + slowed * speed
        moved = kept * error + gained * speed - error
        # No joint is faster than all together, which is told by one product.
        farthest = MAX_JOINT_SPEED_RAD_S * dt_s
        if self._speed.dot(self._speed) > MAX_JOINT_SPEED_RAD_S**2 or moved.dot(moved) > farthest**2:
            moved = self._limited(moved, dt_s)
        self.reference = self.reference + moved
        return self.reference

    def _limited(self, moved: Joints, dt_s: float) -> Joints:
        """Way (7,) of joints none of which goes faster than it may; what would is as fast as it may."""
        limit = MAX_JOINT_SPEED_RAD_S
        fast = np.abs(self._speed) > limit
        self._speed = np.clip(self._speed, -limit, limit)
        # Between two moments within the limit the oscillator may be a little beyond it.
        return np.clip(np.where(fast, self._speed * dt_s, moved), -limit * dt_s, limit * dt_s)
