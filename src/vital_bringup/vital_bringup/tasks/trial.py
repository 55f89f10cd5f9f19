"""One trial: one sentence carried out once, as it is told to an operator and written in the report."""

import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from vital_core.errors import ErrorCode


class Phase(StrEnum):
    """How far a trial has come."""

    LOCALIZE = "localize"
    REACH = "reach"
    POLICY = "policy"
    DONE = "done"


# A trial that ends like this did all that it could: no fault of the system.
HONEST_ENDS = frozenset({ErrorCode.OK, ErrorCode.GIVE_UP, ErrorCode.FORCE_LIMIT})


@dataclass(frozen=True)
class Trial:
    """A trial's record. Errors in m, durations in s, tick figures in ms; NaN where nothing was measured.

    pixel: (u, v) in the colour image. localization_error_m: located point to true target. reach_error_m:
    TCP at the end of the reach to the sampled start pose. phase: the last one entered. commands_projected: carried out
    along the workspace box, as their targets left it.
    """

    trial: int
    seed: int
    task: str
    prompt: str
    phase: Phase = Phase.LOCALIZE
    success: bool = False
    error_code: ErrorCode = ErrorCode.OK
    message: str = ""
    duration_s: float = 0.0
    pixel: tuple[float, float] = (math.nan, math.nan)
    localization_error_m: float = math.nan
    reach_error_m: float = math.nan
    tick_median_ms: float = math.nan
    tick_p99_ms: float = math.nan
    jitter_p99_ms: float = math.nan
    commands_sent: int = 0
    commands_rejected: int = 0
    commands_projected: int = 0

    def failed(self, code: ErrorCode, message: str) -> "Trial":
        """This trial, ended by a failure."""
        return replace(self, success=False, error_code=code, message=message)

    @property
    def completed(self) -> bool:
        """It went through its phases: success or an honest give-up."""
        return self.error_code in HONEST_ENDS and self.phase in (Phase.POLICY, Phase.DONE)

    def to_json(self) -> dict[str, Any]:
        """Plain values; what was not measured is null."""
        values = asdict(self)
        values["phase"] = str(self.phase)
        values["error_code"] = int(self.error_code)
        values["error"] = self.error_code.name
        values["pixel"] = list(self.pixel)
        return {k: _null_for_nan(v) for k, v in values.items()}

    def line(self, total: int) -> str:
        """One line for the operator."""
        outcome = "success" if self.success else f"no success in {self.phase} ({self.error_code.name})"
        parts = [f"trial {self.trial + 1}/{total}", f"seed {self.seed}", outcome]
        for name, value, unit in (
            ("located to", 1000 * self.localization_error_m, "mm"),
            ("reached to", 1000 * self.reach_error_m, "mm"),
        ):
            if math.isfinite(value):
                parts.append(f"{name} {value:.1f} {unit}")
        parts.append(f"{self.duration_s:.1f} s")
        if math.isfinite(self.tick_median_ms):
            parts.append(
                f"tick {self.tick_median_ms:.0f}/{self.tick_p99_ms:.0f} ms, jitter {self.jitter_p99_ms:.1f} ms"
            )
        if self.commands_rejected:
            parts.append(f"{self.commands_rejected} of {self.commands_sent} commands refused")
        if self.commands_projected:
            parts.append(f"{self.commands_projected} of {self.commands_sent} commands along the workspace box")
        text = ", ".join(parts)
        return f"{text}: {self.message}" if self.message and not self.success else text


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_null_for_nan(v) for v in value]
    return value
