"""The policy as the robot runs it: one code path for the node and for evaluation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.observation import ACTION_VALUES, IMAGE_SIZE_PX, TACTILE_VALUES, Action, Observation
from vital_policy.checkpoint import Checkpoint, load_checkpoint
from vital_policy.ensemble import TemporalEnsemble
from vital_policy.network.augmentation import to_network
from vital_policy.residual import Residual

WARM_UP_RUNS = 5
AT_ONCE = 64  # pictures: more of them take more memory, and no less time
# Without a base policy the gripper is still the base policy's: nobody explores whether to let go.
ONLY_GRIPPER = np.array([0.0] * 6 + [1.0], np.float32)


@dataclass(frozen=True)
class Tick:
    """One tick's answer. base, residual (7,) in m, rad, gripper; offset (7,): the residual over its scale; version: of
    the residual's weights, 0 for none."""

    base: NDArray[np.float32]
    offset: NDArray[np.float32]
    residual: NDArray[np.float32]
    version: int = 0

    @property
    def executed(self) -> NDArray[np.float32]:
        """What is sent."""
        return self.base + self.residual

    @property
    def action(self) -> Action:
        """The same as an action."""
        return Action.from_array(self.executed)


class LocalPolicy:
    """Observation in, action out, with the temporal ensemble in between. `reset` begins an episode.

    residual: added to every action; may be replaced between ticks. ensemble_decay: instead of the checkpoint's own.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, residual: Residual | None = None, ensemble_decay: float | None = None
    ) -> None:
        self.checkpoint, self.residual = checkpoint, residual
        self._policy = checkpoint.policy.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ensemble_decay = checkpoint.ensemble_decay if ensemble_decay is None else ensemble_decay
        self._ensemble = TemporalEnsemble(self.ensemble_decay)
        blank = Observation(np.zeros((IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), np.uint8), np.zeros(TACTILE_VALUES, np.float32))
        for _ in range(WARM_UP_RUNS):
            self.act(blank)
        self.reset()

    @classmethod
    def load(
        cls, path: Path, *, task: str | None = None, rate_hz: float | None = None, ensemble_decay: float | None = None
    ) -> "LocalPolicy":
        """Read a checkpoint and warm up. Raises VitalError as `load_checkpoint` does."""
        return cls(load_checkpoint(path, task=task, rate_hz=rate_hz), ensemble_decay=ensemble_decay)

    def reset(self) -> None:
        """Begin an episode: no prediction of the last one is left."""
        self._ensemble.reset()

    def skip(self) -> None:
        """A tick without a fit observation: time passes for the predictions."""
        self._ensemble.skip()

    @torch.inference_mode()
    def predict(
        self, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], torch.Tensor]:
        """(B, 128, 128, 3) uint8 and (B, 15) µT -> (B, chunk, 7) in m, rad, and the features (B, D) behind them: the
        network alone, for many at once."""
        tactile = torch.from_numpy(self.checkpoint.normaliser.normalise_tactile(tactile_ut))
        seen = self._policy.encode(to_network(torch.from_numpy(image)), tactile)
        return self.checkpoint.normaliser.restore_actions(self._policy.decode(seen).numpy()), seen.joined()

    def corrected(
        self,
        actions: NDArray[np.floating],
        z: torch.Tensor,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[Tick]:
        """Base actions (B, 7) and features (B, D) -> what is sent, the residual added where there is one."""
        # Another thread may replace it at any time.
        base, residual = np.asarray(actions, np.float32), self.residual
        if residual is None:
            nothing = np.zeros(ACTION_VALUES, np.float32)
            return [Tick(one, nothing, nothing) for one in base]
        if not residual.settings.base:
            base = base * ONLY_GRIPPER
        normalised = torch.from_numpy(self.checkpoint.normaliser.normalise_actions(base))
        offsets = residual.offset(z, normalised, noise, generator)
        version = residual.version
        return [Tick(one, offset, residual.scale * offset, version) for one, offset in zip(base, offsets, strict=True)]

    def tick(self, observation: Observation, noise: float = 0.0, generator: torch.Generator | None = None) -> Tick:
        """The answer of this tick in its parts; noise: of exploration, in shares of the residual's scale."""
        chunk, z = self.predict(observation.image[None], observation.tactile_ut[None])
        return self.corrected(self._ensemble.step(chunk[0])[None], z, noise, generator)[0]

    def along(self, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]) -> list[Tick]:
        """The answers along an episode that is known already, (T, 128, 128, 3) uint8 and (T, 15) µT, as `tick` gives
        them one by one from a `reset` on."""
        parts = [
            self.predict(image[begin : begin + AT_ONCE], tactile_ut[begin : begin + AT_ONCE])
            for begin in range(0, len(image), AT_ONCE)
        ]
        ensemble = TemporalEnsemble(self.ensemble_decay)
        actions = np.stack([ensemble.step(chunk) for chunks, _ in parts for chunk in chunks])
        return self.corrected(actions, torch.cat([z for _, z in parts]))

    def act(self, observation: Observation) -> Action:
        """The action of this tick."""
        return self.tick(observation).action
