"""Finds what is to be measured: other packages offer loaders as entry points, and the simulator imports none of them.

A loader is called with the path of a checkpoint and the task's name, and returns an `EvaluatedPolicy`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from vital_core.errors import ErrorCode, VitalError
from vital_sim.evaluation.evaluation import EvaluatedPolicy

GROUP = "vital.policies"
DEFAULT_LOADER = "local"


@dataclass(frozen=True)
class PolicySpec:
    """What to load and how: enough for another process to load it too."""

    path: Path
    """A checkpoint, or a folder with one of the task's name."""
    task: str
    """What it is to do."""
    loader: str = DEFAULT_LOADER
    """Entry point, or `module:function`."""
    options: tuple[tuple[str, Any], ...] = ()
    """For the loader."""

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's file: the path itself, or the task's file in that folder."""
        return self.path / f"{self.task}.safetensors" if self.path.is_dir() else self.path

    def load(self) -> EvaluatedPolicy:
        """Raises VitalError: BAD_PARAMETER for an unknown loader, and what the loader refuses."""
        policy: EvaluatedPolicy = _loader(self.loader)(self.checkpoint, self.task, **dict(self.options))
        return policy


def _loader(name: str) -> Callable[..., EvaluatedPolicy]:
    """An entry point by its name, or any function as `module:function`."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found and ":" in name:
        found[name] = EntryPoint(name, name, GROUP)
    if name not in found:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"there is no loader '{name}', expected one of {', '.join(sorted(found)) or 'none installed'}, or "
            "module:function: build the workspace with './vital setup'",
        )
    try:
        return cast("Callable[..., EvaluatedPolicy]", found[name].load())
    except (ImportError, AttributeError) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"loader '{name}' cannot be imported ({error})") from error
