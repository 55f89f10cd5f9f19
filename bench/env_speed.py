"""Steps per second of the Gymnasium environment with the wrist image rendered each step, in one process.

    ./vital shell -c "python bench/env_speed.py"

In the same run: how much of a step is MuJoCo's own work, physics (`mj_step`) and rendering (scene, picture, read back).
The share of the two is how near the environment comes to the rate that they alone would allow.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import gymnasium
import mujoco
import numpy as np

STEPS, REPEATS = 100, 5
TASKS = ("UsbInsertion", "PlugInSocket", "KeyInLock", "CardSwipe", "PickBlock")


@dataclass
class Spent:
    """Seconds inside MuJoCo, by what they were for."""

    physics_s: list[float] = field(default_factory=list)
    rendering_s: list[float] = field(default_factory=list)


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, which notes how long each call took."""

    def call(*given: Any, **named: Any) -> Any:
        start = time.perf_counter()
        result = function(*given, **named)
        seconds.append(time.perf_counter() - start)
        return result

    return call


@contextmanager
def watched() -> Iterator[Spent]:
    """MuJoCo's share, from within the same steps."""
    spent = Spent()
    of_renderer = mujoco.Renderer
    with (
        patch.object(mujoco, "mj_step", timed(mujoco.mj_step, spent.physics_s)),
        patch.object(of_renderer, "update_scene", timed(of_renderer.update_scene, spent.rendering_s)),
        patch.object(of_renderer, "render", timed(of_renderer.render, spent.rendering_s)),
    ):
        yield spent


def main() -> None:
    """Entry point."""
    print("| task | steps/s: median (least, most) | a step, physics, rendering (ms) | of what these two allow |")
    print("|---|---|---|---|")
    for name in TASKS:
        env = gymnasium.make(f"vital_sim:Vital/{name}-v0", disable_env_checker=True)
        rates, shares = [], []
        parts = np.zeros(3)
        for repeat in range(REPEATS):
            env.reset(seed=repeat)
            with watched() as spent:
                start = time.perf_counter()
                for step in range(STEPS):
                    env.step(np.array([0.002 * np.sin(step), 0.002 * np.cos(step), 0.0, 0, 0, 0, 1], np.float32))
                took_s = time.perf_counter() - start
            physics_s, rendering_s = sum(spent.physics_s), sum(spent.rendering_s)
            rates.append(STEPS / took_s)
            shares.append((physics_s + rendering_s) / took_s)
            parts += 1000 * np.array([took_s, physics_s, rendering_s]) / STEPS / REPEATS
        env.close()
        rate, share = statistics.median(rates), statistics.median(shares)
        told = f"{rate:.0f} ({min(rates):.0f}, {max(rates):.0f})"
        print(f"| {name} | {told} | {', '.join(f'{ms:.1f}' for ms in parts)} | {100 * share:.0f} % |")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
