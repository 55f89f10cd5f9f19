"""Sets of pictures to learn from: rendered, stored and read."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vital_core.task import task_names
from vital_vlm_reach.pointing.training.galleries import Gallery
from vital_vlm_reach.pointing.training.picture import Picture
from vital_vlm_reach.pointing.training.renders import KINDS, Studio

# Of the pictures; the others are of the scenes in which policies are measured.
WIDE_SHARE = 0.5
SEEDS_EACH = 10_000


def render_set(count: int, seed: int, say: Callable[[int, int], None] = lambda done, total: None) -> list[Picture]:
    """``count`` pictures: of every task's gallery, and of the scenes of `KINDS`."""
    tasks = task_names()
    studios: list[tuple[Callable[[], Gallery | Studio], float]] = [
        *((partial(Gallery, task), WIDE_SHARE / len(tasks)) for task in tasks),
        *((partial(Studio, kind), (1.0 - WIDE_SHARE) * kind.share) for kind in KINDS),
    ]
    pictures: list[Picture] = []
    for i, (make, share) in enumerate(studios):
        studio = make()
        for k in range(max(1, round(count * share))):
            pictures.append(studio.picture(seed + SEEDS_EACH * i + k))
            say(len(pictures), count)
        studio.close()
    return pictures


def save_set(path: Path, pictures: list[Picture]) -> None:
    """Store a set as one npz without pickled objects."""
    names = sorted({name for p in pictures for name in (*p.seen, *p.hidden)})
    places = np.full((len(pictures), len(names), 2), np.nan, np.float32)
    there = np.zeros((len(pictures), len(names)), bool)
    for i, picture in enumerate(pictures):
        for k, name in enumerate(names):
            there[i, k] = name in picture.seen or name in picture.hidden
            if name in picture.seen:
                places[i, k] = picture.seen[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, image=np.stack([p.image for p in pictures]), places=places, there=there, names=np.array(names))


def load_set(path: Path) -> list[Picture]:
    """Inverse of `save_set`."""
    with np.load(path, allow_pickle=False) as data:
        images, places, there, names = data["image"], data["places"], data["there"], data["names"].tolist()
    pictures = [Picture(image, {}, ()) for image in images]
    for i, picture in enumerate(pictures):
        for k, name in enumerate(names):
            if there[i, k] and np.isfinite(places[i, k]).all():
                picture.seen[name] = (float(places[i, k, 0]), float(places[i, k, 1]))
            elif there[i, k]:
                pictures[i] = picture = replace(picture, hidden=(*picture.hidden, name))
    return pictures
