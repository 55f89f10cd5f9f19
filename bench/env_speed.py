"""Steps per second of the Gymnasium environment with the wrist image rendered each step, in one process.

./vital shell -c "python bench/env_speed.py"
"""

import statistics
import time

import gymnasium
import numpy as np

STEPS, REPEATS = 100, 5


def main() -> None:
    """Entry point."""
    for name in ("UsbInsertion", "PlugInSocket"):
        env = gymnasium.make(f"vital_sim:Vital/{name}-v0", disable_env_checker=True)
        rates = []
        for repeat in range(REPEATS):
            env.reset(seed=repeat)
            start = time.perf_counter()
            for step in range(STEPS):
                action = np.array([0.002 * np.sin(step), 0.002 * np.cos(step), 0.0, 0, 0, 0, 1], np.float32)
                env.step(action)
            rates.append(STEPS / (time.perf_counter() - start))
        print(
            f"{name}: {statistics.median(rates):.0f} steps/s (min {min(rates):.0f}, max {max(rates):.0f}), 6 Hz steps"
        )


if __name__ == "__main__":
    main()
