"""Demonstrations as prior data: what the frozen policy would have answered along them, and what it lacked."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from vital_data.dataset.dataset import Demonstrations
from vital_policy.inference import LocalPolicy
from vital_policy.residual import Residual
from vital_rl.residual.feature_replay import FeatureReplay
from vital_rl.residual.features import FeatureCache
from vital_rl.residual.transitions import EpisodeSteps, rewards


def offsets_of(
    executed: NDArray[np.floating], base: NDArray[np.floating], scale: NDArray[np.floating]
) -> tuple[NDArray[np.float32], int]:
    """(T, 7) what was added over the offset scale, within -1..1, and how many steps asked for more than that."""
    active = scale > 0.0
    offset = np.zeros(executed.shape, np.float32)
    offset[:, active] = (executed - base)[:, active] / scale[active]
    beyond = int((np.abs(offset) > 1.0 + 1e-6).any(axis=1).sum())
    return offset.clip(-1.0, 1.0), beyond


def demonstrated(
    policy: LocalPolicy,
    residual: Residual,
    demos: Demonstrations,
    every: int,
    cache: FeatureCache,
    seed: int,
    *,
    dense: bool = False,
) -> Iterator[tuple[EpisodeSteps, int]]:
    """Each demonstration, thinned to the control rate (each ``every``-th frame), and its steps beyond the scale.

    dense: its distance to where it ended is rewarded too.
    """
    normaliser = policy.checkpoint.normaliser
    for number in range(demos.episodes):
        rows = np.flatnonzero(demos.episode == number)[::every]
        if len(rows) < 2:
            continue
        image, tactile_ut = demos.image[rows], demos.tactile_ut[rows]
        base = np.stack([tick.base for tick in policy.along(image, tactile_ut)])
        offset, beyond = offsets_of(demos.actions[rows[:-1], 0], base[:-1], residual.scale)
        steps = len(rows) - 1
        distance_m = np.abs(demos.tcp_m[rows[1:]] - demos.tcp_m[rows[-1]]).sum(axis=1)
        foreground = None if demos.foreground is None else demos.foreground[rows]
        name = f"demonstration_{demos.sha256[:16]}_{number}"
        yield (
            EpisodeSteps(
                features=cache.get(name, image, tactile_ut, seed + number, foreground),
                base=normaliser.normalise_actions(base),
                residual=offset,
                reward=rewards(True, distance_m, steps, dense=dense),
                intervened=np.ones(steps, bool),
                terminated=True,
            ),
            beyond,
        )


def add_demonstrations(replay: FeatureReplay, shown: Iterable[tuple[EpisodeSteps, int]]) -> tuple[int, int]:
    """Fill the replay with what is ``demonstrated``; returns how many steps, and how many of them beyond the scale."""
    steps = beyond = 0
    for episode, more in shown:
        replay.add(episode, prior=True)
        steps, beyond = steps + len(episode), beyond + more
    return steps, beyond
