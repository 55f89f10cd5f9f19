"""Demonstrations in memory: 30 Hz episodes read as 6 Hz observations with chunks of actions to imitate.

Every 30 Hz frame starts a 6 Hz sequence (all five phase offsets of the thinning are used). The action at frame
t is the target in force at the end of the period, relative to the pose measured at t, in the TCP frame.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from scipy.spatial.transform import Rotation

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX, TACTILE_VALUES
from vital_core.xarm7 import TCP_FRAME

DEMO_FORMAT = "vital_demo/1"
DEMO_RATE_HZ = 30.0
FRAMES_PER_ACTION = 5


@dataclass(frozen=True)
class Episode:
    """One demonstration at 30 Hz, T frames.

    image (T, 128, 128, 3) uint8; tactile_ut (T, 15) float32; t_base_tcp, t_base_tcp_target (T, 4, 4) float64;
    gripper (T,) float32. t_base_tcp_intended (T, 4, 4): where the demonstrator wanted the TCP one control period
    later, for demonstrators that can tell it from the noise of their hand; otherwise the commands speak.
    """

    path: Path
    image: NDArray[np.uint8]
    tactile_ut: NDArray[np.float32]
    t_base_tcp: NDArray[np.float64]
    t_base_tcp_target: NDArray[np.float64]
    gripper: NDArray[np.float32]
    t_base_tcp_intended: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Demonstrations:
    """All frames that begin an action, of all episodes, with their chunks.

    image (N, 128, 128, 3) uint8; tactile_ut (N, 15) float32; actions (N, chunk, 7) in m, rad; mask (N, chunk)
    bool, False where the episode has ended; episode (N,) index of the episode; sha256 of the files read.
    """

    image: NDArray[np.uint8]
    tactile_ut: NDArray[np.float32]
    actions: NDArray[np.float64]
    mask: NDArray[np.bool_]
    episode: NDArray[np.int64]
    sha256: str

    def __len__(self) -> int:
        return len(self.image)

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return int(self.episode.max()) + 1

    def subset(self, chosen: NDArray[np.bool_]) -> "Demonstrations":
        """The frames where ``chosen`` (N,) is True."""
        return Demonstrations(
            self.image[chosen],
            self.tactile_ut[chosen],
            self.actions[chosen],
            self.mask[chosen],
            self.episode[chosen],
            self.sha256,
        )


def _refuse(path: Path, what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_PARAMETER, f"demonstration {path}: {what}")


def _check_header(path: Path, header: dict[str, str], task: str) -> None:
    expected = {"format": DEMO_FORMAT, "task": task, "frame": TCP_FRAME}
    for name, value in expected.items():
        if header.get(name) != value:
            raise _refuse(path, f"{name} is '{header.get(name)}', expected '{value}'")
    try:
        rate_hz = float(header.get("rate_hz", "nan"))
    except ValueError:
        rate_hz = float("nan")
    if rate_hz != DEMO_RATE_HZ:
        raise _refuse(path, f"rate_hz is '{header.get('rate_hz')}', expected {DEMO_RATE_HZ:g}")


def _check_arrays(path: Path, arrays: dict[str, NDArray]) -> None:
    frames = len(arrays["image"])
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "image": ((frames, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), "uint8"),
        "tactile_ut": ((frames, TACTILE_VALUES), "float32"),
        "t_base_tcp": ((frames, 4, 4), "float64"),
        "t_base_tcp_target": ((frames, 4, 4), "float64"),
        "gripper": ((frames,), "float32"),
    }
    if "t_base_tcp_intended" in arrays:
        expected["t_base_tcp_intended"] = expected["t_base_tcp_target"]
    for name, (shape, dtype) in expected.items():
        got = arrays[name]
        if got.shape != shape or got.dtype != dtype:
            raise _refuse(path, f"{name} is {got.dtype} {got.shape}, expected {dtype} {shape}")
        if dtype != "uint8" and not np.isfinite(got).all():
            raise _refuse(path, f"{name} has {int((~np.isfinite(got)).sum())} values that are not finite")
    if frames < FRAMES_PER_ACTION:
        raise _refuse(path, f"{frames} frames, expected at least {FRAMES_PER_ACTION}")


def read_episode(path: Path, task: str) -> Episode:
    """Read and check one file. Raises VitalError(BAD_PARAMETER) naming what was got and what was expected."""
    names = ("image", "tactile_ut", "t_base_tcp", "t_base_tcp_target", "gripper")
    try:
        with safe_open(path, framework="np") as file:
            _check_header(path, file.metadata() or {}, task)
            if missing := sorted(set(names) - set(file.keys())):
                raise _refuse(path, f"has no {', '.join(missing)}")
            optional = sorted({"t_base_tcp_intended"} & set(file.keys()))
            arrays = {name: file.get_tensor(name) for name in (*names, *optional)}
    except (SafetensorError, OSError) as error:
        raise _refuse(path, f"cannot be read ({error}); record it again or remove it") from error
    _check_arrays(path, arrays)
    return Episode(path, **arrays)


def relative_vectors(t_a_b: NDArray[np.float64], t_a_c: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 6): pose of c in b as translation and rotation vector, from (N, 4, 4) poses of both in a."""
    r_b_a = t_a_b[:, :3, :3].transpose(0, 2, 1)
    translation = np.einsum("nij,nj->ni", r_b_a, t_a_c[:, :3, 3] - t_a_b[:, :3, 3])
    return np.concatenate([translation, Rotation.from_matrix(r_b_a @ t_a_c[:, :3, :3]).as_rotvec()], axis=1)


def frame_actions(episode: Episode) -> NDArray[np.float64]:
    """(T - 4, 7): the 6 Hz action that begins at each frame.

    The pose commanded at the period's end relative to the one measured at its start; where the demonstrator's
    intention is known, that in its place (noise injected into a demonstrator, Laskey et al. 2017).
    """
    last = FRAMES_PER_ACTION - 1
    if episode.t_base_tcp_intended is None:
        deltas = relative_vectors(episode.t_base_tcp[:-last], episode.t_base_tcp_target[last:])
    else:
        deltas = relative_vectors(episode.t_base_tcp[:-last], episode.t_base_tcp_intended[:-last])
    return np.concatenate([deltas, episode.gripper[last:, None]], axis=1)


def chunks_of(actions: NDArray[np.float64], chunk: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N, 7) actions by frame -> chunks (N, chunk, 7) of every fifth one, and their mask (N, chunk).

    Past the episode's end there is nothing to imitate: mask False, and the last action as a filler.
    """
    index = np.arange(len(actions))[:, None] + FRAMES_PER_ACTION * np.arange(chunk)
    mask = index < len(actions)
    return actions[np.minimum(index, len(actions) - 1)], mask


def _content_hash(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def load_demonstrations(folder: Path, task: str, chunk: int) -> Demonstrations:
    """Read every episode of ``folder``, in the order of their names.

    Raises VitalError(BAD_PARAMETER) when there is none or one of them does not keep the contract.
    """
    paths = sorted(Path(folder).glob("episode_*.safetensors"))
    if not paths:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"no demonstration episode_*.safetensors in {folder}: record some for '{task}' first",
        )
    parts = [_parts_of(read_episode(path, task), number, chunk) for number, path in enumerate(paths)]
    image, tactile_ut, actions, mask, episode = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Demonstrations(image, tactile_ut, actions, mask, episode, _content_hash(paths))


def _parts_of(episode: Episode, number: int, chunk: int) -> tuple[NDArray, ...]:
    actions, mask = chunks_of(frame_actions(episode), chunk)
    frames = len(actions)
    return episode.image[:frames], episode.tactile_ut[:frames], actions, mask, np.full(frames, number)
