"""Which runtime a policy gets: the faster one, where it is installed and its answers are PyTorch's."""

import json
import logging

import numpy as np

from vital_core.arm.xarm7 import TCP_FRAME
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX, TACTILE_VALUES
from vital_policy.checkpoint import Checkpoint
from vital_policy.runtime.graph_cache import keep_graph, kept_graph
from vital_policy.runtime.network import ONNXRUNTIME, TORCH, Network, OnnxNetwork, TorchNetwork
from vital_policy.runtime.onnx_graph import onnx_graph

AUTO = "auto"
RUNTIMES = (AUTO, ONNXRUNTIME, TORCH)
MOST_APART = 1e-5  # normalised actions and features; what is seen is 3e-7 and 9e-7
log = logging.getLogger(__name__)


def network_of(checkpoint: Checkpoint, runtime: str = AUTO) -> Network:
    """What computes the policy.

    AUTO: ONNX Runtime where it can be used, otherwise PyTorch with a line in the log; PyTorch for a checkpoint that is
    in no file. Raises VitalError: BAD_PARAMETER for an unknown runtime, BAD_CHECKPOINT where ONNX Runtime is asked for
    and cannot be used.
    """
    if runtime not in RUNTIMES:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"runtime is '{runtime}', expected one of {', '.join(RUNTIMES)}")
    if runtime == TORCH or (runtime == AUTO and not checkpoint.sha256):
        return TorchNetwork(checkpoint.policy, checkpoint.normaliser)
    try:
        return _onnx_network(checkpoint)
    except VitalError as error:
        if runtime == ONNXRUNTIME:
            raise
        log.warning("the policy runs in PyTorch, which takes half as long again: %s", error.message)
        return TorchNetwork(checkpoint.policy, checkpoint.normaliser)


def _onnx_network(checkpoint: Checkpoint) -> OnnxNetwork:
    """With the graph that is kept, or one that is exported and then kept."""
    graph = kept_graph(checkpoint.sha256) if checkpoint.sha256 else None
    if graph is not None:
        try:
            compared(network := OnnxNetwork(graph), checkpoint)
            return network
        except VitalError as error:
            log.warning("the policy is exported again: %s", error.message)
    graph = exported(checkpoint)
    compared(network := OnnxNetwork(graph), checkpoint)
    if checkpoint.sha256:
        keep_graph(checkpoint.sha256, graph)
    return network


def exported(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as an ONNX file. Raises VitalError as `onnx_graph` does."""
    about = {
        "checkpoint_sha256": checkpoint.sha256,
        "task": checkpoint.task,
        "frame": TCP_FRAME,
        "control_rate_hz": json.dumps(checkpoint.control_rate_hz),
        "ensemble_decay": json.dumps(checkpoint.ensemble_decay),
        "touch": json.dumps(checkpoint.policy.config.touch),
        "wrist_view": checkpoint.wrist_view,
        "method": checkpoint.provenance.method,
    }
    return onnx_graph(checkpoint.policy, checkpoint.normaliser, about)


def compared(network: OnnxNetwork, checkpoint: Checkpoint) -> float:
    """How far the network's answers are from PyTorch's, in normalised values.

    Raises VitalError(BAD_CHECKPOINT): by more than `MOST_APART`, or of another checkpoint.
    """
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), dtype=np.uint8)
    tactile_ut = (checkpoint.normaliser.tactile_scale_ut * rng.normal(size=(2, TACTILE_VALUES))).astype(np.float32)
    plain = TorchNetwork(checkpoint.policy, checkpoint.normaliser)
    (actions, features), (wanted, seen) = network.predict(image, tactile_ut), plain.predict(image, tactile_ut)
    told = network.metadata.get("checkpoint_sha256")
    if told != checkpoint.sha256 or actions.shape != wanted.shape or features.shape != seen.shape:
        raise _other(f"of checkpoint {told}, with actions {actions.shape}, features {tuple(features.shape)}")
    apart = max(
        float(np.abs((actions - wanted) / checkpoint.normaliser.action_half_range).max()),
        float((features - seen).abs().max() / seen.abs().max().clamp(min=1.0)),
    )
    if not apart <= MOST_APART:
        raise _other(f"{apart:.1g} from PyTorch's answers, expected at most {MOST_APART:g}")
    return apart


def _other(found: str) -> VitalError:
    return VitalError(ErrorCode.BAD_CHECKPOINT, f"the ONNX graph is {found}: it is not used")
