"""What the frozen encoders see, for several augmented variants of every image, computed once and kept on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save

from vital_augment.compositing import BackgroundBank
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, weight_file
from vital_core.files.schema import Source
from vital_policy.checkpoint import Checkpoint
from vital_policy.network.augmentation import Augmentation, augment, to_network

BATCH = 64
BACKGROUNDS, BANK_SEED = 128, 0  # of each there are 24, mirrored, turned and with the colours changed round
Backgrounds = tuple[BackgroundBank, NDArray[np.uint8]]


@torch.inference_mode()
def variants_of(
    checkpoint: Checkpoint,
    image: NDArray[np.uint8],
    tactile_ut: NDArray[np.floating],
    variants: int,
    seed: int,
    augmentation: Augmentation | None = None,
    backgrounds: Backgrounds | None = None,
    between: Callable[[], None] = lambda: None,
) -> NDArray[np.float16]:
    """(T, 128, 128, 3) uint8 and (T, 15) µT -> (T, variants, D); the first variant is the image as it is.

    The others are cropped and jittered as in behaviour cloning, and some of them stand before other ``backgrounds``: a
    bank, and the images' foreground (T, 128, 16). They follow from ``seed``. between: called after every part of the
    work, of a second at most; what it raises ends it.
    """
    augmentation = augmentation or Augmentation()
    generator = torch.Generator().manual_seed(seed)
    images = torch.from_numpy(np.ascontiguousarray(image))
    tactile = torch.from_numpy(checkpoint.normaliser.normalise_tactile(tactile_ut))
    features = np.empty((len(image), variants, checkpoint.feature_size), np.float16)
    for begin in range(0, len(image), BATCH):
        part = slice(begin, begin + BATCH)
        for v in range(variants):
            if v == 0:
                seen = to_network(images[part])
            else:
                seen = augment(_with_background(backgrounds, images, part, generator), augmentation, generator)
            features[part, v] = checkpoint.policy.encode(seen, tactile[part]).joined().half().numpy()
            between()
    return features


def _with_background(
    backgrounds: Backgrounds | None, images: torch.Tensor, part: slice, generator: torch.Generator
) -> torch.Tensor:
    if backgrounds is None:
        return images[part]
    bank, foreground = backgrounds
    return bank.apply(images[part], torch.from_numpy(foreground[part]), generator)


class FeatureCache:
    """`variants_of`, remembered in a folder by base policy, seed and name; what is torn there is computed again.

    background_share: of the variants whose foreground is known, before another background; 0 for none. between: as in
    `variants_of`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        variants: int,
        folder: Path | None = None,
        background_share: float = 0.0,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.checkpoint, self._variants, self._between = checkpoint, variants, between
        self._bank: BackgroundBank | None = None
        if background_share > 0.0 and variants > 1:
            self._bank = BackgroundBank.generated(BACKGROUNDS, background_share, BANK_SEED)
        kind = f"{checkpoint.sha256[:16]}_{variants}_{background_share:g}"
        self._folder = None if folder is None else folder / kind

    def get(
        self,
        name: str,
        image: NDArray[np.uint8],
        tactile_ut: NDArray[np.floating],
        seed: int,
        foreground: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.float16]:
        """(T, variants, D) of what is called ``name`` with this seed; foreground (T, 128, 16), where it is known."""
        path = None if self._folder is None else self._folder / f"{name}_{seed}.safetensors"
        if path is not None and (kept := _read(path)) is not None and len(kept) == len(image):
            return kept
        backgrounds = None if self._bank is None or foreground is None else (self._bank, foreground)
        features = variants_of(
            self.checkpoint, image, tactile_ut, self._variants, seed, backgrounds=backgrounds, between=self._between
        )
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            safe_file.write_bytes(path, save({"features": features}))
        return features


def _read(path: Path) -> NDArray[np.float16] | None:
    """What was kept, None where there is nothing that can be read: it is made again then."""
    source = Source(f"features {path}", ErrorCode.BAD_DATASET, "delete it")
    try:
        data = weight_file.read_file(path, source)
        entry = weight_file.parse_header(data, source).tensors.get("features")
    except VitalError:
        return None
    if entry is None or entry.dtype != "F16" or len(entry.shape) != 3:
        return None
    found: NDArray[np.float16] = load(data)["features"]
    return found
