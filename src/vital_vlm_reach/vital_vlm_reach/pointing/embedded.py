"""The pointing model that is shipped: a small network over picture and sentence."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vital_core import safe_file
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing.interface import Pointing
from vital_vlm_reach.pointing.network import HEIGHT_PX, WIDTH_PX, PointingNetwork, peak
from vital_vlm_reach.pointing.text import BUCKETS, encode

FORMAT = "vital_pointing/2"
IN_VIEW = 0.5


def default_weights() -> Path:
    """The installed weights."""
    try:
        return Path(get_package_share_directory("vital_vlm_reach")) / "weights" / "pointing.safetensors"
    except PackageNotFoundError as error:
        raise VitalError(ErrorCode.NO_CHECKPOINT, "the package vital_vlm_reach is not installed: build it") from error


def save_weights(path: Path, network: PointingNetwork, facts: dict[str, str]) -> None:
    """Write the weights in half precision with a header."""
    header = {"format": FORMAT, "width": str(WIDTH_PX), "height": str(HEIGHT_PX), "buckets": str(BUCKETS), **facts}
    tensors = {name: _compact(t) for name, t in network.state_dict().items()}
    safe_file.write_bytes(path, save(tensors, header))


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.detach().half() if tensor.is_floating_point() else tensor).contiguous()


def _read(path: Path) -> PointingNetwork:
    if not path.is_file():
        raise VitalError(
            ErrorCode.NO_CHECKPOINT,
            f"no pointing weights at {path}: train them with 'ros2 run vital_vlm_reach train_pointing'",
        )
    network = PointingNetwork()
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        expected = {"format": FORMAT, "width": str(WIDTH_PX), "height": str(HEIGHT_PX), "buckets": str(BUCKETS)}
        got = {name: header.get(name) for name in expected}
        if got != expected:
            raise VitalError(
                ErrorCode.BAD_CHECKPOINT,
                f"{path} has header {json.dumps(got)}, expected {json.dumps(expected)}: train the weights again",
            )
        network.load_state_dict(tensors)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise VitalError(
            ErrorCode.BAD_CHECKPOINT, f"{path} cannot be read ({str(error).splitlines()[0]}): restore or train it again"
        ) from error
    return network.eval()


def begin_from(path: Path, network: PointingNetwork) -> int:
    """Take over the tensors of other weights that fit by name and shape; returns how many. Those of an older version,
    which knew fewer things, differ in the last layers alone. Raises VitalError(BAD_CHECKPOINT)."""
    try:
        with safe_open(path, framework="pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise VitalError(ErrorCode.BAD_CHECKPOINT, f"{path} cannot be read ({error}): give another --init") from error
    own = network.state_dict()
    fitting = {name: t.to(own[name].dtype) for name, t in stored.items() if name in own and own[name].shape == t.shape}
    if not fitting:
        raise VitalError(ErrorCode.BAD_CHECKPOINT, f"{path} has no tensor of the pointing network: give another --init")
    network.load_state_dict(own | fitting)
    return len(fitting)


class EmbeddedPointing:
    """Points at what a sentence names, from the picture alone; see `PointingModel`."""

    def __init__(self, network: PointingNetwork) -> None:
        self._network = network

    @classmethod
    def load(cls, path: Path | None = None) -> "EmbeddedPointing":
        """From a weights file. Raises VitalError(NO_CHECKPOINT or BAD_CHECKPOINT)."""
        return cls(_read(path or default_weights()))

    @torch.inference_mode()
    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """As in `PointingModel.point`."""
        if not prompt.strip():
            return Pointing(None, 0.0, "the sentence is empty: name the thing to find")
        height, width = rgb.shape[:2]
        small = cv2.resize(rgb, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
        picture = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255.0
        heat, present, _ = self._network(picture, encode(prompt)[None])
        confidence = float(present.sigmoid()[0])
        if confidence < IN_VIEW:
            return Pointing(None, confidence, f"nothing in view that '{prompt}' names ({100 * confidence:.0f} % sure)")
        u, v = peak(heat)[0].tolist()
        pixel = (u * width / WIDTH_PX, v * height / HEIGHT_PX)
        return Pointing(pixel, confidence, f"found at ({pixel[0]:.0f}, {pixel[1]:.0f}) px")
