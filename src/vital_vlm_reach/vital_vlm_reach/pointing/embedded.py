"""The pointing model that is shipped: a small network over image and sentence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from numpy.typing import NDArray
from safetensors.torch import load, save

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Count, Name, Source, Text
from vital_core.files.weight_file import Header, Metadata
from vital_vlm_reach.pointing.interface import Pointing
from vital_vlm_reach.pointing.network import HEIGHT_PX, WIDTH_PX, PointingNetwork, peak
from vital_vlm_reach.pointing.text import BUCKETS, encode

FORMAT = weight_file.Format("vital_pointing/3", "vital_pointing/2", "ros2 run vital_vlm_reach convert_weights")
MOST_BYTES = 200_000_000
# Metadata that are text as they are; the others are JSON.
PLAIN = ("format", "command")
IN_VIEW = 0.5


@dataclass(frozen=True)
class PointingHeader:
    """The weights' metadata: size of the image in px, buckets of the text, and how they were made."""

    format: Name
    width: Literal[320]
    height: Literal[240]
    buckets: Literal[8192]
    command: Text = ""
    seed: int = 0
    steps: Count = 0


def default_weights() -> Path:
    """The installed weights."""
    try:
        return Path(get_package_share_directory("vital_vlm_reach")) / "weights" / "pointing.safetensors"
    except PackageNotFoundError as error:
        raise VitalError(ErrorCode.NO_CHECKPOINT, "the package vital_vlm_reach is not installed: build it") from error


def save_weights(path: Path, network: PointingNetwork, facts: dict[str, str]) -> None:
    """Write the weights in half precision with a header. facts: command, seed and steps."""
    sizes = {"width": str(WIDTH_PX), "height": str(HEIGHT_PX), "buckets": str(BUCKETS)}
    tensors = {name: _compact(t) for name, t in network.state_dict().items()}
    data = weight_file.sealed(save(tensors), {"format": FORMAT.sealed, **sizes, **facts}, _source(path))
    safe_file.write_bytes(path, data)


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.detach().half() if tensor.is_floating_point() else tensor).contiguous()


def _source(path: Path, remedy: str = "restore it or train it again") -> Source:
    return Source(f"pointing weights {path}", ErrorCode.BAD_CHECKPOINT, remedy)


def _checked_header(data: bytes, source: Source) -> tuple[Header, PointingHeader]:
    header = weight_file.parse_header(data, source)
    metadata = FORMAT.check(header.metadata.get("format"), data, header, source)
    values = {name: text if name in PLAIN else schema.plain_json(text, source) for name, text in metadata.items()}
    return header, schema.checked(values, PointingHeader, source)


def parse_weights(data: bytes, path: Path) -> tuple[PointingNetwork, PointingHeader]:
    """The network and its header from the bytes of its file. Raises VitalError(BAD_CHECKPOINT)."""
    source, network = _source(path), PointingNetwork()
    header, read = _checked_header(data, source)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if header.shapes != expected:
        name = min(n for n in expected.keys() | header.shapes.keys() if expected.get(n) != header.shapes.get(n))
        raise source.refuse(f"{name} has shape {header.shapes.get(name)}, expected {expected.get(name)}")
    tensors = load(data)
    if bad := [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]:
        raise source.refuse(f"{bad[0]} holds values that are not finite")
    network.load_state_dict(tensors)
    return network.eval(), read


def _read(path: Path) -> PointingNetwork:
    if not path.exists():
        raise VitalError(
            ErrorCode.NO_CHECKPOINT,
            f"no pointing weights at {path}: train them with 'ros2 run vital_vlm_reach train_pointing'",
        )
    network, header = parse_weights(weight_file.read_file(path, _source(path), MOST_BYTES), path)
    FORMAT.warn(header.format, path)
    return network


def begin_from(path: Path, network: PointingNetwork) -> int:
    """Take over the tensors of other weights that fit by name and shape; returns how many. Those of an older version,
    which knew fewer things, differ in the last layers alone. Raises VitalError(BAD_CHECKPOINT)."""
    source = _source(path, "give another --init")
    data = weight_file.read_file(path, source, MOST_BYTES)
    weight_file.parse_header(data, source)
    stored, own = load(data), network.state_dict()
    fitting = {name: t.to(own[name].dtype) for name, t in stored.items() if name in own and own[name].shape == t.shape}
    if not fitting:
        raise source.refuse("has no tensor of the pointing network")
    network.load_state_dict(own | fitting)
    return len(fitting)


def upgrade(metadata: Metadata) -> Metadata:
    """Metadata of the sealed version from those of the one before."""
    return {**metadata, "format": FORMAT.sealed}


def convert_pointing(path: Path) -> bool:
    """Give weights their hash; False where they have one. Raises VitalError, the file is then as it was."""
    return weight_file.convert(path, _source(path), upgrade, lambda data: parse_weights(data, path))


class EmbeddedPointing:
    """Points at what a sentence names, from the image alone; see `PointingModel`."""

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
        image = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255.0
        heat, present, _ = self._network(image, encode(prompt)[None])
        confidence = float(present.sigmoid()[0])
        if confidence < IN_VIEW:
            return Pointing(None, confidence, f"nothing in view that '{prompt}' names ({100 * confidence:.0f} % sure)")
        u, v = peak(heat)[0].tolist()
        pixel = (u * width / WIDTH_PX, v * height / HEIGHT_PX)
        return Pointing(pixel, confidence, f"found at ({pixel[0]:.0f}, {pixel[1]:.0f}) px")
