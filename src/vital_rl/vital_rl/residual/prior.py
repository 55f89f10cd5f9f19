"""Demonstrations as prior data: what the frozen policy would have answered along them, and what it lacked."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from vital_data.dataset.dataset import Demonstrations
from vital_rl.residual.batches import EpisodeSteps, FeatureReplay, rewards
from vital_rl.residual.features import FeatureCache
from vital_rl.residual.networks import OffsetScale

BaseAlong = Callable[[NDArray[np.uint8], NDArray[np.floating]], NDArray[np.float32]]


def demonstrated(
    base_along: BaseAlong,
    scale: OffsetScale,
    demos: Demonstrations,
    every: int,
    cache: FeatureCache,
    seed: int,
    *,
    dense: bool = False,
) -> Iterator[tuple[EpisodeSteps, int]]:
    """Each demonstration, thinned to the control rate (each ``every``-th frame), and its steps beyond the scale.

    base_along: the base actions (T, 7) along images (T, 128, 128, 3) and touch (T, 15); scale: of the residual.
    dense: its distance to where it ended is rewarded too.
    """
    for number in range(demos.episodes):
        rows = np.flatnonzero(demos.episode == number)[::every]
        if len(rows) < 2:
            continue
        image, tactile_ut = demos.image[rows], demos.tactile_ut[rows]
        base = base_along(image, tactile_ut)
        offset, beyond = scale.offsets_of(demos.actions[rows[:-1], 0], base[:-1])
        steps = len(rows) - 1
        distance_m = np.abs(demos.tcp_m[rows[1:]] - demos.tcp_m[rows[-1]]).sum(axis=1)
        foreground = None if demos.foreground is None else demos.foreground[rows]
        name = f"demonstration_{demos.sha256[:16]}_{number}"
        episode = EpisodeSteps(
            features=cache.get(name, image, tactile_ut, seed + number, foreground),
            base=cache.checkpoint.normaliser.normalise_actions(base),
            residual=offset,
            reward=rewards(True, distance_m, steps, dense=dense),
            intervened=np.ones(steps, bool),
            terminated=True,
        )
        yield episode, beyond


def add_demonstrations(replay: FeatureReplay, shown: Iterable[tuple[EpisodeSteps, int]]) -> tuple[int, int]:
    """Fill the replay with what is ``demonstrated``; returns how many steps, and how many of them beyond the scale."""
    steps = beyond = 0
    for episode, more in shown:
        replay.add(episode, prior=True)
        steps, beyond = steps + len(episode), beyond + more
    return steps, beyond
