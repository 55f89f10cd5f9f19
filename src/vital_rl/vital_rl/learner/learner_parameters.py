"""What the learner node is started with."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_policy.checkpoint import Checkpoint, load_checkpoint
from vital_policy.shipped import checkpoint_folder
from vital_rl.learner.learning import LearningConfig, configure

LAUNCHED = ("steps", "updates_per_step", "batch", "seed", "dense", "first_reach", "reach_steps", "residual_cost")
"""What the launch file hands on."""
LAUNCHED_AS = {"seed": "run_seed"}


@dataclass(frozen=True)
class LearnerParameters:
    """The learner node's parameters."""

    task: Annotated[str, Meta(description="the skill")] = "usb_insertion"
    checkpoint: Annotated[str, Meta(description="the frozen base policy; empty: the shipped one")] = ""
    folder: Annotated[str, Meta(description="of the learner's state and result")] = ""
    demos: Annotated[tuple[str, ...], Meta(description="sessions of demonstrations as prior data")] = ("",)
    steps: Annotated[int, Meta(ge=1, le=10**9, description="environment steps to have room for")] = 16_000
    updates_per_step: Annotated[int, Meta(ge=1, le=1000, description="updates for every environment step")] = 16
    batch: Annotated[
        int, Meta(ge=1, le=65_536, description="transitions in a minibatch; the paper's 256 take twice the time")
    ] = 128
    variants: Annotated[int, Meta(ge=1, le=64, description="augmented variants of each image")] = 4
    background_share: Annotated[
        float, Meta(ge=0.0, le=1.0, description="of the variants before another background")
    ] = 0.75
    seed: Annotated[int, Meta(ge=0, le=2**53, description="of networks, minibatches and exploration")] = 0
    dense: Annotated[bool, Meta(description="reward the distance to where the TCP is to end, too")] = False
    first_reach: Annotated[
        float, Meta(ge=0.01, le=1.0, description="largest residual at the first step, in shares of its scale")
    ] = 1.0
    reach_steps: Annotated[int, Meta(ge=1, le=10**9, description="environment steps until it is the whole scale")] = 1
    residual_cost: Annotated[
        float, Meta(ge=0.0, le=100.0, description="of the squares of what is added, where a success is worth 1")
    ] = 0.0
    threads: Annotated[
        int, Meta(ge=0, le=1024, description="of the updates; 0: a quarter of the cores, the rest is the robot's")
    ] = 0
    publish_every: Annotated[int, Meta(ge=1, le=1_000_000, description="updates between two sets of weights")] = 100
    save_every_s: Annotated[float, Meta(ge=0.1, le=3600.0, description="between two states on disk, s")] = 20.0

    def folder_path(self) -> Path:
        """The learner's folder. Raises VitalError(BAD_PARAMETER) where none is given."""
        if self.folder in ("", "."):
            raise VitalError(ErrorCode.BAD_PARAMETER, "the parameter folder is empty: say where the state is kept")
        return Path(self.folder)

    def load_checkpoint(self) -> Checkpoint:
        """The base policy. Raises VitalError."""
        task = load_task(self.task)
        path = Path(self.checkpoint) if self.checkpoint else checkpoint_folder() / f"{task.name}.safetensors"
        return load_checkpoint(path, task=task.name, rate_hz=task.control_rate_hz)

    def configure(self, features: int) -> LearningConfig:
        """The settings of the run, for a base policy of so many features. Raises VitalError(BAD_PARAMETER)."""
        return configure(
            features,
            steps=self.steps,
            updates_per_step=self.updates_per_step,
            batch=self.batch,
            variants=self.variants,
            seed=self.seed,
            dense=self.dense,
            background_share=self.background_share,
            first_reach=self.first_reach,
            reach_steps=self.reach_steps,
            residual_cost=self.residual_cost,
        )

    @property
    def launched(self) -> str:
        """The launch that teaches so, as a card tells it: what is not as by default, folders by name alone."""
        usual, given = asdict(LearnerParameters(task=self.task)), asdict(self)
        told = {LAUNCHED_AS.get(name, name): given[name] for name in LAUNCHED if given[name] != usual[name]}
        words = [f"{name}:={str(value).lower() if isinstance(value, bool) else value}" for name, value in told.items()]
        words += [f"demos:={demo.name}" for demo in self.sessions]
        return " ".join(["ros2 launch vital_bringup residual_training.launch.py", f"task:={self.task}", *words])

    @property
    def sessions(self) -> list[Path]:
        """Folders of demonstrations."""
        return [Path(demo) for demo in self.demos if demo]

    @property
    def learning_threads(self) -> int:
        """Threads of the updates."""
        return self.threads or max(1, (os.cpu_count() or 1) // 4)
