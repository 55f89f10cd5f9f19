"""The report of a deployment: every trial, and what they say together."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vital_bringup.tasks.trial import Trial
from vital_core.files import safe_file
from vital_core.statistics import percentile, wilson_interval

FORMAT = "vital_report/1"


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """Success with its 95 % interval, median errors (m), tick figures (ms) and how the failures divide."""
    successes = sum(t.success for t in trials)
    low, high = wilson_interval(successes, len(trials))
    figures = {
        "localization_error_median_m": percentile([t.localization_error_m for t in trials], 50),
        "reach_error_median_m": percentile([t.reach_error_m for t in trials], 50),
        "tick_median_ms": percentile([t.tick_median_ms for t in trials], 50),
        "tick_p99_ms": max((t.tick_p99_ms for t in trials if math.isfinite(t.tick_p99_ms)), default=math.nan),
        "jitter_p99_ms": max((t.jitter_p99_ms for t in trials if math.isfinite(t.jitter_p99_ms)), default=math.nan),
    }
    return {
        "trials": len(trials),
        "completed": sum(t.completed for t in trials),
        "successes": successes,
        "success_rate": successes / len(trials) if trials else None,
        "success_interval_95": [low, high],
        **{k: v if math.isfinite(v) else None for k, v in figures.items()},
        "ends": dict(Counter("SUCCESS" if t.success else t.error_code.name for t in trials)),
    }


def write(path: Path, settings: dict[str, Any], trials: Sequence[Trial]) -> None:
    """Write the report whole; called after every trial, so that a later fault costs none of the earlier ones."""
    safe_file.write_json(
        path,
        {
            "format": FORMAT,
            **settings,
            "summary": summary(trials),
            "trials": [t.to_json() for t in trials],
        },
    )


def closing_line(trials: Sequence[Trial]) -> str:
    """What the operator reads last."""
    s = summary(trials)
    low, high = s["success_interval_95"]
    text = f"{s['successes']} of {s['trials']} succeeded (95 %: {100 * low:.0f} to {100 * high:.0f} %)"
    for name, key in (("localisation", "localization_error_median_m"), ("reach", "reach_error_median_m")):
        if s[key] is not None:
            text += f", {name} {1000 * s[key]:.1f} mm (median)"
    return text
