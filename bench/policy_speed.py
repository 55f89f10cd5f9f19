"""Measures the local policy: a tick on one thread by what computes it, and the pace of a 20 s episode.

    ./vital shell -c "python bench/policy_speed.py [--checkpoint FILE] [--busy 2] [--compile]"

The ways to compute it take turns, back to back and at 6 Hz, where caches and clock have cooled down in between: one run
compares them, at the priority that the policy node takes. `--busy N` runs N processes that compute without pause
meanwhile, as a simulator that renders does.
"""

import argparse
import copy
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from vital_core.observation import Observation
from vital_core.statistics import percentile
from vital_data.dataset.normalisation import Normaliser
from vital_policy.checkpoint import Checkpoint, load_checkpoint
from vital_policy.inference import LocalPolicy
from vital_policy.network.augmentation import to_network
from vital_policy.network.policy import Policy
from vital_policy.runtime.choice import AUTO
from vital_policy.runtime.network import ONNXRUNTIME, TORCH
from vital_rl.acting.episode import Episode
from vital_rl.acting.policy_node import PRIORITY
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.tick import PolicyTick, Readings
from vital_ros.process.priority import raise_priority

PERIOD_S = 1 / 6
TURN = 15
Call = Callable[[], object]


def untrained() -> Checkpoint:
    """The full network of image and touch (ViSk's and ViTaL-BC's), random weights: as fast as a trained one."""
    normaliser = Normaliser(np.zeros(7), np.ones(7), np.full(15, 100.0))
    return Checkpoint("usb_insertion", Policy().eval(), normaliser, 6.0)


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


def eager(policy: Policy, *, precision: torch.dtype = torch.float32, compiled: bool = False) -> Call:
    """The network in PyTorch, as it is, or compiled, or with its products in another precision."""
    network = copy.deepcopy(policy).eval()
    run = torch.compile(network) if compiled else network
    seen, _ = FreshReadings().observe()
    image, tactile = to_network(torch.from_numpy(seen.image[None])), torch.from_numpy(seen.tactile_ut[None])

    @torch.inference_mode()
    def call() -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            run(image, tactile)

    return call


def ways(checkpoint: Checkpoint, *, compiled: bool) -> dict[str, Call]:
    """What is compared, by name: the last two are whole ticks with ensemble and normaliser, as the node runs them."""
    seen, _ = FreshReadings().observe()
    found = {
        "PyTorch": eager(checkpoint.policy),
        "PyTorch, bfloat16": eager(checkpoint.policy, precision=torch.bfloat16),
    }
    if compiled:
        found["torch.compile"] = eager(checkpoint.policy, compiled=True)
    for runtime in (TORCH, ONNXRUNTIME):
        policy = LocalPolicy(checkpoint, runtime=runtime)
        found[f"tick, runtime {runtime}"] = lambda policy=policy: policy.act(seen)
    return found


def took_ms(calls: Mapping[str, Call], rounds: int, at_once: int, pause_s: float) -> dict[str, list[float]]:
    """Of each call, in turns of ``at_once`` calls; ``pause_s`` before each."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(at_once):
                time.sleep(pause_s)
                start = time.perf_counter()
                call()
                found[name].append(1000 * (time.perf_counter() - start))
    return found


def compare(checkpoint: Checkpoint, *, ticks: int, compiled: bool) -> None:
    """Print a table of the ways to compute a tick."""
    torch.set_num_threads(1)
    calls = ways(checkpoint, compiled=compiled)
    for call in calls.values():
        call()
    close = took_ms(calls, ticks // TURN, TURN, 0.0)
    paced = took_ms(calls, ticks // 5, 1, PERIOD_S)
    print(f"one thread, load average {os.getloadavg()[0]:.1f}: median, 99 % in ms")
    print("| computed by | back to back | at 6 Hz |\n|---|---|---|")
    for name in calls:
        row = (f"{percentile(ms, 50):.1f}, {percentile(ms, 99):.1f}" for ms in (close[name], paced[name]))
        print(f"| {name} | {' | '.join(row)} |")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="torch.compile too, which takes minutes")
    options = parser.parse_args()
    raise_priority(PRIORITY)
    checkpoint = load_checkpoint(options.checkpoint) if options.checkpoint else untrained()
    compare(checkpoint, ticks=options.ticks, compiled=options.compile)
    policy = LocalPolicy(checkpoint, runtime=AUTO if checkpoint.sha256 else ONNXRUNTIME)
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
