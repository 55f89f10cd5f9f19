"""The visuo-tactile transformer policy: 7,599,494 parameters with image and touch (paper: 7.6 M).

Tokens [image, tactile, action], causal; the answer is read at the learned action token as a chunk of ten
actions. Without touch (BAKU in the paper) there is no tactile token and no tactile encoder.
"""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import Tensor, nn

from vital_core.observation import ACTION_VALUES, TACTILE_VALUES
from vital_policy.network.encoders import ImageEncoder, TactileEncoder
from vital_policy.network.transformer import Transformer, TransformerConfig

CHUNK = 10


@dataclass(frozen=True)
class PolicyConfig:
    """What the network is made of; part of every checkpoint's header."""

    touch: bool = True
    chunk: Annotated[int, Meta(ge=1, le=1000)] = CHUNK
    keypoints: Annotated[int, Meta(ge=1, le=8192)] = 256
    transformer: TransformerConfig = field(default_factory=TransformerConfig)

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.keypoints < 1:
            raise ValueError(f"chunk {self.chunk} and keypoints {self.keypoints} must be at least 1")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which `vital_core.files.schema` reads back."""
        return asdict(self)


@dataclass(frozen=True)
class Features:
    """What the encoders saw: z_image (B, width), z_tactile (B, width) or None without touch."""

    image: Tensor
    tactile: Tensor | None

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

    def parameter_count(self) -> int:
        """How many numbers training moves."""
        return sum(p.numel() for p in self.parameters())
