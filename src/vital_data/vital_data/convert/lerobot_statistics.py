"""The statistics that LeRobot keeps of every feature, per episode and over the whole data set."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
VIDEO_FRAMES = 100


def column_statistics(values: NDArray) -> dict[str, list]:
    """Of (T, n) values: min, max, mean, std and quantiles (n,), and the count (1,)."""
    v = values.astype(np.float64).reshape(len(values), -1)
    result = {"min": v.min(0), "max": v.max(0), "mean": v.mean(0), "std": v.std(0)}
    result |= {name: np.quantile(v, q, axis=0) for name, q in QUANTILES.items()}
    return {name: value.tolist() for name, value in result.items()} | {"count": [len(values)]}


def video_statistics(images: NDArray[np.uint8]) -> dict[str, list]:
    """Of (T, H, W, 3) images, as LeRobot has them: per channel (3, 1, 1), in [0, 1], over a sample of frames."""
    chosen = images[np.linspace(0, len(images) - 1, min(len(images), VIDEO_FRAMES)).astype(int)]
    flat = column_statistics(chosen[:, ::2, ::2].reshape(-1, 3))
    scaled: dict[str, list] = {
        name: [[[channel / 255.0]] for channel in value] for name, value in flat.items() if name != "count"
    }
    return scaled | {"count": [len(chosen)]}


def flatten(statistics: dict[str, dict[str, list]]) -> dict[str, Any]:
    """Columns of the episodes' table: `stats/<feature>/<statistic>`."""
    return {f"stats/{feature}/{name}": v for feature, of in statistics.items() for name, v in of.items()}
