"""One tick of the local policy without ROS: readings in, action or refusal out, and an episode's figures."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.arm.arm_pace import ArmPace
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode
from vital_core.observation import TACTILE_VALUES, Action, Observation
from vital_core.pose import Pose
from vital_core.statistics import percentile

# A stamp this far ahead of the clock is a fault of clocks, not of rounding.
STAMP_TOLERANCE_S = 0.02
WAITS = "the arm has still to do the last action"


@dataclass(frozen=True)
class Reading:
    """A sensor's value, the steady time at which it came, and how old its stamp said it was then, s."""

    value: NDArray
    received_s: float
    age_at_receipt_s: float
    stamp_ns: int = 0

    def age_s(self, now_s: float) -> float:
        """Age at steady time ``now_s``; negative when the stamp lies in the future."""
        return now_s - self.received_s + self.age_at_receipt_s


class Readings:
    """The newest image and tactile reading; written by the subscriptions, read by the tick."""

    def __init__(self, now: Callable[[], float] = steady_s) -> None:
        self._now, self._lock = now, threading.Lock()
        self._image: Reading | None = None
        self._tactile: Reading | None = None
        self._both = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        """Wait until both have come since `clear`; False when they did not within ``timeout_s``."""
        return self._both.wait(timeout_s)

    def clear(self) -> None:
        """Forget both: what was seen before this moment is not to be acted on."""
        with self._lock:
            self._image = self._tactile = None
            self._both.clear()

    def put_image(self, image: NDArray[np.uint8], stamp_age_s: float, stamp_ns: int = 0) -> None:
        """(128, 128, 3) uint8, ``stamp_age_s`` old by its stamp."""
        reading = self._reading(image, stamp_age_s, stamp_ns)
        with self._lock:
            self._image = reading
            if self._tactile is not None:
                self._both.set()

    def put_tactile(self, tactile_ut: NDArray[np.float32], stamp_age_s: float) -> None:
        """(15,) µT above the baseline; NaN where a magnetometer is not valid."""
        reading = self._reading(tactile_ut, stamp_age_s, 0)
        with self._lock:
            self._tactile = reading
            if self._image is not None:
                self._both.set()

    def _reading(self, value: NDArray, stamp_age_s: float, stamp_ns: int) -> Reading:
        rounded = 0.0 if -STAMP_TOLERANCE_S <= stamp_age_s < 0.0 else stamp_age_s
        return Reading(value, self._now(), rounded, stamp_ns)

    def observe(self) -> tuple[Observation, int] | str:
        """Observation and the image's stamp (ns), or what is missing."""
        with self._lock:
            image, tactile = self._image, self._tactile
        if image is None:
            return "no wrist image has come yet"
        if tactile is None:
            return "no tactile reading with a baseline has come yet"
        now_s = self._now()
        return Observation(image.value, tactile.value, image.age_s(now_s), tactile.age_s(now_s)), image.stamp_ns


def tactile_above_baseline(
    field_ut: NDArray[np.float32], baseline_ut: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32] | None:
    """(15,) field minus baseline, NaN for magnetometers that are not valid; None without a baseline."""
    if len(baseline_ut) != len(field_ut) or len(field_ut) != TACTILE_VALUES or len(valid) * 3 != TACTILE_VALUES:
        return None
    above = (field_ut - baseline_ut).astype(np.float32)
    above[np.repeat(~valid, 3)] = np.nan
    return above


@dataclass(frozen=True)
class Tick:
    """One tick's answer."""

    base: NDArray[np.float32]
    """(7,) the base action, in m, rad, gripper."""
    offset: NDArray[np.float32]
    """(7,) the residual over its scale, in -1..1."""
    residual: NDArray[np.float32]
    """(7,) in m, rad, gripper."""
    version: int = 0
    """Of the residual's weights, 0 for none."""

    @property
    def executed(self) -> NDArray[np.float32]:
        """What is sent."""
        return self.base + self.residual

    @property
    def action(self) -> Action:
        """The same as an action."""
        return Action.from_array(self.executed)


class ActingPolicy(Protocol):
    """What a tick asks for its answer."""

    def reset(self) -> None:
        """Begin an episode."""

    def skip(self) -> None:
        """Time passes without an observation."""

    def tick(self, observation: Observation, tried: torch.Tensor | None = None) -> Tick:
        """The answer to an observation; tried: (7,) of exploration, in shares of the residual's scale."""

    @property
    def waits_for_arm(self) -> bool:
        """Whether an action is chosen only when the arm has done the one before."""


@dataclass(frozen=True)
class TickResult:
    """What one tick decided."""

    action: Action | None
    """None: the observation was not fit to act on, and code and message say why."""
    base: Action | None
    code: ErrorCode = ErrorCode.OK
    message: str = ""
    image_age_s: float = float("nan")
    tactile_age_s: float = float("nan")
    stamp_ns: int = 0
    """Of the image, ROS time."""
    observation: Observation | None = None
    tick: Tick | None = None
    """None where the policy was not asked: no fit observation, or an arm that has still to do the last action."""

    waited: bool = False
    """The arm stands still at this tick, as it has still to do the last action."""


@dataclass
class EpisodeFigures:
    """Counters and times of one episode; observations that were refused for ``give_up_after_s`` on end end it."""

    give_up_after_s: float
    ticks: int = 0
    sent: int = 0
    refused: int = 0
    refused_in_a_row: int = 0
    refused_for_s: float = 0.0
    interventions: int = 0
    waited: int = 0
    tick_s: list[float] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)

    def note(self, result: TickResult, sent: bool, started_s: float, took_s: float) -> None:
        """Count one tick that began at steady time ``started_s``; an action that was not sent left a person the arm."""
        self.ticks += 1
        self.starts_s.append(started_s)
        self.tick_s.append(took_s)
        if result.action is None:
            self.refused += 1
            self.refused_in_a_row += 1
            self.refused_for_s = started_s - self.starts_s[-self.refused_in_a_row]
        else:
            self.sent += sent
            self.waited += result.waited
            self.interventions += not sent and not result.waited
            self.refused_in_a_row, self.refused_for_s = 0, 0.0

    @property
    def lost(self) -> bool:
        """True when no observation was fit to act on for too long."""
        return self.refused_in_a_row > 0 and self.refused_for_s >= self.give_up_after_s

    def tick_ms(self, percent: float) -> float:
        """Percentile of the tick time, ms."""
        return 1000 * percentile(self.tick_s, percent)

    def jitter_ms(self, period_s: float, percent: float) -> float:
        """Percentile of |time between ticks - period|, ms."""
        return 1000 * percentile(list(np.abs(np.diff(self.starts_s) - period_s)), percent)

    def summary(self, period_s: float) -> str:
        """The figures as an operator reads them."""
        waited = f"{self.waited} waited for a late arm, " if self.waited else ""
        return (
            f"{self.ticks} ticks, {self.refused} refused, {waited}median {self.tick_ms(50):.1f} ms, "
            f"p99 {self.tick_ms(99):.1f} ms, jitter p99 {self.jitter_ms(period_s, 99):.1f} ms"
        )


class PolicyTick:
    """Newest readings -> checked observation -> action. A residual is added to the base action where there is one.

    t_base_tcp: where the arm is measured to be, None where nobody says; an arm that acts late is waited for.
    """

    def __init__(
        self,
        policy: ActingPolicy,
        readings: Readings,
        max_age_s: float,
        t_base_tcp: Callable[[], Pose | None] = lambda: None,
    ) -> None:
        self._policy, self._readings, self._max_age_s = policy, readings, max_age_s
        self._t_base_tcp, self._pace, self._gripper = t_base_tcp, ArmPace(), 1.0
        self.noise: Callable[[], torch.Tensor | None] = lambda: None
        """What is tried at a tick: (7,) in shares of the residual's scale."""
        self.commands = True
        """Whether what it answers is sent: not while a person has the arm, nor after the last action."""

    def reset(self) -> None:
        """Begin an episode."""
        self._policy.reset()
        self._pace, self.commands = ArmPace(), True

    @property
    def late_ticks(self) -> int:
        """How many control periods late the arm acts, as far as this episode's motions told."""
        return self._pace.late_ticks

    def skip(self) -> None:
        """A tick that never came: time passes for the predictions."""
        self._policy.skip()

    def run(self) -> TickResult:
        """One tick."""
        seen = self._readings.observe()
        if isinstance(seen, str):
            self._policy.skip()
            return TickResult(None, None, ErrorCode.STALE_OBSERVATION, seen)
        observation, stamp_ns = seen
        ages = observation.image_age_s, observation.tactile_age_s
        if problem := observation.problem(self._max_age_s):
            self._policy.skip()
            in_time = all(0.0 <= age <= self._max_age_s for age in ages)
            code = ErrorCode.BAD_OBSERVATION if in_time else ErrorCode.STALE_OBSERVATION
            return TickResult(None, None, code, problem, *ages)
        if not self.commands:
            self._pace.interrupted()
        elif self._policy.waits_for_arm and not self._pace.ready(self._t_base_tcp()):
            still = Action.still(self._gripper)
            return TickResult(still, still, ErrorCode.OK, WAITS, *ages, stamp_ns, waited=True)
        tick = self._policy.tick(observation, self.noise())
        base, action = Action.from_array(tick.base), tick.action
        self._pace.sent(action)
        self._gripper = action.gripper
        return TickResult(action, base, ErrorCode.OK, "", *ages, stamp_ns, observation, tick)
