"""When the arm is where on its path: speed, acceleration and jerk of every joint within limits (Ruckig).

Ruckig times the length along the path, from rest to rest; the whole is then stretched or shortened by the one
factor at which the tightest joint limit is just met. All of it is computed here, nothing is sent anywhere.
"""

from dataclasses import dataclass

import numpy as np
import ruckig
from numpy.typing import NDArray

from vital_core.arm.xarm7 import PLANNING_JOINT_ACCELERATION_RAD_S2, PLANNING_JOINT_SPEED_RAD_S
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.planning.joint_path import JointPath
from vital_vlm_reach.planning.motion import JointMotion

Array = NDArray[np.float64]

# Full acceleration is reached within 0.1 s.
PLANNING_JOINT_JERK_RAD_S3 = 100.0
POINT_SPACING_S = 0.02
_CHECK_SPACING_S = 0.004
# Room for what happens between two checked instants.
_HEADROOM = 1.005


@dataclass(frozen=True)
class MotionLimits:
    """Limits of every joint: rad/s, rad/s^2, rad/s^3."""

    speed_rad_s: float
    acceleration_rad_s2: float
    jerk_rad_s3: float

    @classmethod
    def scaled(cls, scale: float) -> "MotionLimits":
        """``scale`` (more than 0, at most 1) times the planning limits of the arm."""
        if not 0.0 < scale <= 1.0:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"speed scale is {scale}, expected more than 0 and at most 1")
        speed, acceleration = PLANNING_JOINT_SPEED_RAD_S, PLANNING_JOINT_ACCELERATION_RAD_S2
        return cls(scale * speed, scale * acceleration, scale * PLANNING_JOINT_JERK_RAD_S3)


def time_path(path: JointPath, limits: MotionLimits) -> JointMotion:
    """The motion along ``path``, points ``POINT_SPACING_S`` apart. Raises VitalError(PLAN_FAILED)."""
    profile = _profile(path, limits)
    duration_s = profile.duration
    t = np.linspace(0.0, duration_s, int(np.ceil(duration_s / _CHECK_SPACING_S)) + 1)
    _, v, a, jerk = _joint_states(path, profile, t)
    stretch = _HEADROOM * max(
        np.abs(v).max() / limits.speed_rad_s,
        np.sqrt(np.abs(a).max() / limits.acceleration_rad_s2),
        np.cbrt(np.abs(jerk).max() / limits.jerk_rad_s3),
    )
    points = max(2, int(np.ceil(stretch * duration_s / POINT_SPACING_S)) + 1)
    fractions = np.linspace(0.0, 1.0, points)
    q, v, a, _ = _joint_states(path, profile, fractions * duration_s)
    v[[0, -1]] = a[[0, -1]] = 0.0
    return JointMotion(stretch * duration_s * fractions, q, v / stretch, a / stretch**2)


def _profile(path: JointPath, limits: MotionLimits) -> ruckig.Trajectory:
    """Length along the path over time, near the limits; `time_path` brings it to them."""
    s = np.linspace(0.0, path.length_rad, 200)
    _, first, second, _ = (np.abs(d).max() for d in path.derivatives(s))
    share = 1.0 if second < 1e-9 else 0.5
    speed = limits.speed_rad_s / first
    if second > 1e-9:
        speed = min(speed, float(np.sqrt(share * limits.acceleration_rad_s2 / second)))
    given = ruckig.InputParameter(1)
    given.current_position, given.target_position = [0.0], [path.length_rad]
    given.max_velocity = [speed]
    given.max_acceleration = [share * limits.acceleration_rad_s2 / first]
    given.max_jerk = [share * limits.jerk_rad_s3 / first]
    profile = ruckig.Trajectory(1)
    result = ruckig.Ruckig(1).calculate(given, profile)
    if result != ruckig.Result.Finished and result != ruckig.Result.Working:
        raise VitalError(ErrorCode.PLAN_FAILED, f"no timing for a path of {path.length_rad:.3f} rad ({result})")
    return profile


def _joint_states(path: JointPath, profile: ruckig.Trajectory, times_s: Array) -> tuple[Array, Array, Array, Array]:
    """Joint position, speed, acceleration and jerk, each (m, 7), by the chain rule."""
    rows = [profile.at_time(float(t)) for t in times_s]
    s, ds, dds = (np.array(column, dtype=float).reshape(-1, 1) for column in zip(*rows, strict=True))
    section = profile.profiles[0][0]
    ends = np.cumsum(section.t)
    ddds = np.array(section.j)[np.minimum(np.searchsorted(ends, times_s), len(ends) - 1)][:, None]
    q, first, second, third = path.derivatives(s[:, 0])
    velocity = first * ds
    acceleration = second * ds**2 + first * dds
    jerk = third * ds**3 + 3 * second * ds * dds + first * ddds
    return q, velocity, acceleration, jerk
