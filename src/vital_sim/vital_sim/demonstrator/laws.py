"""What a demonstrator does next in each skill, as a feedback law on the true state.

A law gives the tip's velocity in the target's frame: (6,) m/s and rad/s. It moves its phase on at every command.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.task import Task
from vital_sim.demonstrator.style import Phase, Style, X, Z
from vital_sim.world.truth import Truth

HOLD_S = 0.5
Twist = NDArray[np.float64]


class Law(Protocol):
    """One skill."""

    phase: Phase
    """What it is doing."""
    gripper: float
    """Where the fingers are to go: 0 open, 1 closed."""
    along: int
    """The axis of the target's frame along which it approaches."""
    free: NDArray[np.float64]
    """(6,) 1 along and about the axes of the target's frame that it moves the hand in, 0 where it leaves it."""

    def way_m(self, truth: Truth) -> float:
        """How far it is to the target along the approach."""

    def update(self, truth: Truth, seconds: float) -> None:
        """Move the phase on; ``seconds`` since the last time."""

    def twist(self, style: Style, truth: Truth, misjudged: NDArray[np.float64]) -> Twist:
        """Where to go; misjudged (5,): lateral error in m, tilt error in rad, force error in N."""


def _limited(vector: NDArray[np.float64], largest: float) -> NDArray[np.float64]:
    size = float(np.linalg.norm(vector))
    return vector if size <= largest else vector * (largest / size)


def _error(truth: Truth) -> NDArray[np.float64]:
    """(3,) the tip in the target's frame, m."""
    return (pose_of.inverse(truth.t_base_target) @ truth.t_base_tip)[:3, 3]


def _tilt(truth: Truth) -> NDArray[np.float64]:
    """(3,) rotation vector in the target's frame that turns the tip straight, rad."""
    aligned = truth.t_base_target @ pose_of.point_down(np.zeros(3))
    turn = truth.t_base_tip[:3, :3] @ pose_of.to_vector(pose_of.inverse(truth.t_base_tip) @ aligned)[3:]
    return truth.t_base_target[:3, :3].T @ turn


def _readiness(style: Style, distance_m: float, lateral_m: float, tilt_rad: float) -> float:
    """-0.3 to 1: how far the approach may go on at this distance with these errors."""
    allowed = style.aim_m + style.aim_slope * distance_m
    straight = np.clip(1.5 * (1.0 - lateral_m / allowed), -0.3, 1.0)
    return float(min(straight, np.clip(1.5 - tilt_rad / (0.015 + 2.0 * distance_m), -0.3, 1.0)))


class _Held:
    """Counts how long the goal has been held."""

    def __init__(self) -> None:
        self._held_s = 0.0

    def phase(self, seconds: float) -> Phase:
        self._held_s += seconds
        return Phase.DONE if self._held_s > HOLD_S else Phase.HOLD


class InsertLaw:
    """Above the opening, down to the rim, over it by touch, in."""

    gripper, along, free = 1.0, Z, np.ones(6)

    def __init__(self, task: Task, engaged_m: float) -> None:
        self.phase = Phase.APPROACH
        self._goal_m, self._engaged_m = task.success_depth_m, engaged_m
        self._held = _Held()

    def way_m(self, truth: Truth) -> float:
        """See `Law`."""
        return max(0.0, -truth.depth_m)

    def update(self, truth: Truth, seconds: float) -> None:
        """See `Law`."""
        if truth.depth_m >= self._goal_m + 0.0012 or (self.phase is Phase.HOLD and truth.success):
            self.phase = self._held.phase(seconds)
        elif truth.depth_m > self._engaged_m and truth.lateral_m < 0.002:
            self.phase = Phase.INSERT
        elif truth.contact_force_n > 1.0:
            self.phase = Phase.TOUCH
        elif truth.depth_m < -0.002:
            self.phase = Phase.APPROACH

    def twist(self, style: Style, truth: Truth, misjudged: NDArray[np.float64]) -> Twist:
        """See `Law`."""
        if self.phase in (Phase.HOLD, Phase.DONE):
            return np.zeros(6)
        tilt = _tilt(truth)
        tilt[:2] += misjudged[2:4]
        lateral = _error(truth)[:2] + misjudged[:2]
        rate = _limited(style.gain_1_s * tilt, 0.5)
        speed = -_limited(style.gain_1_s * lateral, 0.06 if self.phase is Phase.APPROACH else 0.005)
        press_n = style.press_n + misjudged[4]
        descent = self._descent(style, press_n, truth, float(np.linalg.norm(lateral)), float(np.linalg.norm(tilt)))
        return style.pace * np.concatenate([speed, [-descent], rate])

    def _descent(self, style: Style, press_n: float, truth: Truth, lateral_m: float, tilt_rad: float) -> float:
        """Downward speed in m/s."""
        height_m = max(0.0, -truth.depth_m)
        if self.phase is Phase.INSERT:
            return 0.020 * float(np.clip((35.0 - truth.contact_force_n) / 10.0, -0.2, 1.0))
        if self.phase is Phase.TOUCH:
            if truth.lateral_m > 0.006:
                return -0.02
            return float(np.clip(0.002 * (press_n - truth.contact_force_n), -0.01, 0.006))
        readiness = _readiness(style, height_m, lateral_m, tilt_rad)
        return readiness * float(np.clip(1.2 * height_m, 0.006, 0.06))


class SwipeLaw:
    """In front of the slot at a third of its depth, to its entry, over the lead-in by touch, to its floor, along that.

    How deep a card stands between two walls can hardly be seen, nor by how much its nose points up or down in the hand,
    so the hand is not turned about that axis. That it stands on the floor is felt, and comes before the way along.
    """

    gripper, along, free = 1.0, X, np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    PRESS_N = 2.5  # on the floor
    FELT_N, FEEL_S = 0.7, 0.25  # what is felt, over so long, is something that the card stands on

    def __init__(self, task: Task, *, entry_m: float, flare_m: float, slot_depth_m: float) -> None:
        self.phase = Phase.APPROACH
        self._task, self._entry_m, self._flare_m, self._slot_depth_m = task, entry_m, flare_m, slot_depth_m
        self._held = _Held()
        self._felt_n, self._on_floor = 0.0, False

    def _ahead_m(self, truth: Truth) -> float:
        """Distance of the leading edge from the slot's entry; negative within."""
        return self._entry_m - float(_error(truth)[0])

    def way_m(self, truth: Truth) -> float:
        """See `Law`."""
        return max(0.0, self._ahead_m(truth))

    def update(self, truth: Truth, seconds: float) -> None:
        """See `Law`."""
        ahead_m = self._ahead_m(truth)
        self._felt_n += (truth.contact_force_n - self._felt_n) * -float(np.expm1(-seconds / self.FEEL_S))
        deep = self.phase is Phase.INSERT and truth.depth_m > self._task.success_depth_m
        self._on_floor = deep and (self._on_floor or self._felt_n > self.FELT_N)
        if truth.travel_m >= self._task.success_travel_m + 0.002 or (self.phase is Phase.HOLD and truth.success):
            self.phase = self._held.phase(seconds)
        elif ahead_m < -self._flare_m - 0.001 and truth.lateral_m < 0.0015:
            self.phase = Phase.INSERT
        elif truth.contact_force_n > 0.5:
            self.phase = Phase.TOUCH
        elif ahead_m > 0.002:
            self.phase = Phase.APPROACH

    def twist(self, style: Style, truth: Truth, misjudged: NDArray[np.float64]) -> Twist:
        """See `Law`."""
        if self.phase in (Phase.HOLD, Phase.DONE):
            return np.zeros(6)
        tilt = _tilt(truth)
        tilt[1:] += misjudged[2:4]
        tilt *= self.free[3:]
        error = _error(truth)
        across = np.array([error[1], error[2] + self._slot_depth_m / 3]) + misjudged[:2] / 2
        rate = _limited(style.gain_1_s * tilt, 0.5)
        aside = -_limited(style.gain_1_s * across, 0.06 if self.phase is Phase.APPROACH else 0.006)
        if self.phase is Phase.INSERT:
            aside[1] = -self._down(style, float(error[2]) + self._slot_depth_m)
        press_n = 0.5 * (style.press_n + misjudged[4])
        forward = self._forward(style, press_n, truth, float(np.linalg.norm(across)), float(np.linalg.norm(tilt)))
        return style.pace * np.concatenate([[forward], aside, rate])

    def _down(self, style: Style, height_m: float) -> float:
        """Speed towards the slot's floor from ``height_m`` above it, and onto it, m/s."""
        if self._on_floor:
            return float(np.clip(0.0015 * (self.PRESS_N - self._felt_n), -0.006, 0.004))
        return float(np.clip(style.gain_1_s * height_m, 0.004, 0.012))

    def _forward(self, style: Style, press_n: float, truth: Truth, across_m: float, tilt_rad: float) -> float:
        """Speed towards the slot and through it, m/s."""
        ahead_m = max(0.0, self._ahead_m(truth))
        if self.phase is Phase.INSERT:
            unhindered = float(np.clip((15.0 - truth.contact_force_n) / 8.0, -0.2, 1.0))
            return (0.045 if self._on_floor else 0.009) * unhindered
        if self.phase is Phase.TOUCH:
            if across_m > 0.006:
                return -0.02
            return float(np.clip(0.002 * (press_n - truth.contact_force_n), -0.01, 0.006))
        return _readiness(style, ahead_m, across_m, tilt_rad) * float(np.clip(1.2 * ahead_m, 0.006, 0.06))


class PickLaw:
    """Above the block, down around it with open fingers, close, lift; again when it was lost."""

    along, free = Z, np.ones(6)
    CLOSE_S = 1.0
    MISSED_M = 0.02  # lifted this far without the block

    def __init__(self, task: Task, height_m: float) -> None:
        self.phase, self.gripper = Phase.APPROACH, 0.0
        self._lift_m = task.success_travel_m + 0.008
        self._depth_m = height_m / 2
        self._closing_s = 0.0
        self._held = _Held()

    def way_m(self, truth: Truth) -> float:
        """See `Law`."""
        return max(0.0, self._depth_m - truth.depth_m)

    def update(self, truth: Truth, seconds: float) -> None:
        """See `Law`."""
        if truth.travel_m >= self._lift_m or (self.phase is Phase.HOLD and truth.success):
            self.phase = self._held.phase(seconds)
        elif self.phase is Phase.APPROACH and abs(truth.depth_m - self._depth_m) < 0.003 and truth.lateral_m < 0.006:
            self.phase, self._closing_s = Phase.TOUCH, 0.0
        elif self.phase is Phase.TOUCH:
            self._closing_s += seconds
            if self._closing_s >= self.CLOSE_S:
                self.phase = Phase.INSERT
        elif self.phase is Phase.INSERT and truth.depth_m < self._depth_m - self.MISSED_M:
            self.phase = Phase.APPROACH
        self.gripper = 0.0 if self.phase is Phase.APPROACH else 1.0

    def twist(self, style: Style, truth: Truth, misjudged: NDArray[np.float64]) -> Twist:
        """See `Law`."""
        if self.phase in (Phase.TOUCH, Phase.HOLD, Phase.DONE):
            return np.zeros(6)
        if self.phase is Phase.INSERT:
            return style.pace * np.array([0.0, 0.0, 0.06, 0.0, 0.0, 0.0])
        tilt = _tilt(truth)
        tilt[:2] += misjudged[2:4]
        lateral = _error(truth)[:2] + misjudged[:2]
        above_m = truth.depth_m - self._depth_m  # negative above the grasp
        aim = np.linalg.norm(lateral)
        if above_m > -0.002:
            descent = -4.0 * above_m
        else:
            wide = Style(aim_m=style.aim_m + 0.003, aim_slope=style.aim_slope)
            ready = _readiness(wide, -above_m, float(aim), float(np.linalg.norm(tilt)) / 3)
            descent = ready * float(np.clip(1.2 * -above_m, 0.006, 0.06))
        speed = -_limited(style.gain_1_s * lateral, 0.06)
        return style.pace * np.concatenate([speed, [-descent], _limited(style.gain_1_s * tilt, 0.5)])
