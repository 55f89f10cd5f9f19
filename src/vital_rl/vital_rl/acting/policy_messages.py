"""What the policy node publishes, as messages."""

import math

import numpy as np
from std_msgs.msg import Header

from vital_core.arm.xarm7 import TCP_FRAME
from vital_core.errors import VitalError
from vital_core.observation import ACTION_VALUES, Action
from vital_core.owner import Owner
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import EndEffectorDelta, PolicyState
from vital_rl.acting.episode import EpisodeEnd, TickTimes
from vital_rl.acting.tick import EpisodeFigures, TickResult
from vital_ros.conversions import time_message, vector_message

_NOTHING = np.full(ACTION_VALUES, math.nan)


def command(action: Action, token: int, seq: int, observed_ns: int, now_ns: int, period_s: float) -> EndEffectorDelta:
    """The command of one tick, valid for one period from ``now_ns`` (ROS time). token: of the arm's acquisition."""
    return EndEffectorDelta(
        header=Header(stamp=time_message(observed_ns), frame_id=TCP_FRAME),
        owner=Owner.POLICY,
        token=token,
        seq=seq,
        valid_until=time_message(now_ns + int(period_s * 1e9)),
        duration_s=period_s,
        translation_m=vector_message(action.translation_m),
        rotation_rad=vector_message(action.rotation_rad),
        gripper=action.gripper,
    )


def state(task: str, seq: int, now_ns: int, sha256: str, result: TickResult, times: TickTimes) -> PolicyState:
    """One tick as others may see it; an action that was not taken is NaN."""
    base = _NOTHING if result.base is None else result.base.to_array()
    executed = _NOTHING if result.action is None else result.action.to_array()
    return PolicyState(
        header=Header(stamp=time_message(now_ns), frame_id=TCP_FRAME),
        task=task,
        phase="running",
        seq=seq,
        base_action=base,
        residual_action=executed - base if result.action is not None else np.zeros(ACTION_VALUES),
        action=executed,
        commanded=result.action is not None,
        error_code=int(result.code),
        message=result.message,
        image_age_s=result.image_age_s,
        tactile_age_s=result.tactile_age_s,
        inference_s=times.inference_s,
        lateness_s=times.lateness_s,
        weights_version=0 if result.tick is None else result.tick.version,
        checkpoint_sha256=sha256,
    )


def result_of(
    end: EpisodeEnd, figures: EpisodeFigures, elapsed_s: float, period_s: float, replay_episode: int = -1
) -> RunPolicy.Result:
    """The action's result; figures that were not measured are NaN."""
    return RunPolicy.Result(
        completed=end.completed,
        error_code=int(end.code),
        message=end.message,
        ticks=figures.ticks,
        commands_sent=figures.sent,
        observations_refused=figures.refused,
        duration_s=elapsed_s,
        tick_median_ms=figures.tick_ms(50.0),
        tick_p99_ms=figures.tick_ms(99.0),
        jitter_p99_ms=figures.jitter_ms(period_s, 99.0),
        replay_episode=replay_episode,
        interventions=figures.interventions,
    )


def refusal(error: VitalError) -> RunPolicy.Result:
    """The result of a goal that was not taken."""
    return result_of(EpisodeEnd(False, error.code, error.message), EpisodeFigures(1), 0.0, math.nan)
