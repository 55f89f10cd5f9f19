"""The Markdown card beside a checkpoint or a residual: how it was made and what it was measured to do.

`ros2 run vital_policy model_card FILE REPORT.json...` writes it from what `evaluate` found, one report a setting.
"""

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file
from vital_policy.checkpoint import Checkpoint, load_checkpoint
from vital_policy.residual import load_residual, residual_identity

RESIDUAL = "_residual"
Report = Mapping[str, Any]
log = logging.getLogger("model_card")


def _found(report: Report) -> str:
    low, high = report["wilson_95"]
    failures = ", ".join(f"{kind} {count}" for kind, count in sorted(report["failures"].items())) or "none"
    rate = f"{report['successes']} of {report['finished']} | {100 * low:.0f} to {100 * high:.0f} %"
    return f"| {report['setting']} | {rate} | {failures} |"


def _measured(reports: tuple[Report, ...]) -> str:
    if not reports:
        return "Not measured yet: `ros2 run vital_sim evaluate --card` fills this in."
    rows = "\n".join(_found(report) for report in reports)
    commands = "\n".join(f"    {report['command']}" for report in reports)
    return (
        f"Seeds from {', '.join(sorted({str(r['seed']) for r in reports}))}.\n\n"
        f"| setting | successes | 95 % interval | failures |\n|---|---|---|---|\n{rows}\n\nMeasured with:\n\n{commands}"
    )


def _write(path: Path, text: str) -> Path:
    card = path.with_suffix(".md")
    safe_file.write_bytes(card, text.encode())
    return card


def write_model_card(checkpoint_path: Path, *reports: Report) -> Path:
    """Write `<checkpoint>.md`; ``reports`` are what `evaluate` wrote for this very file."""
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
| file | `{checkpoint_path.name}`, fp16, known by SHA-256 `{checkpoint.sha256}` |
| largest action | {json.dumps([float(f"{v:.3g}") for v in normaliser.action_half_range])} about \
{json.dumps([float(f"{v:.3g}") for v in normaliser.action_centre])} (m, rad, gripper) |

Made by:

    {origin.command}

## Measured success
{_measured(reports)}
"""
    return _write(checkpoint_path, text)


def write_residual_card(path: Path, checkpoint: Checkpoint, *reports: Report) -> Path:
    """Write `<residual>.md` for a residual on ``checkpoint``; see `write_model_card`."""
    residual = load_residual(path, checkpoint)
    about = residual.about
    text = f"""# Residual for `{residual.task}`

| | |
|---|---|
| network | {sum(p.numel() for p in residual.actor.parameters()):,} parameters on the features of the base policy, \
{"image and touch" if residual.settings.touch else "image only"} |
| base policy | SHA-256 `{residual.base_sha256}` |
| adds at most | {json.dumps([float(f"{v:.3g}") for v in residual.scale.tolist()])} (m, rad, gripper) to an action |
| learned from | {residual.steps} steps in {about.get("episodes", "?")} episodes, {residual.version} updates, \
seed {about.get("seed", "?")} |
| file | `{path.name}`, known by SHA-256 `{residual_identity(path)}` |

Made by:

    {about.get("command") or about.get("learned", "not told")}

## Measured success, base policy and residual together
{_measured(reports)}
"""
    return _write(path, text)


def write_card(path: Path, *reports: Report) -> Path:
    """The card of a checkpoint, or of a `<task>_residual.safetensors` beside its checkpoint. Raises VitalError."""
    if not path.stem.endswith(RESIDUAL):
        return write_model_card(path, *_of(reports, "sha256", load_checkpoint(path).sha256, path))
    checkpoint = load_checkpoint(path.with_name(f"{path.stem.removesuffix(RESIDUAL)}.safetensors"))
    return write_residual_card(path, checkpoint, *_of(reports, "residual_sha256", residual_identity(path), path))


def _of(reports: tuple[Report, ...], name: str, wanted: str, path: Path) -> tuple[Report, ...]:
    for report in reports:
        if (found := report["policy"].get(name)) != wanted:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the report of {report['task']}, {report['setting']} is of {name} {found}, {path} has {wanted}: "
                "evaluate this file",
            )
    return reports


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2: refused."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="model_card", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="a checkpoint, or a <task>_residual.safetensors beside its own")
    parser.add_argument("reports", type=Path, nargs="*", help="of `evaluate`, the first setting first")
    options = parser.parse_args(arguments)
    try:
        card = write_card(options.file, *(json.loads(report.read_text()) for report in options.reports))
    except (VitalError, OSError, ValueError, KeyError) as error:
        log.error("%s", error)
        sys.exit(2)
    log.info("wrote %s", card)


if __name__ == "__main__":
    main()
