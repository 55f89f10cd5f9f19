"""The residual actor: what to add to the base policy's action (paper, appendix A1).

One hidden layer, or several, on (z_image, z_tactile, a_base) and a tanh. The last layer starts at zero, so that an
untrained actor changes nothing.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from vital_core.observation import ACTION_VALUES
from vital_data.dataset.normalisation import Normaliser

OFFSET_SHARE = 0.2
GRIPPER = 6


@dataclass(frozen=True)
class ActorConfig:
    """features: values of z_image and z_tactile together; hidden: width. gripper: whether it is corrected too. layers:
    how many hidden ones."""

    features: Annotated[int, Meta(ge=1, le=65536)] = 512
    hidden: Annotated[int, Meta(ge=1, le=16384)] = 256
    gripper: bool = False
    layers: Annotated[int, Meta(ge=1, le=32)] = 1

    def __post_init__(self) -> None:
        if min(self.features, self.hidden, self.layers) < 1:
            raise ValueError(f"{self} needs at least 1 feature, 1 wide, 1 layer")


def offset_scale(normaliser: Normaliser, share: float = OFFSET_SHARE, *, gripper: bool = False) -> NDArray[np.float32]:
    """(7,) largest residual in m, rad, gripper: ``share`` of the largest absolute action of the demonstrations.

    The gripper is the base policy's alone unless ``gripper``.
    """
    centre, half = np.array(normaliser.action_centre), np.array(normaliser.action_half_range)
    scale = share * np.maximum(np.abs(centre - half), np.abs(centre + half))
    if not gripper:
        scale[GRIPPER] = 0.0
    return scale.astype(np.float32)


class ResidualActor(nn.Module):
    """(z (B, features), base (B, 7) normalised) -> (B, 7) in -1..1, to be multiplied by the offset scale.

    active: (7,) 1 where it acts. What is never tried must not be asked for: a critic would promise anything there.
    """

    active: Tensor

    def __init__(self, config: ActorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ActorConfig()
        self.hidden = nn.Linear(config.features + ACTION_VALUES, config.hidden)
        self.deeper = nn.ModuleList(nn.Linear(config.hidden, config.hidden) for _ in range(config.layers - 1))
        self.out = nn.Linear(config.hidden, ACTION_VALUES)
        active = torch.ones(ACTION_VALUES)
        active[GRIPPER] = float(config.gripper)
        self.register_buffer("active", active, persistent=False)
        for layer in (self.hidden, *self.deeper):
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Tensor, base: Tensor) -> Tensor:
        """See the class."""
        x = torch.relu(self.hidden(torch.cat([z, base], dim=-1)))
        for layer in self.deeper:
            x = torch.relu(layer(x))
        return self.active * torch.tanh(self.out(x))
