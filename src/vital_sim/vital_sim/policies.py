"""Finds what is to be measured: other packages offer loaders as entry points, and the simulator imports none of them.

A loader is called with the path of a checkpoint and the task's name, and returns an `EvaluatedPolicy`.
"""

from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError
from vital_sim.evaluation import EvaluatedPolicy

GROUP = "vital.policies"
DEFAULT_LOADER = "local"


@dataclass(frozen=True)
class PolicySpec:
    """What to load and how: enough for another process to load it too. options: for the loader."""

    path: Path
    task: str
    loader: str = DEFAULT_LOADER
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's file: the path itself, or the task's file in that folder."""
        return self.path / f"{self.task}.safetensors" if self.path.is_dir() else self.path

    def load(self) -> EvaluatedPolicy:
        """Raises VitalError: BAD_PARAMETER for an unknown loader, and what the loader refuses."""
        found = {entry.name: entry for entry in entry_points(group=GROUP)}
        if self.loader not in found:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"there is no loader '{self.loader}', expected one of {', '.join(sorted(found)) or 'none installed'}: "
                "build the workspace with './vital setup'",
            )
        policy: EvaluatedPolicy = found[self.loader].load()(self.checkpoint, self.task, **dict(self.options))
        return policy
