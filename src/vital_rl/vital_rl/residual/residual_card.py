"""The Markdown card beside a residual: how it was made and what it was measured to do.

`ros2 run vital_rl residual_card FILE REPORT.json...` writes that of a `<task>_residual.safetensors` beside its
checkpoint, from what `evaluate` found, one report a setting.
"""

import json
from pathlib import Path

from vital_policy.checkpoint import Checkpoint, load_checkpoint
from vital_policy.model_card import Report, check_reports, licence_beside, measured, run, whose_way, write_beside
from vital_rl.residual.residual import base_path, load_residual, residual_identity


def write_residual_card(path: Path, checkpoint: Checkpoint, *reports: Report) -> Path:
    """Write `<residual>.md` for a residual on ``checkpoint``; see `write_model_card`."""
    residual = load_residual(path, checkpoint)
    about, feels = residual.about, residual.settings.touch and checkpoint.policy.config.touch
    text = f"""# Residual for `{residual.task}`

| | |
|---|---|
| network | {sum(p.numel() for p in residual.actor.parameters()):,} parameters on the features of the base policy, \
{"image and touch" if feels else "image only"} |
| base policy | SHA-256 `{residual.base_sha256}` |
| adds at most | {json.dumps([float(f"{v:.3g}") for v in residual.scale.largest.tolist()])} (m, rad, gripper) \
to an action, the way of {whose_way(residual.scale.point_m)} |
| learned from | {residual.steps} steps in {about.get("episodes", "?")} episodes, {residual.version} updates, \
seed {about.get("seed", "?")} |
| licence | {licence_beside(path)} |
| file | `{path.name}`, known by SHA-256 `{residual_identity(path)}` |

Made by:

    {about.get("command") or about.get("learned", "not told")}

## Measured success, base policy and residual together
{measured(reports)}
"""
    return write_beside(path, text)


def write_card(path: Path, *reports: Report) -> Path:
    """The card of a residual beside its checkpoint, from reports that are of it. Raises VitalError."""
    checkpoint = load_checkpoint(base_path(path))
    return write_residual_card(
        path, checkpoint, *check_reports(reports, "residual_sha256", residual_identity(path), path)
    )


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    run("residual_card", __doc__, write_card, arguments)


if __name__ == "__main__":
    main()
