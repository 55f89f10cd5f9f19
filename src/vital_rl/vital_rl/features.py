"""What the frozen encoders see, for several augmented variants of every picture, computed once and kept on disk."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from vital_core import safe_file
from vital_policy.augmentation import Augmentation, augment, to_network
from vital_policy.checkpoint import Checkpoint
from vital_policy.residual import feature_size

BATCH = 64


@torch.inference_mode()
def variants_of(
    checkpoint: Checkpoint,
    image: NDArray[np.uint8],
    tactile_ut: NDArray[np.floating],
    variants: int,
    seed: int,
    augmentation: Augmentation | None = None,
) -> NDArray[np.float16]:
    """(T, 128, 128, 3) uint8 and (T, 15) µT -> (T, variants, D); the first variant is the picture as it is.

    The others are cropped and jittered as in behaviour cloning; they follow from ``seed``.
    """
    augmentation = augmentation or Augmentation()
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.from_numpy(np.ascontiguousarray(image))
    tactile = torch.from_numpy(checkpoint.normaliser.normalise_tactile(tactile_ut))
    features = np.empty((len(image), variants, feature_size(checkpoint)), np.float16)
    for begin in range(0, len(image), BATCH):
        part = slice(begin, begin + BATCH)
        for v in range(variants):
            seen = augment(pictures[part], augmentation, generator) if v else to_network(pictures[part])
            features[part, v] = checkpoint.policy.encode(seen, tactile[part]).joined().half().numpy()
    return features


class FeatureCache:
    """`variants_of`, remembered in a folder by base policy, seed and name; what is torn there is computed again."""

    def __init__(self, checkpoint: Checkpoint, variants: int, folder: Path | None = None) -> None:
        self._checkpoint, self._variants = checkpoint, variants
        self._folder = None if folder is None else folder / f"{checkpoint.sha256[:16]}_{variants}"

    def get(
        self, name: str, image: NDArray[np.uint8], tactile_ut: NDArray[np.floating], seed: int
    ) -> NDArray[np.float16]:
        """(T, variants, D) of what is called ``name`` with this seed."""
        path = None if self._folder is None else self._folder / f"{name}_{seed}.safetensors"
        if path is not None and (kept := _read(path)) is not None and len(kept) == len(image):
            return kept
        features = variants_of(self._checkpoint, image, tactile_ut, self._variants, seed)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            safe_file.write_bytes(path, save({"features": features}))
        return features


def _read(path: Path) -> NDArray[np.float16] | None:
    try:
        found: NDArray[np.float16] = load_file(path)["features"]
        return found
    except (OSError, SafetensorError, KeyError):
        return None
