"""Tasks: one YAML file each in `vital_core/tasks/`, read into a frozen dataclass."""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from importlib import resources
from typing import Annotated, Any, Literal

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import schema
from vital_core.files.schema import Name, NotNegative, Positive, Source, Vector3

Rate = Annotated[float, Meta(gt=0.0, le=1000.0)]
WristView = Literal["window", "fisheye", "fisheye_window"]
WINDOW: WristView = "window"
WRIST_VIEWS: tuple[WristView, ...] = (WINDOW, "fisheye", "fisheye_window")
Angle = Annotated[float, Meta(ge=-3.2, le=3.2)]


@dataclass(frozen=True)
class Task:
    """What one skill is. Lengths in m, angles in rad, times in s, field in µT, positions in `link_base`.

    skill: insert (push the held object into the target), swipe (draw it through) or pick (grasp the target and
    lift it). prompt: the sentence that names the skill. target: the thing that the pointing model looks for.
    held_object: what the gripper holds at the start, or is to hold. tip_offset_m, tip_forward_m: from TCP to the
    held object's tip along the TCP's z and x, 0 for an empty gripper. wrist_tilt_rad: angle from the TCP's z,
    towards -x, to the middle of the task's window of the fisheye; wrist_window_rad: angle that the window spans.
    wrist_view: what the wrist image shows: the window as from a sensor with more pixels, the whole of a fisheye of
    128 px, or 102 x 64 px of that around the window's middle, as in the paper's release. start_offset_m:
    centre of the box of start positions, tip relative to target, in the target's frame (z up); start_region_m: its
    full extent (x, y, z). target_symmetry: in how many yaws of a full turn the target takes the held object.
    workspace_lower_m / _upper_m: box in which the TCP may move.
    max_step_m / _rad: largest commanded move in one control period. tactile_limit_ut: largest field change
    of one magnetometer before the gate stops. control_rate_hz: policy rate. episode_s: time limit.
    success_depth_m, success_lateral_m, success_travel_m: simulation's success test: depth of the tip in the target,
    lateral error, and how far the object has been drawn through or lifted (0 for insert).
    demonstrations: how many the policy is trained on.
    """

    name: Name
    skill: Literal["insert", "swipe", "pick"]
    prompt: Name
    target: Name
    held_object: Name
    tip_offset_m: NotNegative
    tip_forward_m: NotNegative
    wrist_tilt_rad: Angle
    wrist_window_rad: Annotated[float, Meta(gt=0.0, le=3.2)]
    start_offset_m: Vector3
    start_region_m: Vector3
    target_symmetry: Literal[1, 2, 4]
    workspace_lower_m: Vector3
    workspace_upper_m: Vector3
    max_step_m: Positive
    max_step_rad: Positive
    tactile_limit_ut: Positive
    control_rate_hz: Rate
    episode_s: Positive
    success_depth_m: Positive
    success_lateral_m: Positive
    success_travel_m: NotNegative
    demonstrations: Annotated[int, Meta(ge=1, le=1_000_000)]
    wrist_view: WristView = WINDOW

    def __post_init__(self) -> None:
        if not all(lo < up for lo, up in zip(self.workspace_lower_m, self.workspace_upper_m, strict=True)):
            raise VitalError(ErrorCode.BAD_PARAMETER, f"task {self.name}: the workspace box is empty")

    def seen_through(self, wrist_view: str) -> "Task":
        """The same task with another wrist image. Raises VitalError(BAD_PARAMETER) for an unknown one."""
        for known in WRIST_VIEWS:
            if wrist_view == known:
                return replace(self, wrist_view=known)
        expected = ", ".join(WRIST_VIEWS)
        raise VitalError(ErrorCode.BAD_PARAMETER, f"the wrist view is '{wrist_view}', expected one of {expected}")

    @property
    def period_s(self) -> float:
        """Control period of the policy."""
        return 1.0 / self.control_rate_hz

    @property
    def start_centre_m(self) -> Vector3:
        """(3,) centre of the start region of the TCP relative to the target, in the target's frame."""
        x, y, z = self.start_offset_m
        return (x - self.tip_forward_m, y, z + self.tip_offset_m)

    @property
    def finish_m(self) -> Vector3:
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
    return parse_task(name, resources.files("vital_core").joinpath(f"tasks/{name}.yaml").read_bytes())


def parse_task(name: str, text: bytes | str | Mapping[str, Any]) -> Task:
    """A Task from its YAML, or from the mapping in it; raises VitalError(BAD_PARAMETER) naming what is wrong."""
    source = Source(f"task file {name}", ErrorCode.BAD_PARAMETER, "write it like those in vital_core/tasks")
    values = text if isinstance(text, Mapping) else schema.plain_yaml(text, source)
    if not isinstance(values, Mapping):
        raise source.refuse(f"holds {type(values).__name__}, expected names with values")
    known = {f.name: f.default is MISSING for f in fields(Task) if f.name != "name"}
    missing = sorted(name for name, needed in known.items() if needed and name not in values)
    unknown = sorted(map(str, set(values) - set(known)))
    if missing or unknown:
        raise source.refuse(f"missing {missing or 'nothing'}, unknown {unknown or 'nothing'}")
    return schema.checked({**values, "name": name}, Task, source)
