"""A policy as one ONNX graph, from what sensors give to actions in m and rad.

| | |
|---|---|
| `image` | (B, 128, 128, 3) uint8, RGB |
| `tactile_ut` | (B, 15) float32, µT, field minus the episode's baseline |
| `actions` | (B, chunk, 7) float32: TCP-frame translation (m), rotation vector (rad), gripper (0 open, 1 closed) |
| `features` | (B, D) float32: what the encoders saw, for a residual |

The temporal ensemble over overlapping chunks is not in it: the metadata tell its decay.
"""

import copy
import io
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX, TACTILE_VALUES
from vital_data.dataset.normalisation import TACTILE_BOUND, Normaliser
from vital_policy.network.augmentation import to_network
from vital_policy.network.policy import Policy

INPUTS, OUTPUTS = ("image", "tactile_ut"), ("actions", "features")
OPSET = 17


class _FromSensors(nn.Module):
    """The policy, with the normaliser before and after it."""

    tactile_scale_ut: Tensor
    action_half_range: Tensor
    action_centre: Tensor
    point_m: Tensor

    def __init__(self, policy: Policy, normaliser: Normaliser) -> None:
        super().__init__()
        self.policy = copy.deepcopy(policy).eval()
        # The stem's filter in its own form: blocks of pixels are for matrix units, and runtimes know the plain one.
        stem = self.policy.image_encoder.stem
        plain = nn.Conv2d(3, len(stem.weight), stem.weight.shape[-1], stride=2, padding=3, bias=False)
        plain.weight = stem.weight
        self.policy.image_encoder.stem = plain  # type: ignore[assignment]
        for name, values in normaliser.to_dict().items():
            self.register_buffer(name, torch.tensor(values))

    def forward(self, image: Tensor, tactile_ut: Tensor) -> tuple[Tensor, Tensor]:
        tactile = TACTILE_BOUND * torch.tanh(tactile_ut / self.tactile_scale_ut / TACTILE_BOUND)
        seen = self.policy.encode(to_network(image), tactile)
        answer = self.policy.decode(seen) * self.action_half_range + self.action_centre
        way, turn, gripper = answer.split((3, 3, 1), dim=-1)
        lever = torch.linalg.cross(turn, self.point_m.expand_as(turn))
        return torch.cat([way - lever, turn, gripper], dim=-1), seen.joined()


def onnx_graph(policy: Policy, normaliser: Normaliser, metadata: Mapping[str, str]) -> bytes:
    """The graph in ONNX's file format, with the weights in it, in single precision, and what it says of itself.

    Raises VitalError(BAD_CHECKPOINT) where the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise VitalError(
            ErrorCode.BAD_CHECKPOINT,
            f"nothing can be exported without the package onnx ({error}): './vital setup' installs it",
        ) from error
    example = (
        torch.zeros(1, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3, dtype=torch.uint8),
        torch.zeros(1, TACTILE_VALUES),
    )
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # PyTorch's newer exporter takes half a minute instead of a second, and two more packages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _FromSensors(policy, normaliser),
            example,
            file,  # type: ignore[arg-type]  # taken all the same, where a path would need a folder
            dynamo=False,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "batch"} for name in (*INPUTS, *OUTPUTS)},
            opset_version=OPSET,
        )
    model = onnx.load_from_string(file.getvalue())
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
