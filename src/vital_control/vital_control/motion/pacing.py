"""How fast a path is travelled: whole, in pieces that end at rest by themselves, slowed to a stop, or gone on with.

A controller carries out what it was given last to its end, whoever has died meanwhile. So a long path is handed over
in pieces: each goes on for a horizon and then slows down on the path to rest, unless the next piece takes its place.
Time along the path runs at a rate: 1 as planned, 0 at rest. Times in s.
"""

from dataclasses import dataclass

import numpy as np

from vital_core.arm.trajectory import MIN_KNOT_SPACING_S, MIN_STOP_S, Array, Trajectory

HORIZON_S = 0.5  # of a piece, before it slows down to rest
RENEW_S = 0.2  # after which the next piece takes its place
KNOT_SPACING_S, STOP_KNOT_SPACING_S = 0.02, 0.01
NO_GAP_RAD = 0.005
FIRST_KNOT_S = 0.1  # of a piece that joins one under way: room to fade out what the two were late by


@dataclass(frozen=True)
class Piece:
    """A stretch of ``path`` as a motion of its own, ``motion``, in force since ``start_s`` of the steady clock.

    The rate is linear between ``breaks_s``; ``reached_s`` is the path's time at each of them.
    """

    path: Trajectory
    motion: Trajectory
    start_s: float
    breaks_s: Array
    rates: Array
    reached_s: Array

    def path_time_s(self, now_s: float) -> float:
        """How far along the path the motion is."""
        return float(_path_times(np.array([now_s - self.start_s]), self.breaks_s, self.rates, self.reached_s)[0])

    def rate(self, now_s: float) -> float:
        """At which share of the planned speed it is travelled."""
        return float(np.interp(now_s - self.start_s, self.breaks_s, self.rates))

    def state(self, now_s: float) -> tuple[Array, Array]:
        """Positions and velocities, each (7,)."""
        return self.motion.state(now_s - self.start_s)

    def moving(self, now_s: float) -> bool:
        """Whether the piece has not come to rest yet."""
        return now_s - self.start_s < self.motion.duration_s

    def completes(self) -> bool:
        """Whether it reaches the path's end."""
        return bool(self.reached_s[-1] >= self.path.duration_s)


def piece(
    path: Trajectory, from_s: float, rate: float, now_s: float, braking_rad_s2: float, gap_rad: float = 0.0
) -> Piece:
    """From ``from_s`` of the path, travelled at ``rate`` there, on at the planned pace for a horizon, then to rest.

    gap_rad: how far the controller is from there, which is faded out.
    """
    if from_s == 0.0 and rate == 1.0 and path.duration_s <= HORIZON_S:
        ends = np.array([0.0, path.duration_s])
        return Piece(path, path, now_s, ends, np.ones(2), ends)
    ramp_s = _ramp_s(path, braking_rad_s2)
    faster_s = (1.0 - rate) * ramp_s
    breaks = np.array([0.0, max(faster_s, 1e-9), max(faster_s, 1e-9) + HORIZON_S, 0.0])
    breaks[3] = breaks[2] + ramp_s
    first_s = max(FIRST_KNOT_S, _fade_s(gap_rad, braking_rad_s2)) if from_s > 0.0 else 0.0
    return _stretch(path, from_s, now_s, breaks, np.array([rate, 1.0, 1.0, 0.0]), first_s, KNOT_SPACING_S)


def stop(
    path: Trajectory, from_s: float, rate: float, now_s: float, braking_rad_s2: float, gap_rad: float = 0.0
) -> Piece:
    """From ``from_s`` of the path, travelled at ``rate`` there, to rest without leaving the path.

    A path that was inside the box and the joint limits stays so while it stops. gap_rad: how far the controller is from
    there, which is faded out.
    """
    speed = rate * float(np.abs(path.state(from_s)[1]).max())
    fade_s = _fade_s(gap_rad, braking_rad_s2)
    breaks = np.array([0.0, max(MIN_STOP_S, speed / braking_rad_s2, fade_s)])
    return _stretch(path, from_s, now_s, breaks, np.array([rate, 0.0]), fade_s, STOP_KNOT_SPACING_S)


def _fade_s(gap_rad: float, braking_rad_s2: float) -> float:
    """How long a controller that is apart takes to come onto the path; none for what its own delay explains."""
    return float(np.sqrt(6 * gap_rad / braking_rad_s2)) if gap_rad > NO_GAP_RAD else 0.0


def _ramp_s(path: Trajectory, braking_rad_s2: float) -> float:
    return max(MIN_STOP_S, float(np.abs(path.velocities_rad_s).max()) / braking_rad_s2)


def _stretch(
    path: Trajectory, from_s: float, now_s: float, breaks: Array, rates: Array, first_s: float, spacing_s: float
) -> Piece:
    spans = np.diff(breaks) * (rates[1:] + rates[:-1]) / 2
    reached = from_s + np.append(0.0, np.cumsum(spans))
    times = np.linspace(0.0, breaks[-1], int(np.ceil(breaks[-1] / spacing_s)) + 1)
    along = _path_times(times, breaks, rates, reached)
    if along[-1] > path.duration_s:
        # Between two knots the pace hardly changes.
        end_s = max(float(np.interp(path.duration_s, along, times)), MIN_KNOT_SPACING_S)
        before = times < end_s - MIN_KNOT_SPACING_S
        before[0] = True
        times, along = np.append(times[before], end_s), np.append(along[before], path.duration_s)
    keep = (times >= min(first_s, times[-1])) | (times == 0.0)
    times, along = times[keep], along[keep]
    positions, velocities = path.states(np.minimum(along, path.duration_s))
    velocities = velocities * np.interp(times, breaks, rates)[:, None]
    velocities[-1] = 0.0
    return Piece(path, Trajectory(times, positions, velocities), now_s, breaks, rates, reached)


def _path_times(times: Array, breaks: Array, rates: Array, reached: Array) -> Array:
    """Path times at piece times: the integral of a rate that is linear between breaks; constant after the last."""
    t = np.clip(times, 0.0, breaks[-1])
    i = np.clip(np.searchsorted(breaks, t, side="right") - 1, 0, len(breaks) - 2)
    into, span = t - breaks[i], breaks[i + 1] - breaks[i]
    result: Array = reached[i] + into * (rates[i] + into * (rates[i + 1] - rates[i]) / (2 * span))
    return result
