"""A deployment whose report has nowhere to go."""

import contextlib
import random
from pathlib import Path

from vital_bringup.chaos.faults.kind import Found
from vital_bringup.chaos.faults.station import found, small_disk
from vital_bringup.chaos.stack import Stack, wait_until
from vital_core.clock import steady_s


def report_disk_full(folder: Path, domain: int, draw: random.Random) -> Found:
    """A deployment whose report goes to a disk without room: said before or at the first report, with a code."""
    violations: list[str | None] = []
    with small_disk(folder / "disk", 4096 * 4) as disk:
        with contextlib.suppress(OSError), (disk / "ballast").open("wb") as ballast:
            while True:
                ballast.write(bytes(512))
                ballast.flush()
        command = ["ros2", "launch", "vital_bringup", "deploy.launch.py", f"report:={disk / 'report.json'}"]
        stack = Stack(folder, domain, [*command, f"seed:={draw.randint(0, 10**6)}"])
        start = steady_s()
        wait_until(lambda: not stack.running, start + 90.0)
        stack.note_segments()
        ending = stack.ended(start, 0.0) if not stack.running else stack.end()
    log = stack.log.read_text()
    if ending.code != 1:
        violations.append(f"exit code {ending.code}, expected 1")
    if "DISK_FULL" not in log:
        violations.append("no line in the log says DISK_FULL")
    violations.append(ending.left() and f"left {ending.left()}")
    return found({}, violations, log)
