"""Measures the local policy: one tick on one thread, and the pace of a 20 s episode beside busy cores.

    ./vital shell -c "python bench/policy_speed.py [--checkpoint FILE] [--busy 2]"

`--busy N` runs N processes that compute without pause meanwhile, as a simulator that renders does.
"""

import argparse
import multiprocessing
import time
from pathlib import Path

import numpy as np
import torch

from vital_core.observation import Observation
from vital_data.dataset.normalisation import Normaliser
from vital_policy.checkpoint import Checkpoint
from vital_policy.inference import LocalPolicy
from vital_policy.network.policy import Policy
from vital_rl.acting.episode import Episode
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.tick import PolicyTick, Readings

PERIOD_S = 1 / 6


def untrained() -> LocalPolicy:
    """The full network with random weights: as fast as a trained one."""
    normaliser = Normaliser(np.zeros(7), np.ones(7), np.full(15, 100.0))
    return LocalPolicy(Checkpoint("usb_insertion", Policy().eval(), normaliser, 6.0))


def burn() -> None:
    """Compute for ever, as a renderer does."""
    values = np.random.default_rng(0).random((400, 400))
    while True:
        values = np.tanh(values @ values / 400)


class FreshReadings(Readings):
    """A blank image and reading that are always new."""

    def observe(self) -> tuple[Observation, int]:
        """As `Readings.observe`."""
        return Observation(np.zeros((128, 128, 3), np.uint8), np.zeros(15, np.float32)), 0


def ticks_ms(policy: LocalPolicy, count: int) -> list[float]:
    """Of so many ticks one after the other, on one thread."""
    torch.set_num_threads(1)
    seen, _ = FreshReadings().observe()
    found = []
    for _ in range(count):
        start = time.perf_counter()
        policy.act(seen)
        found.append(1000 * (time.perf_counter() - start))
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--busy", type=int, default=0)
    options = parser.parse_args()
    policy = LocalPolicy.load(options.checkpoint) if options.checkpoint else untrained()
    p50, p99 = np.percentile(ticks_ms(policy, options.ticks), [50, 99])
    print(f"tick, one thread: median {p50:.1f} ms, p99 {p99:.1f} ms over {options.ticks}")
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=burn, daemon=True) for _ in range(options.busy)]
    for process in others:
        process.start()
    time.sleep(2.0 if others else 0.0)
    episode = Episode(PolicyTick(ResidualPolicy(policy), FreshReadings(), 0.25), PERIOD_S, give_up_after_s=1.0)
    episode.run(20.0, lambda *_: True)
    print(f"20 s episode beside {options.busy} busy processes: {episode.figures.summary(PERIOD_S)}")
    for process in others:
        process.terminate()


if __name__ == "__main__":
    main()
