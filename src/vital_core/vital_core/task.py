"""Tasks: one YAML file each in `vital_core/tasks/`, read into a frozen dataclass."""

import difflib
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

import yaml

from vital_core.errors import ErrorCode, VitalError

Vector = tuple[float, ...]
SKILLS = ("insert", "swipe", "pick")
MAY_BE_ZERO = ("tip_offset_m", "tip_forward_m", "success_travel_m")
MAY_BE_NEGATIVE = ("wrist_tilt_rad",)


@dataclass(frozen=True)
class Task:
    """What one skill is. Lengths in m, angles in rad, times in s, field in µT, positions in `link_base`.

    skill: insert (push the held object into the target), swipe (draw it through) or pick (grasp the target and
    lift it). prompt: the sentence that names the skill. target: the thing that the pointing model looks for.
    held_object: what the gripper holds at the start, or is to hold. tip_offset_m, tip_forward_m: from TCP to the
    held object's tip along the TCP's z and x, 0 for an empty gripper. wrist_tilt_rad: angle from the TCP's z,
    towards -x, to the middle of the wrist image; wrist_window_rad: angle that the image spans. start_offset_m:
    centre of the box of start positions, tip relative to target, in the target's frame (z up); start_region_m: its
    full extent (x, y, z).
    workspace_lower_m / _upper_m: box in which the TCP may move.
    max_step_m / _rad: largest commanded move in one control period. tactile_limit_ut: largest field change
    of one magnetometer before the gate stops. control_rate_hz: policy rate. episode_s: time limit.
    success_depth_m, success_lateral_m, success_travel_m: simulation's success test: depth of the tip in the target,
    lateral error, and how far the object has been drawn through or lifted (0 for insert).
    demonstrations: how many the policy is trained on.
    """

    name: str
    skill: str
    prompt: str
    target: str
    held_object: str
    tip_offset_m: float
    tip_forward_m: float
    wrist_tilt_rad: float
    wrist_window_rad: float
    start_offset_m: Vector
    start_region_m: Vector
    workspace_lower_m: Vector
    workspace_upper_m: Vector
    max_step_m: float
    max_step_rad: float
    tactile_limit_ut: float
    control_rate_hz: float
    episode_s: float
    success_depth_m: float
    success_lateral_m: float
    success_travel_m: float
    demonstrations: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in MAY_BE_NEGATIVE:
                continue
            least = "0 or more" if field.name in MAY_BE_ZERO else "more than 0"
            if isinstance(value, float) and not (value > 0.0 or (value == 0.0 and field.name in MAY_BE_ZERO)):
                raise VitalError(
                    ErrorCode.BAD_PARAMETER, f"task {self.name}: {field.name} is {value}, expected {least}"
                )
        if self.skill not in SKILLS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"task {self.name}: skill is '{self.skill}', expected one of {SKILLS}"
            )
        for name in ("start_offset_m", "start_region_m", "workspace_lower_m", "workspace_upper_m"):
            if len(getattr(self, name)) != 3:
                raise VitalError(ErrorCode.BAD_PARAMETER, f"task {self.name}: {name} needs three values")
        if not all(lo < up for lo, up in zip(self.workspace_lower_m, self.workspace_upper_m, strict=True)):
            raise VitalError(ErrorCode.BAD_PARAMETER, f"task {self.name}: the workspace box is empty")

    @property
    def period_s(self) -> float:
        """Control period of the policy."""
        return 1.0 / self.control_rate_hz

    @property
    def start_centre_m(self) -> Vector:
        """(3,) centre of the start region of the TCP relative to the target, in the target's frame."""
        x, y, z = self.start_offset_m
        return (x - self.tip_forward_m, y, z + self.tip_offset_m)

    @property
    def finish_m(self) -> Vector:
        """(3,) where the TCP ends when it succeeds, relative to the target, in the target's frame.

        A swiped object is behind the target by then, as far as it began before it.
        """
        x = -self.start_offset_m[0] if self.skill == "swipe" else 0.0
        z = self.success_travel_m if self.skill == "pick" else -self.success_depth_m
        return (x - self.tip_forward_m, 0.0, z + self.tip_offset_m)

    @property
    def starts_closed(self) -> bool:
        """Whether the gripper holds the object from the start."""
        return self.skill != "pick"


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
