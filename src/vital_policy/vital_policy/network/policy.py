"""The visuo-tactile transformer policy, top to bottom: 7,599,494 parameters with image and touch (paper: 7.6 M).

From a wrist image and a tactile reading to one token each (paper, appendix A1): the image encoder is a ResNet-18 (He et
al. 2016) cut after its second stage, with group instead of batch normalisation, whose last map is read as key points by
a spatial softmax (Levine et al. 2016). Tokens [image, tactile, action], causal; the answer is read at the learned
action token as a chunk of ten actions. Without touch (BAKU in the paper) there is no tactile token and no tactile
encoder.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from vital_core.observation import ACTION_VALUES, TACTILE_VALUES
from vital_policy.network.fused_norm import max_pool, norm_relu
from vital_policy.network.transformer import Transformer, TransformerConfig

CHUNK = 10
GROUPS = 8


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv3x3(inputs, outputs, stride), nn.GroupNorm(GROUPS, outputs)
        self.conv2, self.norm2 = _conv3x3(outputs, outputs), nn.GroupNorm(GROUPS, outputs)
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut_norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        y = norm_relu(self.conv1(x), self.norm1)
        if self.shortcut is not None:
            x = norm_relu(self.shortcut(x), self.shortcut_norm, relu=False)
        return norm_relu(self.conv2(y), self.norm2, x)


class Stem(nn.Module):
    """ResNet's 7x7 convolution of stride 2, computed as a 4x4 convolution of stride 1 on 2x2 blocks.

    Three input channels starve a matrix unit; twelve feed it. The parameters are those of the 7x7 filter.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, 3, 7, 7))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, outputs, H / 2, W / 2)."""
        # A 7x7 filter with padding 3 is an 8x8 one whose first row and column are zero, with padding 4 before.
        weight = F.pad(self.weight, (1, 0, 1, 0))
        blocks = F.pixel_unshuffle(image, 2)
        return F.conv2d(F.pad(blocks, (2, 1, 2, 1)), F.pixel_unshuffle(weight, 2))


def spatial_softmax(maps: Tensor) -> Tensor:
    """(B, K, H, W) key-point maps -> (B, 2 K) expected x then y of each, in -1..1 over the image."""
    _, _, height, width = maps.shape
    pixels = maps.permute(0, 2, 3, 1).flatten(1, 2)  # (B, H W, K): a view when channels are last in memory
    weights = pixels.float().softmax(dim=1)
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    places = torch.stack([x.flatten(), y.flatten()]).to(maps.device)  # (2, H W)
    with torch.autocast(maps.device.type, enabled=False):
        return (places @ weights).flatten(1)  # (B, 2, K) -> (B, 2 K)


class ImageEncoder(nn.Module):
    """128x128 RGB -> one token of `width` values."""

    def __init__(self, width: int = 256, keypoints: int = 256) -> None:
        super().__init__()
        self.stem, self.norm = Stem(64), nn.GroupNorm(GROUPS, 64)
        self.stage1 = nn.Sequential(ResidualBlock(64, 64, 1), ResidualBlock(64, 64, 1))
        self.stage2 = nn.Sequential(ResidualBlock(64, 128, 2), ResidualBlock(128, 128, 1))
        self.keypoints = nn.Conv2d(128, keypoints, 1)
        self.project = nn.Linear(2 * keypoints, width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | Stem):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 128, 128) in -1..1 -> (B, width)."""
        x = max_pool(norm_relu(self.stem(image), self.norm))  # (B, 64, 32, 32)
        maps = self.keypoints(self.stage2(self.stage1(x)))  # (B, keypoints, 16, 16)
        return self.project(spatial_softmax(maps))


class TactileEncoder(nn.Sequential):
    """(B, 15) normalised field -> (B, width): three layers, orthogonally initialised."""

    def __init__(self, values: int = 15, width: int = 256) -> None:
        super().__init__(
            nn.Linear(values, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        for module in self:
            if isinstance(module, nn.Linear):
                nn.init.orthogonal_(module.weight, gain=math.sqrt(2.0))
                nn.init.zeros_(module.bias)


@dataclass(frozen=True)
class PolicyConfig:
    """What the network is made of; part of every checkpoint's header."""

    touch: bool = True
    """Whether it has a tactile encoder."""
    chunk: Annotated[int, Meta(ge=1, le=1000)] = CHUNK
    """How many actions it answers with."""
    keypoints: Annotated[int, Meta(ge=1, le=8192)] = 256
    """Of the image encoder."""
    transformer: TransformerConfig = field(default_factory=TransformerConfig)

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.keypoints < 1:
            raise ValueError(f"chunk {self.chunk} and keypoints {self.keypoints} must be at least 1")

    @property
    def feature_size(self) -> int:
        """D: values of z_image and z_tactile together."""
        return self.transformer.width * (2 if self.touch else 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which `vital_core.files.schema` reads back."""
        return asdict(self)


@dataclass(frozen=True)
class Features:
    """What the encoders saw."""

    image: Tensor  # z_image (B, width)
    tactile: Tensor | None  # z_tactile (B, width); None without touch

    def joined(self) -> Tensor:
        """(B, D): both beside each other."""
        return self.image if self.tactile is None else torch.cat([self.image, self.tactile], dim=-1)


class Policy(nn.Module):
    """Normalised observation in, chunk of normalised actions out."""

    def __init__(self, config: PolicyConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PolicyConfig()
        width = config.transformer.width
        self.image_encoder = ImageEncoder(width, config.keypoints)
        self.tactile_encoder = TactileEncoder(TACTILE_VALUES, width) if config.touch else None
        self.action_token = nn.Parameter(torch.randn(width))
        self.transformer = Transformer(config.transformer)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, config.chunk * ACTION_VALUES), nn.Tanh(),
        )  # fmt: skip

    def encode(self, image: Tensor, tactile: Tensor) -> Features:
        """image (B, 3, 128, 128) in -1..1, tactile (B, 15) normalised -> tokens."""
        z_tactile = self.tactile_encoder(tactile) if self.tactile_encoder is not None else None
        return Features(self.image_encoder(image), z_tactile)

    def decode(self, features: Features) -> Tensor:
        """Tokens -> (B, chunk, 7) normalised actions in -1..1."""
        seen = [z for z in (features.image, features.tactile) if z is not None]
        action = self.action_token.to(seen[0].dtype).expand_as(seen[0])
        out = self.transformer(torch.stack([*seen, action], dim=1))[:, -1]  # (B, width)
        return self.head(out).unflatten(-1, (self.config.chunk, ACTION_VALUES))

    def forward(self, image: Tensor, tactile: Tensor) -> Tensor:
        """image (B, 3, 128, 128) in -1..1, tactile (B, 15) normalised -> (B, chunk, 7) in -1..1."""
        return self.decode(self.encode(image, tactile))

    @torch.no_grad()
    def hold(self, answers: Mapping[int, float]) -> None:
        """Answer these dimensions of every action with a constant, normalised and within -1..1, whatever is seen."""
        last: nn.Linear = self.head[-2]  # type: ignore[assignment]
        weight, bias = (part.unflatten(0, (self.config.chunk, ACTION_VALUES)) for part in (last.weight, last.bias))
        for dimension, value in answers.items():
            weight[:, dimension] = 0.0
            bias[:, dimension] = math.atanh(value)

    def parameter_count(self) -> int:
        """How many numbers training moves."""
        return sum(p.numel() for p in self.parameters())
