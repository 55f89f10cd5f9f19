"""From a TCP delta to a joint trajectory that flows on from the present motion and ends at rest.

The target is taken from the measured pose, the way from the last commanded joints, linear in the period, as in
`vital_core.arm.cartesian_motion`. Two cubics are laid over that way: one that fades out the difference to the
present velocity, and one after the period that comes to rest on the target. In a stream the next command takes
over before the second begins to matter; without a next command, or without a gate, the arm is at rest on the
last accepted target.
"""

import numpy as np
from numpy.typing import ArrayLike

from vital_core.arm.trajectory import MIN_KNOT_SPACING_S, MIN_STOP_S, Array, Trajectory, cubic_duration_s

WAYPOINTS = 4  # a 30 mm step in quarters: the joint-space chord is within 0.1 mm of the straight line


def flowing(
    joints_rad: Array,
    velocity_rad_s: Array,
    waypoints_rad: Array,
    duration_s: float,
    acceleration_rad_s2: float,
) -> Trajectory:
    """Through (n, 7) waypoints at an even pace, then to rest on the last of them within a short overshoot.

    The overshoot is 0.6 v^2 / a per joint: 1.2 mrad at 0.2 rad/s and 20 rad/s^2.
    """
    spacing = duration_s / len(waypoints_rad)
    path = np.vstack([joints_rad, waypoints_rad])
    tangents = np.gradient(path, spacing, axis=0)
    tail_s = max(MIN_STOP_S, 4 * np.abs(tangents[-1]).max() / acceleration_rad_s2)
    times = np.append(spacing * np.arange(len(path)), duration_s + tail_s)
    way = Trajectory(times, np.vstack([path, path[-1]]), np.vstack([tangents, np.zeros(path.shape[1])]))
    change = velocity_rad_s - tangents[0]
    blend_s = _apart_from(times, max(MIN_STOP_S, 4 * np.abs(change).max() / acceleration_rad_s2))
    nothing = np.zeros_like(change)
    return way.plus(Trajectory.cubic(nothing, change, nothing, nothing, blend_s))


def _apart_from(times: Array, t: float) -> float:
    """``t``, or the knot that it nearly meets: two knots at one place would be a corner."""
    nearest = float(times[np.argmin(np.abs(times - t))])
    return nearest if abs(nearest - t) < MIN_KNOT_SPACING_S and nearest > 0.0 else t


def arriving(joints_rad: Array, velocity_rad_s: Array, target_rad: Array, duration_s: float) -> Trajectory:
    """To rest on the target at the end of the period, for where there is no room to flow beyond it."""
    return Trajectory.cubic(joints_rad, velocity_rad_s, target_rad, np.zeros_like(target_rad), duration_s)


def relieving(joints_rad: Array, velocity_rad_s: Array, measured_rad: Array, acceleration_rad_s2: float) -> Trajectory:
    """To rest where the arm really is, so that it no longer presses towards where it was sent."""
    distance, speed = np.abs(measured_rad - joints_rad).max(), np.abs(velocity_rad_s).max()
    duration = cubic_duration_s(float(distance), float(speed), acceleration_rad_s2)
    return arriving(joints_rad, velocity_rad_s, measured_rad, duration)


def joined(trajectory: Trajectory, joints_rad: ArrayLike, acceleration_rad_s2: float) -> Trajectory:
    """The trajectory with its start moved to the commanded joints and the difference faded out."""
    offset = np.asarray(joints_rad) - trajectory.positions_rad[0]
    still = np.zeros_like(offset)
    fade_s = max(cubic_duration_s(float(np.abs(offset).max()), 0.0, 0.1 * acceleration_rad_s2), 0.1)
    fade_s = min(_apart_from(trajectory.times_s, fade_s), trajectory.duration_s)
    return trajectory.plus(Trajectory.cubic(offset, still, still, still, fade_s))
