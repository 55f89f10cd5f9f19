"""Whether what the arm was sent was safe, and whether it stood still: judged from a recording alone.

Nothing of the gate is used: the controller's path between points, the kinematics' box and the limits are looked up or
worked out again, so that a fault of the gate's own check shows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from vital_bringup.chaos.watching.recording import Array, Measured, Recording, Sent
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import (
    JOINT_NAMES,
    LOWER_RAD,
    MAX_JOINT_SPEED_RAD_S,
    PLANNING_JOINT_SPEED_RAD_S,
    UPPER_RAD,
)
from vital_core.task import Task

SPACING_S = 0.005
# A trajectory is sent some milliseconds after the gate has looked at the clock.
SENT_LATE_S = 0.01
SPEED_MARGIN = 1.02
FOLLOWING_RAD = 0.3  # measured to commanded, while it moves
BOX_MARGIN_M = 0.001
RANGE_MARGIN_RAD = 1e-3
REST_RAD_S = 0.05
LAST_SPEED_RAD_S = 1e-3


@dataclass(frozen=True)
class Path:
    """What a joint trajectory controller makes of a trajectory: cubics from where it was at ``start_s``."""

    start_s: float
    spline: CubicHermiteSpline
    first_s: float  # of the first point that was sent
    duration_s: float

    def state(self, at_s: float) -> tuple[Array, Array]:
        """Commanded positions and speeds, each (7,)."""
        t = float(np.clip(at_s - self.start_s, 0.0, self.duration_s))
        speeds = self.spline(t, 1) if at_s - self.start_s < self.duration_s else np.zeros(7)
        return self.spline(t), speeds


def _start(before: Path | None, measured: Measured | None, sent: Sent) -> tuple[Array, Array]:
    """Where the controller begins: its own last command, or the arm where that has been put elsewhere."""
    if before is not None:
        position, speed = before.state(sent.at_s)
        if measured is None or np.abs(position - measured.joints_rad).max() <= _may_be_apart(measured):
            return position, speed
    return (sent.positions_rad[0] if measured is None else measured.joints_rad), np.zeros(7)


def _may_be_apart(measured: Measured) -> float:
    """How far the arm may be from where it was measured: it lags behind its command, and has gone on since."""
    return FOLLOWING_RAD + PLANNING_JOINT_SPEED_RAD_S * measured.age_s


def path_of(before: Path | None, measured: Measured | None, sent: Sent) -> Path:
    """The path that a well-formed trajectory is carried out on."""
    position, speed = _start(before, measured, sent)
    first = 1 if sent.times_s[0] < 1e-9 and len(sent.times_s) > 1 else 0
    times = np.concatenate([[0.0], np.maximum(sent.times_s[first:], 1e-6)])
    positions = np.vstack([position, sent.positions_rad[first:]])
    speeds = np.vstack([speed, sent.speeds_rad_s[first:]])
    return Path(sent.at_s, CubicHermiteSpline(times, positions, speeds), float(times[1]), float(times[-1]))


def form_problem(sent: Sent) -> str | None:
    """Whether a trajectory is one at all, and ends at rest."""
    if sent.problem:
        return sent.problem
    if not all(np.isfinite(a).all() for a in (sent.times_s, sent.positions_rad, sent.speeds_rad_s)):
        return "has a value that is not finite"
    if sent.times_s[0] < 0.0 or (np.diff(sent.times_s) <= 0.0).any():
        return "has times that do not rise"
    last = float(np.abs(sent.speeds_rad_s[-1]).max())
    return None if last <= LAST_SPEED_RAD_S else f"ends at {last:.3f} rad/s, expected rest"


def unsafe(recording: Recording, task: Task, from_s: float, at_s: float, to_s: float) -> list[str]:
    """What was wrong with the trajectories sent from ``from_s`` to ``to_s``, one line each; of a fault at ``at_s``."""
    found: list[str] = []
    path: Path | None = None
    for sent in recording.sent:
        if sent.at_s > to_s:
            break
        form = form_problem(sent)
        measured = recording.measured(sent.at_s)
        if path is not None and recording.was_reset(path.start_s, sent.at_s):
            path = None
        if form is None:
            new = path_of(path, measured, sent)
            problem = path_problem(new, measured, sent, task)
            path = new
        else:
            problem = form
        if problem is not None and sent.at_s >= from_s:
            found.append(f"trajectory at {sent.at_s - at_s:+.2f} s {problem}")
    return found


def path_problem(path: Path, measured: Measured | None, sent: Sent, task: Task) -> str | None:
    """The first limit that a path breaks: continuity, speed, range of a joint, box of the TCP."""
    times = np.union1d(np.arange(0.0, path.duration_s, SPACING_S), path.spline.x)
    positions, speeds = path.spline(times), np.abs(path.spline(times, 1))
    sent_rows = times >= path.first_s
    return (
        _jump(path, measured)
        or _too_fast(path, times, speeds)
        or _beyond_range(positions, sent_rows)
        or _outside_box(positions, sent_rows, task)
    )


def _jump(path: Path, measured: Measured | None) -> str | None:
    if measured is None:
        return None
    apart = np.abs(path.spline(path.first_s) - measured.joints_rad)
    most = _may_be_apart(measured) + PLANNING_JOINT_SPEED_RAD_S * path.first_s
    joint = int(apart.argmax())
    if apart[joint] <= most:
        return None
    return (
        f"has {JOINT_NAMES[joint]} {apart[joint]:.3f} rad from where it was measured, after {path.first_s:.3f} s: "
        f"at most {most:.3f}"
    )


def _too_fast(path: Path, times: Array, speeds: Array) -> str | None:
    """The first stretch begins where the observer believes the controller to be: it is given what that may be off."""
    begun = float(np.abs(path.spline(0.0, 1)).max())
    slack = 3.0 * begun * SENT_LATE_S / max(path.first_s, SPACING_S)
    most = np.where(times <= path.first_s, MAX_JOINT_SPEED_RAD_S + slack, PLANNING_JOINT_SPEED_RAD_S * SPEED_MARGIN)
    over = speeds.max(axis=1) - most
    row = int(over.argmax())
    if over[row] <= 0.0:
        return None
    return (
        f"moves {JOINT_NAMES[int(speeds[row].argmax())]} at {speeds[row].max():.2f} rad/s after {times[row]:.3f} s: "
        f"at most {most[row]:.2f}"
    )


def _beyond_range(positions: Array, rows: NDArray[np.bool_]) -> str | None:
    beyond = np.maximum(LOWER_RAD - positions, positions - UPPER_RAD)
    allowed = np.maximum(beyond[0], 0.0) + RANGE_MARGIN_RAD
    worst = (beyond[rows] - allowed).max(axis=0)
    joint = int(worst.argmax())
    if worst[joint] <= 0.0:
        return None
    return f"takes {JOINT_NAMES[joint]} {worst[joint] + RANGE_MARGIN_RAD:.3f} rad beyond its range"


def _outside_box(positions: Array, rows: NDArray[np.bool_], task: Task) -> str | None:
    points = kinematics.tcp_positions(positions)
    below, above = np.array(task.workspace_lower_m) - points, points - np.array(task.workspace_upper_m)
    outside = np.maximum(below, above).max(axis=1)
    allowed = max(float(outside[0]), 0.0) + BOX_MARGIN_M
    worst = float(outside[rows].max())
    if worst <= allowed:
        return None
    return f"takes the TCP {1000 * worst:.1f} mm outside the workspace box"


def too_fast(recording: Recording, from_s: float, to_s: float) -> str | None:
    """Whether the arm itself was measured faster than it may ever be, between two moments."""
    seen = recording.between(from_s, to_s)
    if not len(seen.times_s):
        return None
    fastest = np.abs(seen.speeds_rad_s).max(axis=1)
    row = int(fastest.argmax())
    if fastest[row] <= MAX_JOINT_SPEED_RAD_S:
        return None
    joint = JOINT_NAMES[int(np.abs(seen.speeds_rad_s[row]).argmax())]
    return f"{joint} was measured at {fastest[row]:.2f} rad/s {seen.times_s[row] - from_s:+.2f} s after the fault"


def moving(recording: Recording, from_s: float, to_s: float) -> str | None:
    """Why the arm was not at rest between two moments, or None: by its speeds where it is seen, by what it was last
    sent where it is not."""
    seen = recording.between(from_s, to_s)
    if len(seen.times_s) >= 3:
        fastest = np.abs(seen.speeds_rad_s).max(axis=1)
        row = int(fastest.argmax())
        if fastest[row] <= REST_RAD_S:
            return None
        into_s = seen.times_s[row] - from_s
        return f"moves at {fastest[row]:.2f} rad/s, {into_s:.2f} s into the time in which it must be at rest"
    return _commanded_moving(recording, from_s)


def _commanded_moving(recording: Recording, from_s: float) -> str | None:
    path: Path | None = None
    for sent in recording.sent:
        if sent.at_s > from_s:
            break
        if path is not None and recording.was_reset(path.start_s, sent.at_s):
            path = None
        if form_problem(sent) is None:
            path = path_of(path, recording.measured(sent.at_s), sent)
    if path is None or path.start_s + path.duration_s <= from_s or recording.was_reset(path.start_s, from_s):
        return None
    times = np.arange(from_s - path.start_s, path.duration_s, SPACING_S)
    fastest = float(np.abs(path.spline(times, 1)).max()) if len(times) else 0.0
    if fastest <= REST_RAD_S:
        return None
    return (
        f"was not seen any more, and its last trajectory goes on for {path.start_s + path.duration_s - from_s:.2f} s "
        f"at up to {fastest:.2f} rad/s"
    )
