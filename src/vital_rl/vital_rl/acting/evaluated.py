"""The local policy as `ros2 run vital_sim evaluate` measures it: many episodes on one network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vital_core.arm.arm_pace import ArmPace
from vital_core.observation import Action, Observation
from vital_core.task import WINDOW, load_task
from vital_policy.ensemble import TemporalEnsemble
from vital_policy.inference import LocalPolicy
from vital_policy.model_card import write_model_card
from vital_policy.runtime.choice import AUTO
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.residual.residual import load_residual, residual_identity
from vital_rl.residual.residual_card import write_residual_card


@dataclass
class Memory:
    """Of an episode."""

    ensemble: TemporalEnsemble
    pace: ArmPace = field(default_factory=ArmPace)
    gripper: float = 1.0
    """As it was sent last."""


class EvaluatedLocalPolicy:
    """One network and a memory an episode; the same code path as on the robot."""

    def __init__(self, path: Path, policy: ResidualPolicy, residual: Path | None = None) -> None:
        self._path, self._policy, self._residual = path, policy, residual

    def begin(self) -> Memory:
        """The memory of a new episode."""
        return Memory(TemporalEnsemble(self._policy.base.ensemble_decay))

    def act(self, observations: Sequence[Observation], memories: Sequence[Memory]) -> list[Action]:
        """One action for each observation; none to move where the arm has still to do the last one."""
        actions = [Action.still(memory.gripper) for memory in memories]
        going = [
            i
            for i, (seen, memory) in enumerate(zip(observations, memories, strict=True))
            if not self._policy.waits_for_arm or memory.pace.ready(seen.t_base_tcp)
        ]
        if not going:
            return actions
        seen, theirs = [observations[i] for i in going], [memories[i] for i in going]
        for i, action in zip(going, self._answers(seen, theirs), strict=True):
            actions[i], memories[i].gripper = action, action.gripper
            memories[i].pace.sent(action)
        return actions

    def _answers(self, observations: Sequence[Observation], memories: Sequence[Memory]) -> list[Action]:
        image = np.stack([seen.image for seen in observations])
        tactile = np.stack([seen.tactile_ut for seen in observations])
        if self._policy.residual is not None:
            tactile = self._policy.residual.felt_by_base(tactile)
        chunks, z = self._policy.base.predict(image, tactile)
        actions = np.stack([memory.ensemble.step(chunk) for memory, chunk in zip(memories, chunks, strict=True)])
        return [tick.action for tick in self._policy.add_residual(actions, z)]

    def describe(self) -> dict[str, Any]:
        """What the report says of it."""
        checkpoint, residual = self._policy.checkpoint, self._policy.residual
        added = {}
        if residual is not None and self._residual is not None:
            added = {"residual_sha256": residual_identity(self._residual), "residual_steps": residual.steps}
        return {
            "file": self._path.name,
            "sha256": checkpoint.sha256,
            "method": self._method,
            **added,
            "touch": checkpoint.policy.config.touch and (residual is None or residual.settings.base_touch),
            "parameters": checkpoint.policy.parameter_count(),
            "steps": checkpoint.provenance.steps,
            "demonstrations": checkpoint.provenance.demonstrations,
            "ensemble_decay": self._policy.base.ensemble_decay,
            "runtime": self._policy.base.runtime,
            "wrist_view": checkpoint.wrist_view,
        }

    @property
    def _method(self) -> str:
        """By which tables know it: a residual without a base policy is RLPD's."""
        residual = self._policy.residual
        if residual is None:
            return self._policy.checkpoint.provenance.method
        return "vital" if residual.settings.base else "rlpd"

    def write_card(self, report: dict[str, Any]) -> None:
        """Put what was measured into the card of what was measured: the checkpoint's, or the residual's."""
        if self._residual is None:
            write_model_card(self._path, report)
        else:
            write_residual_card(self._residual, self._policy.checkpoint, report)


def load(
    path: Path,
    task: str,
    ensemble_decay: float | None = None,
    residual: str | None = None,
    runtime: str = AUTO,
    wrist_view: str = WINDOW,
) -> EvaluatedLocalPolicy:
    """Raises VitalError as `LocalPolicy.load` and `load_residual` do: for another task, rate, frame, network or no file
    at all."""
    rate_hz = load_task(task).control_rate_hz
    base = LocalPolicy.load(
        path, task=task, rate_hz=rate_hz, runtime=runtime, wrist_view=wrist_view, ensemble_decay=ensemble_decay
    )
    policy = ResidualPolicy(base)
    if residual is None:
        return EvaluatedLocalPolicy(path, policy)
    policy.residual = load_residual(Path(residual), policy.checkpoint)
    return EvaluatedLocalPolicy(path, policy, Path(residual))
