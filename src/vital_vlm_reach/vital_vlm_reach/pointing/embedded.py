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

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Count, Name, Source, Text
from vital_core.files.weight_file import Header
from vital_vlm_reach.pointing.interface import Candidate, Pointing
from vital_vlm_reach.pointing.network import HEIGHT_PX, KNOWN_THINGS, WIDTH_PX, PointingNetwork, look_twice, peak
from vital_vlm_reach.pointing.text import BUCKETS, encode

FORMAT = weight_file.Format("vital_pointing/4")
MOST_BYTES = 200_000_000
# Metadata that are text as they are; the others are JSON.
PLAIN = ("format", "command")
# By validation scenes and sentences: less sure than this is no answer.
ASKED, IN_VIEW = 0.5, 0.5


@dataclass(frozen=True)
class PointingHeader:
    """The weights' metadata: size of the image in px, buckets of the text, and how they were made."""

    format: Name
    width: Literal[640]
    height: Literal[480]
    buckets: Literal[16384]
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


def _resized(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(rgb, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)


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


def read_weights(path: Path) -> PointingNetwork:
    """The network of a file. Raises VitalError(NO_CHECKPOINT or BAD_CHECKPOINT)."""
    if not path.exists():
        raise VitalError(
            ErrorCode.NO_CHECKPOINT,
            f"no pointing weights at {path}: train them with 'ros2 run vital_vlm_reach train_pointing'",
        )
    network, _ = parse_weights(weight_file.read_file(path, _source(path), MOST_BYTES), path)
    return network


class EmbeddedPointing:
    """Points at what a sentence names, from the image alone; see `PointingModel`."""

    def __init__(self, network: PointingNetwork) -> None:
        self._network = network

    @classmethod
    def load(cls, path: Path | None = None) -> "EmbeddedPointing":
        """From a weights file. Raises VitalError(NO_CHECKPOINT or BAD_CHECKPOINT)."""
        return cls(read_weights(path or default_weights()))

    @torch.inference_mode()
    def asked(self, prompt: str) -> int | None:
        """Which of the known things a sentence asks for, None for none of them."""
        chances = self._network.reader(encode(prompt)[None])[0].softmax(-1)
        thing = int(chances[:KNOWN_THINGS].argmax())
        return thing if float(chances[thing]) >= ASKED else None

    @torch.inference_mode()
    def point(self, rgb: NDArray[np.uint8], prompt: str) -> Pointing:
        """As in `PointingModel.point`."""
        if not prompt.strip():
            return Pointing(None, 0.0, "the sentence is empty: name the thing to find")
        thing = self.asked(prompt)
        if thing is None:
            return Pointing(None, 0.0, f"'{shortened(prompt, 80)}' asks for nothing that the embedded network knows")
        height, width = rgb.shape[:2]
        sized = rgb if (width, height) == (WIDTH_PX, HEIGHT_PX) else _resized(rgb)
        image = torch.from_numpy(np.ascontiguousarray(sized)).permute(2, 0, 1)[None].float() / 255.0
        heat, place = look_twice(self._network.detector, image)
        uv, logit = peak(heat[:, thing], place)
        confidence = float(logit.sigmoid()[0])
        u, v = uv[0].tolist()
        pixel = (u * width / WIDTH_PX, v * height / HEIGHT_PX)
        if confidence < IN_VIEW:
            told = f"nothing in view that '{shortened(prompt, 80)}' asks for ({100 * confidence:.0f} % sure)"
            return Pointing(None, confidence, told, (Candidate(pixel, "", confidence),))
        return Pointing(pixel, confidence, f"found at ({pixel[0]:.0f}, {pixel[1]:.0f}) px")
