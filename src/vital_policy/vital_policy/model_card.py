"""The Markdown card beside a checkpoint: how it was made and what it was measured to do."""

import json
from pathlib import Path
from typing import Any

from vital_core import safe_file
from vital_policy.checkpoint import load_checkpoint


def _measured(report: dict[str, Any] | None) -> str:
    if report is None:
        return "Not measured yet: `ros2 run vital_sim evaluate --card` fills this in."
    low, high = report["wilson_95"]
    failures = ", ".join(f"{kind} {count}" for kind, count in sorted(report["failures"].items())) or "none"
    return (
        f"{report['successes']} of {report['finished']} trials ({100 * report['success_rate']:.0f} %, 95 % interval "
        f"{100 * low:.0f} to {100 * high:.0f} %), setting {report['setting']}, seeds from {report['seed']}.\n"
        f"Failures: {failures}.\n\nMeasured with:\n\n    {report['command']}"
    )


def write_model_card(checkpoint_path: Path, report: dict[str, Any] | None = None) -> Path:
    """Write `<checkpoint>.md`; ``report`` is what `evaluate` wrote for this very file."""
    checkpoint = load_checkpoint(checkpoint_path)
    origin, normaliser = checkpoint.provenance, checkpoint.normaliser
    config = checkpoint.policy.config
    text = f"""# Local policy for `{checkpoint.task}`

| | |
|---|---|
| network | visuo-tactile transformer, {checkpoint.policy.parameter_count():,} parameters, \
{"image and touch" if config.touch else "image only"}, chunk of {config.chunk} |
| method | {origin.method or "not told"} |
| control rate | {checkpoint.control_rate_hz:g} Hz, deltas in the TCP frame |
| temporal ensemble | exp(-m i), oldest first, m = {checkpoint.ensemble_decay:g} |
| demonstrations | {origin.demonstrations} episodes for training, data SHA-256 `{origin.data_sha256}` |
| steps, seed | {origin.steps}, {origin.seed} |
| source | commit `{origin.commit}` |
| file | `{checkpoint_path.name}`, fp16, SHA-256 `{checkpoint.sha256}` |
| largest action | {json.dumps([float(f"{v:.3g}") for v in normaliser.action_half_range])} about \
{json.dumps([float(f"{v:.3g}") for v in normaliser.action_centre])} (m, rad, gripper) |

Made by:

    {origin.command}

## Measured success
{_measured(report)}
"""
    path = checkpoint_path.with_suffix(".md")
    safe_file.write_bytes(path, text.encode())
    return path
