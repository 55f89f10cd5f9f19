"""What the policy node is started with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from vital_core.task import WINDOW, Task, WristView, load_task
from vital_policy.inference import LocalPolicy
from vital_policy.runtime.choice import AUTO, RUNTIMES
from vital_policy.shipped import checkpoint_folder
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.residual.residual import load_residual

NONE = "none"


@dataclass(frozen=True)
class PolicyParameters:
    """The policy node's parameters."""

    task: Annotated[str, Meta(description="the skill to load")] = "usb_insertion"
    checkpoint_dir: Annotated[
        str, Meta(description="folder of <task>.safetensors; auto: the checkpoints shipped with vital_policy")
    ] = AUTO
    residual: Annotated[
        str, Meta(description="weights of a residual; auto: <task>_residual.safetensors if there is one; none")
    ] = AUTO
    max_age_s: Annotated[float, Meta(ge=0.02, le=2.0, description="oldest reading to act on, s")] = 0.25
    give_up_after_s: Annotated[
        float, Meta(ge=0.1, le=60.0, description="how long no observation may be fit to act on, s")
    ] = 1.0
    runtime: Annotated[
        str, Meta(description=f"what computes the network: {', '.join(RUNTIMES)} (the faster one that can be used)")
    ] = AUTO
    wrist_view: Annotated[WristView, Meta(description="what the wrist image shows; a policy of another is refused")] = (
        WINDOW
    )
    learn: Annotated[
        bool, Meta(description="be ready to learn: take a learner's weights, and append to the replay")
    ] = False

    def load_task(self) -> Task:
        """The task. Raises VitalError(UNKNOWN_TASK)."""
        return load_task(self.task)

    def load_policy(self) -> ResidualPolicy:
        """The base policy with its residual. Raises VitalError as `LocalPolicy.load` and `load_residual` do."""
        rate_hz = self.load_task().control_rate_hz
        base = LocalPolicy.load(
            self.checkpoint_path,
            task=self.task,
            rate_hz=rate_hz,
            wrist_view=self.wrist_view,
            runtime=self.runtime,
        )
        path = self.residual_path
        return ResidualPolicy(base, None if path is None else load_residual(path, base.checkpoint))

    @property
    def checkpoint_path(self) -> Path:
        """The base policy's file."""
        return self._folder / f"{self.task}.safetensors"

    @property
    def residual_path(self) -> Path | None:
        """The residual's file; None for none."""
        if self.residual == AUTO:
            beside = self._folder / f"{self.task}_residual.safetensors"
            return beside if beside.is_file() else None
        return None if self.residual in ("", NONE) else Path(self.residual)

    @property
    def _folder(self) -> Path:
        return checkpoint_folder() if self.checkpoint_dir == AUTO else Path(self.checkpoint_dir)
