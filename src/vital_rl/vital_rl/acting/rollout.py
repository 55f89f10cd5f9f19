"""An episode as the replay keeps it: what was seen, answered and done at every tick, and by whom."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import ACTION_VALUES, IMAGE_SIZE_PX, TACTILE_VALUES
from vital_core.pose import Pose

POLICY, PERSON = "policy", "teleop"
FOREGROUND_SHAPE = (IMAGE_SIZE_PX, IMAGE_SIZE_PX // 8)


@dataclass(frozen=True)
class ReplayStep:
    """What was seen, answered and done at one tick; the last one of an episode is what was seen after it.

    image (128, 128, 3) uint8; tactile_ut (15,); base, residual, executed (7,) in m, rad, gripper; owner: whose action
    was executed; distance_m: to the goal, NaN where nobody knows; stamps in ns; foreground: (128, 16) uint8, a bit a
    pixel (`numpy.packbits`), where the image shows what the task is about, None where nobody tells.
    """

    image: NDArray[np.uint8]
    tactile_ut: NDArray[np.float32]
    base: NDArray[np.float32]
    residual: NDArray[np.float32]
    executed: NDArray[np.float32]
    owner: str = "policy"
    weights_version: int = 0
    stamp_ns: int = 0
    steady_ns: int = 0
    distance_m: float = float("nan")
    foreground: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        shapes = {"tactile_ut": (TACTILE_VALUES,), **dict.fromkeys(("base", "residual", "executed"), (ACTION_VALUES,))}
        for name, shape in {"image": (IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), **shapes}.items():
            values = np.asarray(getattr(self, name))
            if values.shape != shape or not np.isfinite(values).all():
                raise VitalError(
                    ErrorCode.BAD_OBSERVATION, f"{name} of a step is {values.shape}, expected {shape} of finite values"
                )
        if self.foreground is not None and self.foreground.shape != FOREGROUND_SHAPE:
            raise VitalError(
                ErrorCode.BAD_OBSERVATION,
                f"foreground of a step is {self.foreground.shape}, expected {FOREGROUND_SHAPE} or none",
            )


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
