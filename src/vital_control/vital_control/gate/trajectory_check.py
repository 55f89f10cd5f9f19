"""Whether a trajectory may be carried out: checked whole, between its points too, before anything moves."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vital_control.gate.limits import Limits
from vital_control.gate.verdict import Judgement, Verdict
from vital_core.arm import kinematics
from vital_core.arm.trajectory import Array, Trajectory
from vital_core.arm.xarm7 import JOINT_NAMES, LOWER_RAD, UPPER_RAD

SAMPLE_SPACING_S = 0.01
BOX_TOLERANCE_M = 1e-6
JOINT_TOLERANCE_RAD = 1e-6
REST_SPEED_RAD_S = 0.01


@dataclass(frozen=True)
class TrajectoryRequest:
    """A joint trajectory as it was sent: times_s (n,), positions_rad (n, 7), velocities_rad_s (n, 7) or None,
    columns in the order of joint_names; rows of uneven length are given as None in ``positions_rad``.

    token: of the owner's acquisition. valid_until_s: ROS time after which it must not begin."""

    owner: str
    joint_names: Sequence[str]
    times_s: Array
    positions_rad: Array | None
    velocities_rad_s: Array | None = None
    token: int = field(default=0, repr=False)
    valid_until_s: float = -np.inf


def problem(trajectory: Trajectory, limits: Limits, max_acceleration_rad_s2: float | None = None) -> Judgement | None:
    """Why a spline must not be carried out (speed, acceleration, joint limits, box), or None.

    An arm that is outside the box or a joint limit already may move back in, never further out.
    """
    times = trajectory.sample_times(SAMPLE_SPACING_S)
    positions, velocities = trajectory.states(times)
    if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
        return Judgement(Verdict.NOT_FINITE, "a point or a speed of the trajectory is not a finite number")
    return (
        _too_fast(velocities, limits)
        or _too_abrupt(trajectory, max_acceleration_rad_s2)
        or _beyond_joint_limit(positions)
        or _leaves_box(positions, limits)
    )


def _too_fast(velocities: Array, limits: Limits) -> Judgement | None:
    row, joint = np.unravel_index(np.abs(velocities).argmax(), velocities.shape)
    speed = abs(velocities[row, joint])
    if speed <= limits.max_joint_speed_rad_s:
        return None
    return Judgement(
        Verdict.TOO_FAST,
        f"{JOINT_NAMES[joint]} would move at {speed:.2f} rad/s, at most {limits.max_joint_speed_rad_s:.2f} allowed",
    )


def _too_abrupt(trajectory: Trajectory, limit: float | None) -> Judgement | None:
    if limit is None:
        return None
    accelerations = np.abs(trajectory.accelerations())
    row, joint = np.unravel_index(accelerations.argmax(), accelerations.shape)
    if accelerations[row, joint] <= limit:
        return None
    return Judgement(
        Verdict.TOO_FAST,
        f"{JOINT_NAMES[joint]} would accelerate at {accelerations[row, joint]:.1f} rad/s^2, limit {limit:.1f}",
    )


def _beyond_joint_limit(positions: Array) -> Judgement | None:
    beyond = np.maximum(LOWER_RAD - positions, positions - UPPER_RAD)
    allowed = np.maximum(beyond[0], 0.0) + JOINT_TOLERANCE_RAD
    row, joint = np.unravel_index((beyond - allowed).argmax(), beyond.shape)
    if beyond[row, joint] <= allowed[joint]:
        return None
    return Judgement(
        Verdict.JOINT_LIMIT,
        f"{JOINT_NAMES[joint]} would be at {positions[row, joint]:.3f} rad, "
        f"its range is {LOWER_RAD[joint]:.3f} to {UPPER_RAD[joint]:.3f}",
    )


def _leaves_box(positions: Array, limits: Limits) -> Judgement | None:
    points = kinematics.tcp_positions(positions)
    outside = limits.rules.outside_box_m(points)
    worst = int(outside.argmax())
    if outside[worst] <= max(outside[0], 0.0) + BOX_TOLERANCE_M and not _stays_out(outside):
        return None
    return Judgement(Verdict.OUT_OF_BOX, limits.rules.box_text(points[worst]))


def _stays_out(outside: NDArray[np.float64]) -> bool:
    """Whether it ends outside without having come nearer to the box."""
    return bool(outside[-1] > BOX_TOLERANCE_M and outside[-1] >= outside[0] - BOX_TOLERANCE_M)


def to_trajectory(request: TrajectoryRequest, start_rad: Array, limits: Limits) -> Trajectory | Judgement:
    """The spline of a request from rest at ``start_rad`` to rest, its columns in the arm's joint order.

    A first point at time 0 is the planner's own start and takes the place of ``start_rad``. Points without
    velocities get those of a smooth curve. A Judgement when the request is not well formed.
    """
    form = _malformed(request, limits)
    if form is not None:
        return form
    assert request.positions_rad is not None
    order = [list(request.joint_names).index(name) for name in JOINT_NAMES]
    times, positions = request.times_s, request.positions_rad[:, order]
    velocities = None if request.velocities_rad_s is None else request.velocities_rad_s[:, order]
    if times[0] > 0.0:
        times, positions = np.append(0.0, times), np.vstack([start_rad, positions])
        velocities = None if velocities is None else np.vstack([np.zeros(positions.shape[1]), velocities])
    if velocities is None:
        velocities = np.gradient(positions, times, axis=0)
        velocities[[0, -1]] = 0.0
    ends = float(np.abs(velocities[[0, -1]]).max())
    if ends > REST_SPEED_RAD_S:
        return Judgement(Verdict.TOO_FAST, f"trajectory starts or ends at {ends:.3f} rad/s, expected rest at both ends")
    velocities[[0, -1]] = 0.0
    return Trajectory(times, positions, velocities)


def _malformed(request: TrajectoryRequest, limits: Limits) -> Judgement | None:
    if sorted(request.joint_names) != sorted(JOINT_NAMES):
        got = ", ".join(request.joint_names) or "none"
        return Judgement(Verdict.WRONG_FRAME, f"trajectory is for the joints {got}; expected joint1 to joint7")
    if request.positions_rad is None or len(request.times_s) == 0:
        return Judgement(
            Verdict.BAD_DURATION,
            f"trajectory has {len(request.times_s)} points, expected one or more, each with 7 positions "
            "and 7 velocities or none",
        )
    velocities = request.velocities_rad_s if request.velocities_rad_s is not None else np.zeros(1)
    if not all(np.isfinite(a).all() for a in (request.times_s, request.positions_rad, velocities)):
        return Judgement(Verdict.NOT_FINITE, "a point, a speed or a time of the trajectory is not a finite number")
    return _wrong_times(request.times_s, limits)


def _wrong_times(times_s: Array, limits: Limits) -> Judgement | None:
    if times_s[0] < 0.0 or not (np.diff(times_s) > 0.0).all():
        return Judgement(Verdict.BAD_DURATION, "times from start must be 0 or more and grow from point to point")
    if not limits.min_duration_s <= times_s[-1] <= limits.max_trajectory_s:
        return Judgement(
            Verdict.BAD_DURATION,
            f"trajectory takes {times_s[-1]:.3f} s, expected {limits.min_duration_s} to {limits.max_trajectory_s} s",
        )
    return None
