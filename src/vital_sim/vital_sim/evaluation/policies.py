"""Finds what is to be measured: other packages offer loaders as entry points, and the simulator imports none of them.

A loader of a policy (group `vital.policies`) is called with the path of a checkpoint and the task's name, and returns
an `EvaluatedPolicy`; one of a locator (group `vital.locators`) with the task's name, and returns a `Locator`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from vital_core.errors import ErrorCode, VitalError
from vital_sim.evaluation.evaluation import EvaluatedPolicy
from vital_sim.gym.scene_look import Locator

GROUP, LOCATORS = "vital.policies", "vital.locators"
DEFAULT_LOADER = "local"
DEFAULT_LOCATOR = "reach"


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
        policy: EvaluatedPolicy = _loader(self.loader, GROUP)(self.checkpoint, self.task, **dict(self.options))
        return policy


def load_locator(name: str, task: str) -> Locator:
    """What locates a task's target. Raises VitalError: BAD_PARAMETER for an unknown one, and what it refuses."""
    return cast("Locator", _loader(name, LOCATORS)(task))


def _loader(name: str, group: str) -> Callable[..., Any]:
    """An entry point by its name, or any function as `module:function`."""
    found = {entry.name: entry for entry in entry_points(group=group)}
    if name not in found and ":" in name:
        found[name] = EntryPoint(name, name, group)
    if name not in found:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"there is no loader '{name}', expected one of {', '.join(sorted(found)) or 'none installed'}, or "
            "module:function: build the workspace with './vital setup'",
        )
    try:
        return cast("Callable[..., Any]", found[name].load())
    except (ImportError, AttributeError) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"loader '{name}' cannot be imported ({error})") from error
