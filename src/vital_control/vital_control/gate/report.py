"""What the gate tells of itself at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from vital_control.gate.verdict import Judgement, Mode
from vital_core.errors import ErrorCode
from vital_core.owner import Owner
from vital_core.task import Task


@dataclass(frozen=True)
class GateReport:
    """The gate as others may know it; ages in s, steady time."""

    mode: Mode
    owner: Owner
    task: Task
    """Whose limits are in force."""
    last: Judgement
    last_judged_seq: int
    stop_code: ErrorCode
    stop_reason: str
    stop_number: int
    """0 while nothing is stopped."""
    hold_code: ErrorCode
    hold_reason: str
    accepted: int
    rejected: int
    projected: int
    """Of the accepted: commands that were carried out along the box, as their targets left it."""
    holds: int
    gaps: int
    """How often the gate itself stood still."""
    last_gap_s: float
    stray_readings: int
    """Joint states that were not believed."""
    joints_seen: bool
    joint_state_age_s: float
    tactile_age_s: float
    tactile_peak_ut: float
    touch_fault: str
    """Why touch allows no motion; empty: it does."""
    counts: Mapping[str, int]
    """Everything that is counted, by a name for people."""


class Reporting(Protocol):
    """A gate, as those see it who tell of it."""

    @property
    def essence(self) -> tuple[object, ...]:
        """Another one when there is something new to tell."""

    def report(self, now_s: float) -> GateReport:
        """The gate at ``now_s``."""
