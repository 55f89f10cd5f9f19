"""Run by lerobot's own Python: writes a data set with lerobot, for the test to read.

python lerobot_writes.py <info.json that names the features> <arrays.npz> <data set>
"""

import json
import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

OWN = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def main() -> None:
    info, arrays = json.loads(Path(sys.argv[1]).read_text()), np.load(sys.argv[2])
    features = {name: {**entry, "shape": tuple(entry["shape"])} for name, entry in info["features"].items()}
    features = {name: entry for name, entry in features.items() if name not in OWN}
    dataset = LeRobotDataset.create(
        "vital/check", fps=info["fps"], features=features, root=Path(sys.argv[3]), robot_type="xarm7", vcodec="h264"
    )
    for episode in range(int(arrays["episodes"])):
        columns = {name: arrays[f"{episode}/{name}"] for name in features}
        for row in range(len(columns["action"])):
            dataset.add_frame({**{name: values[row] for name, values in columns.items()}, "task": "Insert the plug."})
        dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    main()
