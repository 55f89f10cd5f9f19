"""What an error of a cloned action costs.

An uncertain network answers E[w a] / E[w] where w is the weight of the error: weights that follow from the *target*
draw every uncertain prediction towards the targets that weigh most. `RELATIVE` therefore begins by standing still,
which weighs most, and learns precise motion late; `VARIANCE` has constant weights and no such bias.
"""

from enum import StrEnum

import torch
from torch import Tensor

from vital_data.dataset.normalisation import Normaliser

Groups = tuple[tuple[int, ...], ...]
GRIPPER = 6
# Of a dimension that hardly moves in the demonstrations, as a share of its normalised range: errors below are noise.
LEAST_DEVIATION = 0.02


class Loss(StrEnum):
    """How squared errors of normalised actions are weighed."""

    SQUARE = "square"
    """All alike (the paper's)."""
    VARIANCE = "variance"
    """Each dimension over its variance in the demonstrations: what the mean explains counts nothing."""
    TIP = "tip"
    """The same, in metres at the tip of what is held, which is what has to be somewhere: of a hand that turns, most of
    the TCP's way is the lever of its turning."""
    RELATIVE = "relative"
    """Over the size of the motion that is imitated: a demonstrator is slow where precision counts."""


def no_motion(normaliser: Normaliser) -> Tensor:
    """(7,) the normalised action of a hand that stays where it is, its gripper in the middle of what it does."""
    still = normaliser.action_centre.copy()
    still[:GRIPPER] = 0.0
    return torch.from_numpy(normaliser.normalise_actions(still))


def action_groups(actions: Tensor, mask: Tensor) -> Groups:
    """What is weighed by its size together, of (N, K, 7) actions in m, rad, gripper: the direction in which most motion
    goes (down to a socket, along a card reader), the two across it, rotation, gripper."""
    size = (actions[..., :3].square() * mask[..., None]).sum((0, 1))
    along = int(size.argmax())
    across = tuple(axis for axis in range(3) if axis != along)
    return (across, (along,), (3, 4, 5), (GRIPPER,))


def relative_weights(target: Tensor, mask: Tensor, still: Tensor, floor: float, groups: Groups) -> Tensor:
    """(B, 1, 7) one over the mean square of a chunk's motion by group, plus floor^2; motion is (B, K, 7) normalised
    actions less ``still``, see `no_motion`."""
    there = mask[..., None].float()
    square = ((target - still).square() * there).sum(1) / there.sum(1).clamp(min=1)  # (B, 7)
    weights = torch.empty_like(square)
    for group in groups:
        columns = list(group)
        weights[:, columns] = 1.0 / (square[:, columns].mean(-1, keepdim=True) + floor**2)
    return weights[:, None]


def variance_weights(target: Tensor, mask: Tensor, range_: Tensor | float = 1.0) -> Tensor:
    """(7,) one over the variance of (N, K, 7) actions that exist; range_: half of what each dimension spans, 1 for
    normalised ones."""
    actions = target[mask]
    deviation = actions.std(0, correction=0) if len(actions) else torch.ones(target.shape[-1], device=target.device)
    return 1.0 / deviation.maximum(torch.as_tensor(LEAST_DEVIATION * range_)).square()


def at_tip(actions: Tensor, tip_m: tuple[float, float, float]) -> Tensor:
    """(..., 7) deltas in the TCP frame, m, rad, gripper -> the same with the way of a point at ``tip_m`` in that frame,
    for small angles: t + w x tip."""
    tip = torch.as_tensor(tip_m, dtype=actions.dtype, device=actions.device).expand_as(actions[..., :3])
    moved = actions[..., :3] + torch.linalg.cross(actions[..., 3:6], tip)
    return torch.cat([moved, actions[..., 3:]], dim=-1)


def chunk_loss(predicted: Tensor, target: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared error of (B, K, 7) chunks over the actions (B, K) that exist, weighed by (B, 1, 7) or (7,)."""
    error = (predicted.float() - target).square()
    if weights is not None:
        error = error * weights
    return (error.mean(-1) * mask).sum() / mask.sum().clamp(min=1)
