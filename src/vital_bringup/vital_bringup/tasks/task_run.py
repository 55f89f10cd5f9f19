"""A task from sentence to result: localise, reach, local policy. Pure: the skills are handed in."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_bringup.tasks.trial import Phase, Trial
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.target import Target


@dataclass(frozen=True)
class Located:
    """Where the target was found and how it is turned: pixel (u, v), and the target in `link_base`."""

    pixel: tuple[float, float]
    target: Target
    message: str = ""


@dataclass(frozen=True)
class Reached:
    """The sampled TCP goal (3,) in `link_base`, m, the distance left when the arm had settled, m, and the target's yaw
    as the hand was turned to it, rad."""

    goal_m: NDArray[np.float64]
    error_m: float
    yaw_rad: float = 0.0


@dataclass(frozen=True)
class PolicyRun:
    """How the local policy's episode went; success is the labeller's word, None when nobody labelled."""

    success: bool | None
    error_code: ErrorCode
    message: str
    commands_sent: int = 0
    commands_rejected: int = 0
    commands_projected: int = 0
    tick_median_ms: float = math.nan
    tick_p99_ms: float = math.nan
    jitter_p99_ms: float = math.nan


class Skills(Protocol):
    """What a task is made of. Each raises VitalError when it cannot be done."""

    def localize(self, prompt: str, task: str) -> Located: ...

    def reach(self, task: str, located: Located, seed: int) -> Reached: ...

    def run_policy(self, task: str) -> PolicyRun: ...

    def true_target_m(self) -> NDArray[np.float64] | None:
        """The target's true position (3,) in `link_base`, where a simulator knows it; for measuring only."""

    def true_tcp_m(self) -> NDArray[np.float64] | None:
        """The TCP's true position (3,) in `link_base`, where a simulator knows it; for measuring only."""


def run_task(
    skills: Skills,
    trial: Trial,
    on_phase: Callable[[Phase, str], None] = lambda phase, message: None,
) -> Trial:
    """Carry out one trial; failures end up in the record, never as an exception."""
    start = steady_s()
    record = trial
    try:
        for phase in (Phase.LOCALIZE, Phase.REACH, Phase.POLICY):
            record = replace(record, phase=phase)
            on_phase(phase, trial.prompt)
            if phase is Phase.LOCALIZE:
                located = skills.localize(trial.prompt, trial.task)
                record = _with_localization(record, located, skills.true_target_m())
            elif phase is Phase.REACH:
                reached = skills.reach(trial.task, located, trial.seed)
                record = _with_reach(record, reached, skills.true_tcp_m())
            else:
                record = _with_policy(record, skills.run_policy(trial.task))
    except VitalError as error:
        record = record.failed(error.code, error.message)
    return replace(record, duration_s=steady_s() - start)


def _with_localization(record: Trial, located: Located, truth_m: NDArray[np.float64] | None) -> Trial:
    error = math.nan if truth_m is None else float(np.linalg.norm(located.target.point_m - truth_m))
    return replace(record, pixel=located.pixel, localization_error_m=error)


def _with_reach(record: Trial, reached: Reached, tcp_m: NDArray[np.float64] | None) -> Trial:
    error = reached.error_m if tcp_m is None else float(np.linalg.norm(tcp_m - reached.goal_m))
    return replace(record, reach_error_m=error)


def _with_policy(record: Trial, run: PolicyRun) -> Trial:
    success = bool(run.success)
    code, message = run.error_code, run.message
    if success:
        code, message = ErrorCode.OK, ""
    elif code is ErrorCode.OK:
        code = ErrorCode.GIVE_UP
        message = message or "the episode ended without success"
    return replace(
        record,
        phase=Phase.DONE if success else Phase.POLICY,
        success=success,
        error_code=code,
        message=message,
        tick_median_ms=run.tick_median_ms,
        tick_p99_ms=run.tick_p99_ms,
        jitter_p99_ms=run.jitter_p99_ms,
        commands_sent=run.commands_sent,
        commands_rejected=run.commands_rejected,
        commands_projected=run.commands_projected,
    )
