"""What a failed trial looked like: the wrist image beside the view from outside, run again from its seed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, SupportsFloat

import cv2
import gymnasium
import numpy as np
from numpy.typing import NDArray

from vital_core.files.video import write_video
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.evaluation.evaluation import Cell, EvaluatedPolicy, Trial, run_trials
from vital_sim.evaluation.workers import make_env

HEIGHT_PX = 384
RATE_HZ = 6


class _Watched(gymnasium.Wrapper):
    """Keeps an image of every step."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self._world = env.unwrapped.world  # type: ignore[attr-defined]
        self._outside = SceneCamera(self._world.model)
        self.frames: list[NDArray[np.uint8]] = []

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        result = super().step(action)
        self.frames.append(self._image_of(result[-1]))
        return result

    def _image_of(self, info: dict[str, Any]) -> NDArray[np.uint8]:
        outside = self._outside.render_colour(self._world.data)
        width = round(outside.shape[1] * HEIGHT_PX / outside.shape[0])
        parts = [
            cv2.resize(self.render(), (HEIGHT_PX, HEIGHT_PX), interpolation=cv2.INTER_NEAREST),  # type: ignore
            cv2.resize(outside, (width, HEIGHT_PX)),
        ]
        image = np.concatenate(parts, axis=1).astype(np.uint8)
        text = f"{info['time_s']:4.1f} s  {info['contact_force_n']:4.1f} N  {info['outcome']}"
        cv2.putText(image, text, (8, HEIGHT_PX - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
        return image

    def close(self) -> None:
        self._outside.close()
        super().close()


def film_failures(folder: Path, cell: Cell, policy: EvaluatedPolicy, failed: list[Trial]) -> Iterator[Path]:
    """Run each failed trial of a cell again and write `<cell>_<seed>_<failure>.mp4` into ``folder``."""
    env = _Watched(make_env(cell.task, cell.setting, cell.start, cell.wrist_view, cell.perturbation))
    for trial in failed:
        env.frames = []
        again = next(run_trials([env], policy, [trial.seed]))
        path = folder / f"{cell.name}_{trial.seed}_{again.failure or 'success'}.mp4"
        write_video(path, env.frames, RATE_HZ)
        yield path
    env.close()
