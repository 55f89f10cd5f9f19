"""A deployment whose report has nowhere to go."""

import random
from pathlib import Path

from vital_bringup.chaos.faults.station import fill, found, note_disk_full, small_disk
from vital_bringup.chaos.judgement import Found, Judgement
from vital_bringup.chaos.stack import Stack
from vital_core.clock import steady_s, wait_until


def report_disk_full(folder: Path, domain: int, draw: random.Random) -> Found:
    """A deployment whose report goes to a disk without room: said before or at the first report, with a code."""
    judgement = Judgement()
    with small_disk(folder / "disk", 4096 * 4) as disk:
        fill(disk, 0)
        command = ["ros2", "launch", "vital_bringup", "deploy.launch.py", f"report:={disk / 'report.json'}"]
        stack = Stack(folder, domain, [*command, f"seed:={draw.randint(0, 10**6)}"])
        start = steady_s()
        wait_until(lambda: not stack.running, start + 90.0)
        stack.note_segments()
        ending = stack.ended(start, 0.0) if not stack.running else stack.end()
    log = stack.log.read_text()
    if ending.code != 1:
        judgement.note("ended", f"exit code {ending.code}, expected 1")
    note_disk_full(judgement, log)
    judgement.note("clean", ending.left() and f"left {ending.left()}")
    return found({}, judgement, log)
