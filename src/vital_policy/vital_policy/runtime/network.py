"""The two ways to compute a policy's network; both give the same answers."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_data.dataset.normalisation import Normaliser
from vital_policy.network.augmentation import to_network
from vital_policy.network.policy import Policy

TORCH, ONNXRUNTIME = "torch", "onnxruntime"
Prediction = tuple[NDArray[np.float64], torch.Tensor]  # (B, chunk, 7) in m, rad, gripper; features (B, D)
ONLY_ERRORS = 3  # onnxruntime's own scale


class Network(Protocol):
    """A frozen policy's network."""

    name: str
    """TORCH or ONNXRUNTIME."""

    def predict(self, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]) -> Prediction:
        """(B, 128, 128, 3) uint8 and (B, 15) µT -> chunks of actions and the features behind them."""


class TorchNetwork:
    """As it was trained, in PyTorch."""

    name = TORCH

    def __init__(self, policy: Policy, normaliser: Normaliser) -> None:
        self._normaliser = normaliser
        self._policy = policy.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def predict(self, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]) -> Prediction:
        """As `Network.predict`."""
        tactile = torch.from_numpy(self._normaliser.normalise_tactile(tactile_ut))
        seen = self._policy.encode(to_network(torch.from_numpy(image)), tactile)
        return self._normaliser.restore_actions(self._policy.decode(seen).numpy()), seen.joined()


class OnnxNetwork:
    """In ONNX Runtime, on the processor, with as many threads as PyTorch has.

    Raises VitalError(BAD_CHECKPOINT): ONNX Runtime is not installed, or does not take the graph.
    """

    name = ONNXRUNTIME

    def __init__(self, graph: bytes) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise _refused(f"ONNX Runtime cannot be imported ({error})") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = ONLY_ERRORS
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no class in common
            raise _refused(f"ONNX Runtime does not take the graph ({error})") from error
        self._inputs = {told.name for told in self._session.get_inputs()}

    @property
    def metadata(self) -> dict[str, str]:
        """What the graph says of itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def predict(self, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating]) -> Prediction:
        """As `Network.predict`."""
        given = {"image": image, "tactile_ut": np.asarray(tactile_ut, np.float32)}
        # A graph without touch has no input for it.
        actions, features = self._session.run(None, {name: given[name] for name in self._inputs})
        return actions.astype(np.float64), torch.from_numpy(features)


def _refused(problem: str) -> VitalError:
    return VitalError(ErrorCode.BAD_CHECKPOINT, f"{problem}: './vital setup' installs it, PyTorch works without it")
