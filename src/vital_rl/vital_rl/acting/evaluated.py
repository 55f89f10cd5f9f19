"""The local policy as `ros2 run vital_sim evaluate` measures it: many episodes on one network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vital_core.observation import Action, Observation
from vital_core.task import WINDOW, load_task
from vital_policy.ensemble import TemporalEnsemble
from vital_policy.inference import LocalPolicy
from vital_policy.model_card import write_model_card
from vital_policy.runtime.choice import AUTO
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.residual.residual import load_residual, residual_identity
from vital_rl.residual.residual_card import write_residual_card


class EvaluatedLocalPolicy:
    """One network and an ensemble an episode; the same code path as on the robot."""

    def __init__(self, path: Path, policy: ResidualPolicy, residual: Path | None = None) -> None:
        self._path, self._policy, self._residual = path, policy, residual

    def begin(self) -> TemporalEnsemble:
        """The memory of a new episode."""
        return TemporalEnsemble(self._policy.base.ensemble_decay)

    def act(self, observations: Sequence[Observation], memories: Sequence[TemporalEnsemble]) -> list[Action]:
        """One action for each observation."""
        image = np.stack([seen.image for seen in observations])
        tactile = np.stack([seen.tactile_ut for seen in observations])
        if self._policy.residual is not None:
            tactile = self._policy.residual.felt_by_base(tactile)
        chunks, z = self._policy.base.predict(image, tactile)
        actions = np.stack([memory.step(chunk) for memory, chunk in zip(memories, chunks, strict=True)])
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
