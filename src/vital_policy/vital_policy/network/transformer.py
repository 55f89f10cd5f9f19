"""A small causal transformer over a few tokens (GPT-2's layout: pre-layer-norm, learned positions)."""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn


@dataclass(frozen=True)
class TransformerConfig:
    """Eight layers of four heads, 256 wide; room for 65 tokens, of which the policy uses three."""

    layers: Annotated[int, Meta(ge=1, le=128)] = 8
    heads: Annotated[int, Meta(ge=1, le=128)] = 4
    width: Annotated[int, Meta(ge=1, le=8192)] = 256
    positions: Annotated[int, Meta(ge=1, le=8192)] = 65
    dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}, expected 0 <= dropout < 1")


class Block(nn.Module):
    """Causal self-attention and a four times wider MLP, each on a normalised copy of the stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.dropout = config.heads, config.dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attend(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C); token t sees tokens 0..t."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1)
        )  # (B, heads, T, C / heads)
        scores = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5  # (B, heads, T, T)
        past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
        weights = F.dropout(scores.masked_fill(~past, float("-inf")).softmax(-1), self.dropout, self.training)
        return self.out((weights @ v).transpose(1, 2).flatten(2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = x + F.dropout(self.attend(self.norm1(x)), self.dropout, self.training)
        hidden = F.gelu(self.up(self.norm2(x)), approximate="tanh")
        return x + F.dropout(self.down(hidden), self.dropout, self.training)


class Transformer(nn.Module):
    """Tokens in, features of the same width out."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.width, config.width)
        self.position = nn.Embedding(config.positions, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.apply(self._initialise)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.normal_(weight, std=0.02 / (2 * config.layers) ** 0.5)

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, width) -> (B, T, width), T at most `positions`."""
        x = self.embed(tokens) + self.position.weight[: tokens.shape[1]]
        x = F.dropout(x, self.config.dropout, self.training)
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x))
