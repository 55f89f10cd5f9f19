"""Tasks: one YAML file each in `vital_core/tasks/`, read into a frozen dataclass."""

import difflib
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

import yaml

from vital_core.errors import ErrorCode, VitalError

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Task:
    """What one skill is. Lengths in m, angles in rad, times in s, field in µT, positions in `link_base`.

    prompt: the sentence that names the skill. target: the thing that the pointing model looks for.
    held_object: what the gripper holds at the start. tip_offset_m: from TCP to the held object's tip along
    the TCP's z. start_region_m: full extent (x, y, z) of the box of start positions, centred hover_height_m
    above the target (tip to target). workspace_lower_m / _upper_m: box in which the TCP may move.
    max_step_m / _rad: largest commanded move in one control period. tactile_limit_ut: largest field change
    of one magnetometer before the gate stops. control_rate_hz: policy rate. episode_s: time limit.
    success_depth_m, success_lateral_m: simulation's success test, insertion depth of the tip and lateral error.
    demonstrations: how many the policy is trained on.
    """

    name: str
    prompt: str
    target: str
    held_object: str
    tip_offset_m: float
    start_region_m: Vector
    hover_height_m: float
    workspace_lower_m: Vector
    workspace_upper_m: Vector
    max_step_m: float
    max_step_rad: float
    tactile_limit_ut: float
    control_rate_hz: float
    episode_s: float
    success_depth_m: float
    success_lateral_m: float
    demonstrations: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not value > 0.0:
                raise VitalError(
                    ErrorCode.BAD_PARAMETER,
                    f"task {self.name}: {field.name} is {value}, expected more than 0",
                )
        for name in ("start_region_m", "workspace_lower_m", "workspace_upper_m"):
            if len(getattr(self, name)) != 3:
                raise VitalError(ErrorCode.BAD_PARAMETER, f"task {self.name}: {name} needs three values")
        if not all(lo < up for lo, up in zip(self.workspace_lower_m, self.workspace_upper_m, strict=True)):
            raise VitalError(ErrorCode.BAD_PARAMETER, f"task {self.name}: the workspace box is empty")

    @property
    def period_s(self) -> float:
        """Control period of the policy."""
        return 1.0 / self.control_rate_hz

    @property
    def hover_tcp_height_m(self) -> float:
        """Height of the TCP above the target at the centre of the start region."""
        return self.hover_height_m + self.tip_offset_m


def task_names() -> list[str]:
    """Names of all tasks, sorted."""
    files = resources.files("vital_core").joinpath("tasks").iterdir()
    return sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml"))


def load_task(name: str) -> Task:
    """Read a task by name. Raises VitalError(UNKNOWN_TASK) with the nearest names when there is none."""
    names = task_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise VitalError(
            ErrorCode.UNKNOWN_TASK, f"there is no task '{name}', expected one of {', '.join(names)}.{hint}"
        )
    text = resources.files("vital_core").joinpath(f"tasks/{name}.yaml").read_text()
    return parse_task(name, yaml.safe_load(text))


def parse_task(name: str, values: dict[str, Any]) -> Task:
    """A Task from the YAML file's mapping; unknown and missing keys are refused by name."""
    expected = {f.name for f in fields(Task)} - {"name"}
    if set(values) != expected:
        missing, unknown = sorted(expected - set(values)), sorted(set(values) - expected)
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"task file {name}: missing {missing or 'nothing'}, unknown {unknown or 'nothing'}",
        )
    fields_of: dict[str, Any] = {k: tuple(map(float, v)) if isinstance(v, list) else v for k, v in values.items()}
    return Task(name=name, **fields_of)
