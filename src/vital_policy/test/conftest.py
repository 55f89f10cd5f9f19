"""Small demonstrations and checkpoints, made on the spot."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.utils import cpp_extension

from vital_core import pose as pose_of
from vital_data.dataset.normalisation import Normaliser
from vital_policy.checkpoint import Checkpoint, Provenance, save_checkpoint
from vital_policy.network.policy import Policy, PolicyConfig
from vital_policy.network.transformer import TransformerConfig

TINY = PolicyConfig(keypoints=8, transformer=TransformerConfig(layers=1, heads=2, width=16, dropout=0.1))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Exported graphs of the tests' checkpoints leave the user's own alone; compiled kernels stay where they are."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_EXTENSIONS_DIR", cpp_extension.get_default_build_root())
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_config() -> PolicyConfig:
    return TINY


def demonstration(frames: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A descent of 1 mm a frame with a slow turn; the target is the next frame's pose."""
    rng = np.random.default_rng(seed)
    poses = np.stack([pose_of.point_down((0.45, 0.002 * seed, 0.2 - 0.001 * k), 0.002 * k) for k in range(frames + 1)])
    return {
        "image": rng.integers(0, 256, (frames, 128, 128, 3), dtype=np.uint8),
        "tactile_ut": rng.normal(0, 20, (frames, 15)).astype(np.float32),
        "t_base_tcp": poses[:-1],
        "t_base_tcp_target": poses[1:],
        "gripper": np.ones(frames, np.float32),
    }


HEADER = {
    "format": "vital_demo/1", "task": "usb_insertion", "frame": "link_tcp", "rate_hz": "30",
    "seed": "0", "success": "true",
}  # fmt: skip


@pytest.fixture
def write_demo():
    """Function that writes one demonstration file, with arrays and header fields changed as wanted."""

    def write(
        folder: Path, number: int = 0, frames: int = 30, header: dict | None = None, **arrays: np.ndarray
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"episode_{number:04d}.safetensors"
        save_file({**demonstration(frames, number), **arrays}, path, {**HEADER, **(header or {})})
        return path

    return write


def make_checkpoint(path: Path, config: PolicyConfig = TINY, task: str = "usb_insertion") -> Path:
    torch.manual_seed(0)
    normaliser = Normaliser(
        np.array([0.0] * 6 + [1.0]), np.array([0.005] * 3 + [0.02] * 3 + [0.05]), np.full(15, 100.0)
    )
    provenance = Provenance("ros2 run vital_policy train_bc --task usb_insertion", "abc", 7, 123, 32, "d" * 64)
    save_checkpoint(path, Checkpoint(task, Policy(config), normaliser, 6.0, provenance))
    return path


@pytest.fixture
def checkpoint_path(tmp_path: Path) -> Path:
    """A tiny untrained checkpoint for usb_insertion."""
    return make_checkpoint(tmp_path / "usb_insertion.safetensors")


@pytest.fixture(scope="session")
def new_checkpoint():
    """`make_checkpoint`, for a checkpoint of another kind."""
    return make_checkpoint
