"""Measures behaviour cloning's throughput on synthetic images: iterations per second of a preset.

    ./vital shell -c "python bench/train_speed.py [--precision float32] [--plain]"

`--plain` leaves out the fused kernels and the allocator's setting, for comparison.
"""

import argparse
import os
import resource
import time
from dataclasses import replace

import numpy as np
import torch

from vital_data.dataset.dataset import Demonstrations
from vital_data.dataset.normalisation import Normaliser
from vital_policy.cloning.train_bc import keep_memory
from vital_policy.cloning.trainer import PRESETS, Trainer
from vital_policy.network import fused_norm
from vital_policy.precision import PRECISIONS, fastest_precision

FRAMES = 512
WARM_UP = 5


def demonstrations() -> Demonstrations:
    """Noise in the shape of demonstrations, four episodes."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-0.01, 0.01, (FRAMES, 10, 7))
    tactile_ut = rng.normal(0, 50, (FRAMES, 15)).astype(np.float32)
    return Demonstrations(
        image=rng.integers(0, 256, (FRAMES, 128, 128, 3), dtype=np.uint8),
        tactile_ut=tactile_ut,
        actions=actions,
        mask=np.ones((FRAMES, 10), bool),
        episode=np.repeat(np.arange(4), FRAMES // 4),
        sha256="",
        normaliser=Normaliser.fit(actions.reshape(-1, 7), tactile_ut),
    )


def iterations(
    preset: str, steps: int, threads: int, precision: str, *, plain: bool = False
) -> tuple[list[float], int, float]:
    """Seconds of each of so many iterations, their batch, and page faults an iteration."""
    torch.set_num_threads(threads)
    if not plain:
        keep_memory()
        if precision == "bfloat16":
            fused_norm.enable()
    trainer = Trainer(replace(PRESETS[preset], precision=precision), demonstrations())
    for _ in range(WARM_UP):
        trainer.step()
    faults, times = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, []
    for _ in range(steps):
        start = time.perf_counter()
        trainer.step()
        times.append(time.perf_counter() - start)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return times, trainer.config.batch, faults / steps


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", choices=PRECISIONS, default=fastest_precision())
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    times, batch, faults = iterations(
        options.preset, options.steps, options.threads, options.precision, plain=options.plain
    )
    median, least = np.median(times), min(times)
    what = f"{options.preset}, {options.precision}, batch {batch}, {options.threads} threads"
    print(
        f"{what}: median {1000 * median:.0f} ms an iteration, "
        f"least {1000 * least:.0f} ms; {1 / median:.2f} it/s, {batch / median:.0f} images/s, "
        f"{faults:.0f} page faults an iteration"
    )


if __name__ == "__main__":
    main()
