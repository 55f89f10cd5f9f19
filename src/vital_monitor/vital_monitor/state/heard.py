"""What the stack says of itself, as the monitor keeps it: SI units, fields in µT."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Twenty times what the pad's magnetometers can measure: more, and what is no number, counts as this.
MOST_UT = 1e6


@dataclass(frozen=True)
class Gate:
    """The command gate. mode: idle, moving, holding or stopped; the box (3,) and (3,) in `link_base`, m."""

    mode: str
    owner: str
    stop_code: int
    stop_reason: str
    stop_number: int
    hold_reason: str
    verdict_text: str
    accepted: int
    rejected: int
    holds: int
    joint_state_age_s: float
    tactile_age_s: float
    tactile_peak_ut: float
    tactile_limit_ut: float
    workspace_lower_m: Array
    workspace_upper_m: Array

    @property
    def stopped(self) -> bool:
        """Whether a stop stays until a person clears it."""
        return self.mode == "stopped"


@dataclass(frozen=True)
class Tick:
    """One tick of the policy. Actions (7,): translation m, rotation vector rad (TCP frame), gripper 0 to 1."""

    task: str
    phase: str
    seq: int
    base: Array
    residual: Array
    action: Array
    commanded: bool
    message: str
    image_age_s: float
    tactile_age_s: float
    inference_s: float
    lateness_s: float
    weights_version: int
    checkpoint_sha256: str


@dataclass(frozen=True)
class Touch:
    """One reading of the pad. field_ut, change_ut: (n, 3), the change since the baseline, zeros without one."""

    field_ut: Array
    change_ut: Array
    valid: NDArray[np.bool_]
    baseline_id: int

    @property
    def drawn_ut(self) -> Array:
        """(n, 3) change within what can be drawn."""
        return np.clip(np.nan_to_num(self.change_ut, nan=MOST_UT), -MOST_UT, MOST_UT)

    @property
    def sizes_ut(self) -> Array:
        """(n,) size of each magnetometer's change; 0 where it is not valid."""
        return np.where(self.valid, np.linalg.norm(self.drawn_ut, axis=1), 0.0)


@dataclass(frozen=True)
class Learner:
    """Where the learner stands. success_20: share of the last twenty episodes that succeeded without a person's help,
    NaN before the first."""

    episodes: int
    steps: int
    updates: int
    owed: int
    updates_per_s: float
    success_20: float
    weights_version: int
    message: str


class Kind(StrEnum):
    """What a session is for."""

    RECORD = "record"
    TRAINING = "training"


@dataclass(frozen=True)
class Session:
    """A session that a person leads. phase: in lower case, as in the message; done of wanted: episodes or steps."""

    kind: Kind
    phase: str
    task: str
    message: str
    done: int
    wanted: int
    success_20: float = float("nan")
    weights_age_s: float = float("nan")

    @property
    def hands_off(self) -> bool:
        """Whether the arm goes its own way, or stands until something is saved."""
        return self.phase in ("preparing", "saving", "finished")

    @property
    def finished(self) -> bool:
        """Whether it asks nothing more."""
        return self.phase == "finished"


@dataclass(frozen=True)
class Teleop:
    """The teleoperation node. mode: idle, engaged, waiting or lost."""

    device: str
    mode: str
    message: str

    @property
    def takes_keys(self) -> bool:
        """Whether its hand is whoever says so on `/vital/operator_input`."""
        return self.device == "remote"


@dataclass(frozen=True)
class Run:
    """A sentence that is being carried out."""

    phase: str
    message: str
    elapsed_s: float


@dataclass(frozen=True)
class Result:
    """How a sentence ended. phase: in which; duration_s: NaN where it was not measured."""

    sentence: str
    success: bool
    phase: str
    message: str
    duration_s: float


@dataclass(frozen=True)
class Lens:
    """A pinhole camera: size in px, matrix (3, 3) in px, the frame that its images are in."""

    width_px: int
    height_px: int
    matrix: Array
    frame_id: str


@dataclass(frozen=True)
class Said:
    """A line for the person. steady_s: when."""

    steady_s: float
    text: str
    is_bad: bool = field(default=False)
