"""The policy as the robot runs it: one code path for the node and for evaluation."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.observation import IMAGE_SIZE_PX, TACTILE_VALUES, Action, Observation
from vital_policy.checkpoint import Checkpoint, load_checkpoint
from vital_policy.ensemble import TemporalEnsemble
from vital_policy.runtime.choice import AUTO, network_of

WARM_UP_RUNS = 5
AT_ONCE = 64  # images: more of them take more memory, and no less time


class LocalPolicy:
    """Observation in, action out, with the temporal ensemble in between. `reset` begins an episode.

    ensemble_decay: instead of the checkpoint's own. runtime: what computes the network, see `network_of`.
    """

    def __init__(self, checkpoint: Checkpoint, *, ensemble_decay: float | None = None, runtime: str = AUTO) -> None:
        self.checkpoint = checkpoint
        self._network = network_of(checkpoint, runtime)
        self.ensemble_decay = checkpoint.ensemble_decay if ensemble_decay is None else ensemble_decay
        self._ensemble = TemporalEnsemble(self.ensemble_decay)
        blank = Observation(np.zeros((IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), np.uint8), np.zeros(TACTILE_VALUES, np.float32))
        for _ in range(WARM_UP_RUNS):
            self.act(blank)
        self.reset()

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        task: str | None = None,
        rate_hz: float | None = None,
        wrist_view: str | None = None,
        ensemble_decay: float | None = None,
        runtime: str = AUTO,
    ) -> "LocalPolicy":
        """Read a checkpoint and warm up. Raises VitalError as `load_checkpoint` and `network_of` do."""
        checkpoint = load_checkpoint(path, task=task, rate_hz=rate_hz, wrist_view=wrist_view)
        return cls(checkpoint, ensemble_decay=ensemble_decay, runtime=runtime)

    @property
    def runtime(self) -> str:
        """What computes the network: `onnxruntime` or `torch`."""
        return self._network.name

    def reset(self) -> None:
        """Begin an episode: no prediction of the last one is left."""
        self._ensemble.reset()

    def skip(self) -> None:
        """A tick without a fit observation: time passes for the predictions."""
        self._ensemble.skip()

    def predict(
        self, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], torch.Tensor]:
        """(B, 128, 128, 3) uint8 and (B, 15) µT -> (B, chunk, 7) in m, rad, and the features (B, D) behind them: the
        network alone, for many at once."""
        return self._network.predict(image, tactile_ut)

    def answer(self, observation: Observation) -> tuple[NDArray[np.float32], torch.Tensor]:
        """The base action of this tick, (7,) in m, rad, gripper, and the features (1, D) behind it."""
        chunk, z = self.predict(observation.image[None], observation.tactile_ut[None])
        return self._ensemble.step(chunk[0]).astype(np.float32), z

    def answers_along(
        self, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], torch.Tensor]:
        """The answers along an episode that is known already, (T, 128, 128, 3) uint8 and (T, 15) µT: (T, 7) and (T, D),
        as `answer` gives them one by one from a `reset` on."""
        parts = [
            self.predict(image[begin : begin + AT_ONCE], tactile_ut[begin : begin + AT_ONCE])
            for begin in range(0, len(image), AT_ONCE)
        ]
        ensemble = TemporalEnsemble(self.ensemble_decay)
        actions = np.stack([ensemble.step(chunk) for chunks, _ in parts for chunk in chunks])
        return actions.astype(np.float32), torch.cat([z for _, z in parts])

    def act(self, observation: Observation) -> Action:
        """The action of this tick."""
        return Action.from_array(self.answer(observation)[0])
