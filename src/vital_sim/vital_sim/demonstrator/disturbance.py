"""What demonstrations are disturbed by, so that they show how to come back: a turned start, noise on the way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_sim.demonstrator.style import Phase, Z

PERIOD_S = 1.0 / 6.0
MOST_YAW_DEG = 45.0
MOST_NOISE = 3.0
MOST_STRAYS = 20
MOST_PUSH = 0.2
MOST_STRAY_TURN_DEG = 25.0
LARGEST = 2.0  # standard deviations, so that a step stays within the task's limits
NEAR_M, NEAR_SHARE = 0.04, 0.1
# A stray lasts so long and would carry the hand by up to so much across the approach and along it, and turn it about
# the target's z, if nobody pushed back, where so large a share of the way is left and at least so much of it.
STRAY_S, STRAY_ACROSS_M, STRAY_ALONG_M, STRAY_RAD = 0.5, 0.012, 0.004, np.deg2rad(10.0)
STRAY_SHARES, STRAY_LEAST_M = (0.25, 0.95), 0.012


@dataclass(frozen=True)
class Disturbance:
    """How an episode is disturbed."""

    start_yaw_deg: float = 20.0
    """The hand starts turned about its tip by up to so much. Localisation tells yaw to some degrees where it tells one,
    and targets stand turned by up to 30 where it tells none: what was never seen turned is not turned back."""
    noise: float = 1.0
    """Noise on what is executed, never on the label (DART, Laskey et al. 2017), in shares of `NOISE`; 0: none."""
    strays: int = 0
    """How often the hand is carried off on its way, by up to `STRAY_ACROSS_M`. A demonstrator aligns within the first
    second: without strays nothing shows what to do when the target is near and still aside."""
    stray_turn_deg: float = 0.0
    """By how much a stray would turn it at most, about each axis; 0: by 10 degrees about the target's alone."""
    push: float = 0.0
    """A policy that acts first is pushed to one side through a whole episode: by up to so much of the task's largest
    step along and about each axis."""

    def __post_init__(self) -> None:
        most_of = {
            "start_yaw_deg": MOST_YAW_DEG, "noise": MOST_NOISE, "push": MOST_PUSH, "stray_turn_deg": MOST_STRAY_TURN_DEG
        }  # fmt: skip
        for name, most in most_of.items():
            if not 0.0 <= (value := getattr(self, name)) <= most:
                text = f"--{name.replace('_', '-')} is {value:g}, expected 0 to {most:g}"
                raise VitalError(ErrorCode.BAD_PARAMETER, text)
        if not 0 <= self.strays <= MOST_STRAYS:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"--strays is {self.strays}, expected 0 to {MOST_STRAYS}")

    def start_yaw_rad(self, seed: int) -> float:
        """By how much an episode's start is turned."""
        half_rad = np.deg2rad(self.start_yaw_deg)
        return float(np.random.default_rng([seed, 2]).uniform(-half_rad, half_rad))

    def push_of(self, seed: int, max_step_m: float, max_step_rad: float) -> NDArray[np.float64]:
        """(7,) what is added to every action of an episode, TCP frame, m and rad; nothing to the gripper."""
        shares = np.random.default_rng([seed, 4]).uniform(-self.push, self.push, 6)
        return np.append(shares * np.repeat((max_step_m, max_step_rad), 3), 0.0)


UNDISTURBED = Disturbance(0.0, 0.0, 0)
# m/s and rad/s, held for a period: 3 mm and 1 to 1.5 degrees an action, what policies err by in open air
# (a third of the 9 mm of an action, at a held-out R2 of 0.9), and their corrections push back.
NOISE = np.array([0.003] * 3 + [np.deg2rad(1.0)] * 2 + [np.deg2rad(1.5)]) / PERIOD_S


class InjectedNoise:
    """Another twist each period, smaller near the target, where a hand that errs by millimetres jams or breaks."""

    def __init__(self, rng: np.random.Generator, level: float) -> None:
        self._rng, self._level = rng, level
        self._period, self._drawn = -1, np.zeros(6)

    def twist(self, time_s: float, way_m: float, phase: Phase) -> NDArray[np.float64]:
        """(6,) m/s and rad/s in the target's frame. way_m: how far it is to the target along the approach."""
        if (period := int(time_s / PERIOD_S + 1e-9)) != self._period:
            self._period = period
            self._drawn = np.clip(self._rng.standard_normal(6), -LARGEST, LARGEST)
        if phase in (Phase.HOLD, Phase.DONE):
            return np.zeros(6)
        near = float(np.clip(way_m / NEAR_M, NEAR_SHARE, 1.0)) if phase is Phase.APPROACH else NEAR_SHARE
        return self._level * near * NOISE * self._drawn


class Strays:
    """Carries the hand off, a few times on its approach, by up to `largest`.

    turn_rad: about each axis, instead of the usual turn. along: which axis of the target's frame the approach has.
    """

    def __init__(self, rng: np.random.Generator, count: int, turn_rad: float = 0.0, along: int = Z) -> None:
        largest = self.largest = np.full(6, STRAY_ACROSS_M)
        largest[along] = STRAY_ALONG_M
        largest[3:] = turn_rad if turn_rad > 0.0 else (0.0, 0.0, STRAY_RAD)
        self._shares = sorted(rng.uniform(*STRAY_SHARES, count).tolist())  # of the way; the last one comes first
        self._twists = (rng.uniform(-1.0, 1.0, (count, 6)) * largest / STRAY_S).tolist()
        self._whole_way_m: float | None = None
        self._until_s, self._twist = 0.0, np.zeros(6)

    def twist(self, time_s: float, way_m: float, phase: Phase) -> NDArray[np.float64]:
        """(6,) m/s and rad/s in the target's frame. way_m: how far it is to the target along the approach."""
        if self._whole_way_m is None:
            self._whole_way_m = way_m
        if time_s < self._until_s:
            return self._twist if phase is Phase.APPROACH else np.zeros(6)
        if phase is Phase.APPROACH and self._shares and way_m <= self._shares[-1] * self._whole_way_m:
            self._shares.pop()
            twist = np.array(self._twists.pop())
            if way_m >= STRAY_LEAST_M:
                self._until_s, self._twist = time_s + STRAY_S, twist
                return twist
        return np.zeros(6)
