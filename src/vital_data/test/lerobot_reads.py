"""Run by lerobot's own Python: reads a data set with lerobot and writes what it saw, for the test to compare.

python lerobot_reads.py <data set> <out.npz>
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.utils import dataset_to_policy_features


def main() -> None:
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    period_s = 1.0 / 30.0
    dataset = LeRobotDataset(
        "vital/check", root=root, video_backend="pyav", delta_timestamps={"action": [0.0, period_s, 2 * period_s]}
    )
    chosen = sorted({0, 1, len(dataset) // 2, len(dataset) - 1})
    items = [dataset[i] for i in chosen]
    names = [name for name, value in items[0].items() if hasattr(value, "numpy")]
    arrays = {name: np.stack([item[name].numpy() for item in items]) for name in names}
    policy = dataset_to_policy_features(dataset.meta.features)
    said = {
        "version": version("lerobot"),
        "episodes": dataset.num_episodes,
        "frames": len(dataset),
        "fps": dataset.fps,
        "chosen": chosen,
        "tasks": [item["task"] for item in items],
        "statistics": sorted(dataset.meta.stats),
        "policy_features": {name: [feature.type.name, list(feature.shape)] for name, feature in policy.items()},
    }
    np.savez(out, said=np.array(json.dumps(said)), **arrays)


if __name__ == "__main__":
    main()
