"""The Markdown card beside a checkpoint: how it was made and what it was measured to do.

`ros2 run vital_policy model_card FILE REPORT.json...` writes it from what `evaluate` found, one report a setting.
"""

import argparse
import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Count, Name, Source, Text
from vital_policy.checkpoint import load_checkpoint

Report = Mapping[str, Any]
LICENCE = re.compile(r"^\| licence \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """Of a report, what the card shows."""

    task: Name
    setting: Name
    policy: dict[str, Any]
    finished: Count
    successes: Count
    wilson_95: tuple[float, float]
    failures: dict[str, Count]
    seed: int
    command: Text


def _row(report: Report) -> str:
    low, high = report["wilson_95"]
    failures = ", ".join(f"{kind} {count}" for kind, count in sorted(report["failures"].items())) or "none"
    rate = f"{report['successes']} of {report['finished']} | {100 * low:.0f} to {100 * high:.0f} %"
    return f"| {report['setting']} | {rate} | {failures} |"


def measured(reports: tuple[Report, ...]) -> str:
    """A table of what was found, a row a setting, and the commands."""
    if not reports:
        return "Not measured yet: `ros2 run vital_sim evaluate --card` fills this in."
    rows = "\n".join(_row(report) for report in reports)
    commands = "\n".join(f"    {report['command']}" for report in reports)
    return (
        f"Seeds from {', '.join(sorted({str(r['seed']) for r in reports}))}.\n\n"
        f"| setting | successes | 95 % interval | failures |\n|---|---|---|---|\n{rows}\n\nMeasured with:\n\n{commands}"
    )


def licence_beside(path: Path) -> str:
    """Under which licence the card beside the weights in ``path`` gives them away; one that is made anew keeps it."""
    card = path.with_suffix(".md")
    found = LICENCE.search(card.read_text()) if card.is_file() else None
    return found.group(1) if found else "not said: it is for whoever made these weights to say, in this line"


def write_beside(path: Path, text: str) -> Path:
    """Write the card of the weights in ``path``; its path."""
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
| imitated | {f"{origin.actions} actions" if origin.actions else "not told"} |
| steps, seed | {origin.steps}, {origin.seed} |
| source | commit `{origin.commit}` |
| licence | {licence_beside(checkpoint_path)} |
| file | `{checkpoint_path.name}`, fp16, known by SHA-256 `{checkpoint.sha256}` |
| largest action | {json.dumps([float(f"{v:.3g}") for v in normaliser.action_half_range])} about \
{json.dumps([float(f"{v:.3g}") for v in normaliser.action_centre])} (m, rad, gripper), the way of \
{whose_way(normaliser.point_m)} |

Made by:

    {origin.command}

## Measured success
{measured(reports)}
"""
    return write_beside(checkpoint_path, text)


def whose_way(point_m: NDArray[np.floating]) -> str:
    """Of which point of the hand, (3,) in the TCP frame, an action's first values are the way."""
    if not point_m.any():
        return "the TCP"
    at = ", ".join(f"{1000 * value:g}" for value in point_m)
    return f"the tip, ({at}) mm from the TCP in its frame"


def check_reports(reports: tuple[Report, ...], name: str, expected: str, path: Path) -> tuple[Report, ...]:
    """The reports, where all are of the file whose identity is ``expected``; name: theirs for it. Raises VitalError."""
    for report in reports:
        if (found := report["policy"].get(name)) != expected:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the report of {report['task']}, {report['setting']} is of {name} {found}, {path} has {expected}: "
                "evaluate this file",
            )
    return reports


def read_report(path: Path) -> Report:
    """What `evaluate` wrote. Raises OSError, ValueError, and VitalError(BAD_PARAMETER) for JSON of another kind."""
    source = Source(f"report {path}", ErrorCode.BAD_PARAMETER, "give one that 'ros2 run vital_sim evaluate' wrote")
    values = schema.checked(json.loads(path.read_text()), dict[str, Any], source)
    names = {field.name for field in fields(Shown)}
    schema.checked({name: value for name, value in values.items() if name in names}, Shown, source)
    return values


def write_card(path: Path, *reports: Report) -> Path:
    """The card of a checkpoint, from reports that are of it. Raises VitalError."""
    return write_model_card(path, *check_reports(reports, "sha256", load_checkpoint(path).sha256, path))


def run(name: str, about: str | None, write: Callable[..., Path], arguments: list[str] | None) -> None:
    """The command ``name`` that writes a card from FILE and REPORT...; exit code 2: refused."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log = logging.getLogger(name)
    parser = argparse.ArgumentParser(prog=name, description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the weights")
    parser.add_argument("reports", type=Path, nargs="*", help="of `evaluate`, the first setting first")
    options = parser.parse_args(arguments)
    try:
        card = write(options.file, *(read_report(report) for report in options.reports))
    except (VitalError, OSError, ValueError) as error:
        log.error("%s", error)
        sys.exit(2)
    log.info("wrote %s", card)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    run("model_card", __doc__, write_card, arguments)


if __name__ == "__main__":
    main()
