"""A policy that acts before a demonstrator does, so that what is shown begins where policies come to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from vital_core.observation import Action, Observation
from vital_core.task import WINDOW, Task
from vital_sim import environment_id
from vital_sim.demonstrator.disturbance import Disturbance
from vital_sim.evaluation.policies import PolicySpec
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.world import World, WorldConfig

TOUCH_SHARE = 0.5
"""Of the task's touch limit, at which a person would not look on any longer."""


class Forerunner:
    """Acts in ``world`` by the environment's rules, for up to half of the task's time, pushed as a disturbance says."""

    def __init__(
        self,
        task: Task,
        scene: SceneConfig,
        checkpoint: Path,
        disturbance: Disturbance,
        config: WorldConfig | None = None,
    ) -> None:
        self._task, self._disturbance = task, disturbance
        view = task.wrist_view
        made: Any = gymnasium.make(
            environment_id(task.name), scene=scene, config=config, wrist_view=view, disable_env_checker=True
        )
        self._env = made.unwrapped
        options = () if view == WINDOW else (("wrist_view", view),)
        self._policy = PolicySpec(checkpoint, task.name, options=options).load()
        self.world: World = self._env.world

    def act(self, seed: int, seen: Callable[[], Observation]) -> None:
        """From where the world is to a moment drawn from ``seed``, or until the touch is half the task's limit."""
        most = round(self._task.episode_s / self._task.period_s / 2)
        push = self._disturbance.push_of(seed, self._task.max_step_m, self._task.max_step_rad)
        memory = self._policy.begin()
        for _ in range(int(np.random.default_rng([seed, 3]).integers(most + 1))):
            observation = seen()
            if largest_field_ut(observation.tactile_ut) > TOUCH_SHARE * self._task.tactile_limit_ut:
                return
            (action,) = self._policy.act([observation], [memory])
            self._env.carry_out(Action.from_array(action.to_array() + push))
