"""An episode step by step as the replay gets it: a step goes out as soon as it is known what was done."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_rl.replay.step import POLICY, ReplayStep


class Rollout:
    """Gives each step to ``append`` as soon as it is complete.

    A step of the policy's is complete at once: what it asked for is known. A step during which a person had the arm is
    complete at the next tick, which tells where the arm went.
    """

    def __init__(self, append: Callable[[ReplayStep], None]) -> None:
        self._append = append
        self._waiting: tuple[ReplayStep, Pose] | None = None

    def tick(self, step: ReplayStep, t_base_tcp: Pose | None) -> None:
        """One tick; ``t_base_tcp``: where the arm was, needed while a person has it."""
        self._complete(t_base_tcp)
        if step.owner == POLICY:
            self._append(step)
            return
        self._waiting = (step, _known(t_base_tcp))

    def end(self, last: ReplayStep, t_base_tcp: Pose | None) -> None:
        """The episode is over; ``last`` is what was seen after its last action."""
        self._complete(t_base_tcp)
        self._append(last)

    def _complete(self, t_base_tcp: Pose | None) -> None:
        if self._waiting is None:
            return
        step, before = self._waiting
        self._waiting = None
        moved = pose_of.to_vector(pose_of.inverse(before) @ _known(t_base_tcp))
        self._append(replace(step, executed=np.append(moved, step.base[6]).astype(np.float32)))


def _known(t_base_tcp: Pose | None) -> Pose:
    if t_base_tcp is None:
        raise VitalError(
            ErrorCode.SENSOR_FAULT, "nobody says where the arm is while a person moves it: no joint states come"
        )
    return t_base_tcp
