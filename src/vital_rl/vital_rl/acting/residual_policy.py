"""The base policy with a residual on it: one code path for the node, for learning and for evaluation."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.observation import ACTION_VALUES, Action, Observation
from vital_policy.checkpoint import Checkpoint
from vital_policy.inference import LocalPolicy
from vital_rl.acting.tick import Tick
from vital_rl.residual.residual import Residual


class ResidualPolicy:
    """Observation in, action out. `reset` begins an episode.

    residual: added to every action of ``base``, None for nothing; may be replaced between ticks.
    """

    def __init__(self, base: LocalPolicy, residual: Residual | None = None) -> None:
        self.base, self.residual = base, residual

    @property
    def checkpoint(self) -> Checkpoint:
        """The base policy's."""
        return self.base.checkpoint

    @property
    def waits_for_arm(self) -> bool:
        """A residual answers to what is seen, so it has to be what the last action came to; a base policy's chunk says
        what follows whatever is seen."""
        return self.residual is not None

    def reset(self) -> None:
        """Begin an episode: no prediction of the last one is left."""
        self.base.reset()

    def skip(self) -> None:
        """A tick without a fit observation: time passes for the predictions."""
        self.base.skip()

    def add_residual(
        self, actions: NDArray[np.floating], z: torch.Tensor, tried: torch.Tensor | None = None
    ) -> list[Tick]:
        """Base actions (B, 7) and features (B, D) -> what is sent, with the residual where there is one."""
        # Another thread may replace it at any time.
        base, residual = np.asarray(actions, np.float32), self.residual
        if residual is None:
            nothing = np.zeros(ACTION_VALUES, np.float32)
            return [Tick(one, nothing, nothing) for one in base]
        base = residual.base_of(base)
        normalised = torch.from_numpy(self.checkpoint.normaliser.normalise_actions(base))
        offsets = residual.offset(z, normalised, tried)
        parts = zip(base, offsets, residual.scale.added(offsets), strict=True)
        return [Tick(one, offset, added, residual.version) for one, offset, added in parts]

    def tick(self, observation: Observation, tried: torch.Tensor | None = None) -> Tick:
        """The answer of this tick in its parts; tried: (7,) of exploration, in shares of the residual's scale."""
        if (residual := self.residual) is not None:
            observation = replace(observation, tactile_ut=residual.felt_by_base(observation.tactile_ut))
        action, z = self.base.answer(observation)
        return self.add_residual(action[None], z, tried)[0]

    def act(self, observation: Observation) -> Action:
        """The action of this tick."""
        return self.tick(observation).action
