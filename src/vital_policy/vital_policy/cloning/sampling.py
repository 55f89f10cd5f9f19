"""Which frames of the demonstrations a batch is made of.

Motion across the main direction is over in the first second of an episode: of a uniform batch hardly a tenth shows it.
"""

import torch
from torch import Tensor


def motion_odds(motion: Tensor, mask: Tensor, across: tuple[int, ...]) -> Tensor:
    """(N,) chance of each frame, in proportion to the size of its chunk's motion across the main direction.

    motion: (N, K, 7) in m. Frames without such motion have no chance, unless none has any.
    """
    there = mask[..., None].to(motion.dtype)
    square = (motion[..., list(across)].square() * there).sum((1, 2)) / there.sum((1, 2)).clamp(min=1)
    size = square.sqrt()
    total = size.sum()
    return size / total if total > 0.0 else torch.full_like(size, 1.0 / len(size))


def draw_frames(odds: Tensor, batch: int, motion_share: float, generator: torch.Generator) -> Tensor:
    """(batch,) indices: so much of them by ``odds`` (N,), the others all alike, in this order."""
    by_motion = round(motion_share * batch)
    alike = torch.randint(len(odds), (batch - by_motion,), generator=generator)
    if by_motion == 0:
        return alike
    return torch.cat([torch.multinomial(odds, by_motion, replacement=True, generator=generator), alike])
