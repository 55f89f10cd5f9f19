"""`./vital chaos`: a campaign of faults, a soak, bring-ups in a loop, and the page that tells of them.

./vital chaos --faults 50 --kinds node_killed joints_jump
./vital chaos --resume
./vital chaos --soak 1h
./vital chaos --bringups 100
./vital chaos report runs/chaos/ledger.jsonl
"""

import argparse
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from vital_bringup.chaos import endurance, report
from vital_bringup.chaos.campaign import Campaign, Progress
from vital_bringup.chaos.faults.kind import AnyKind, Station
from vital_bringup.chaos.faults.kinds import BY_NAME, KINDS
from vital_bringup.chaos.faults.station import small_disk
from vital_bringup.chaos.ledger import Ledger, Plan
from vital_bringup.chaos.watching import clocks
from vital_core.errors import ErrorCode, VitalError

EXIT_VIOLATED, EXIT_REFUSED = 1, 2
DOMAINS = 10
EACH = 30
ROOM = "VITAL_CHAOS_ROOM"
UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def duration_s(text: str) -> float:
    """90, 90s, 10min or 1h in s."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h)?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no time: expected 90s, 10min or 1h")
    return float(found.group(1)) * UNITS_S[found.group(2) or ""]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./vital chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("run", "report", "list"), default="run")
    parser.add_argument("ledgers", nargs="*", type=Path, help="report: ledgers and summaries to tell of")
    parser.add_argument(
        "--faults", type=int, default=EACH * len(BY_NAME), help=f"how many (default: {EACH} of each kind)"
    )
    parser.add_argument("--seed", type=int, default=0, help="everything is drawn from it (default 0)")
    parser.add_argument("--kinds", nargs="+", default=list(BY_NAME), metavar="KIND", help="these only; see `list`")
    parser.add_argument("--task", default="usb_insertion")
    parser.add_argument("--out", type=Path, default=Path("runs/chaos"), help="folder (default runs/chaos)")
    parser.add_argument("--resume", action="store_true", help="go on with the ledger in the folder")
    parser.add_argument("--domain", type=int, default=60, help=f"first of {DOMAINS} ROS domains to use (default 60)")
    parser.add_argument("--soak", type=duration_s, metavar="TIME", help="trials without a fault for 1h, say")
    parser.add_argument("--bringups", type=int, metavar="N", help="bring up and end N times")
    parser.add_argument("--page", type=Path, default=Path("docs/reliability.md"), help="report: the page to write into")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def about() -> dict[str, str]:
    """Where and with what it runs."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    commit = done.stdout.strip() or "unknown"
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    machine = f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores"
    return {"commit": commit, "machine": machine, "date": time.strftime("%Y-%m-%d")}


def check_tools(kinds: Sequence[AnyKind], folder: Path) -> None:
    """Refuse before anything starts what could not be injected later. Raises VitalError that says what is missing."""
    if any(kind.jumps for kind in kinds):
        clocks.library()
    if any(isinstance(kind, Station) and kind.small_disk for kind in kinds):
        with tempfile.TemporaryDirectory(dir=folder) as room, small_disk(Path(room) / "disk", 4096):
            pass


def _campaign(options: argparse.Namespace, domains: Sequence[int]) -> int:
    unknown = [name for name in options.kinds if name not in BY_NAME]
    if unknown:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"no kind {', '.join(unknown)}; there are: {', '.join(BY_NAME)}")
    if options.faults < 1:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--faults {options.faults}: expected at least 1")
    options.out.mkdir(parents=True, exist_ok=True)
    check_tools([BY_NAME[name] for name in options.kinds], options.out)
    plan = Plan(options.seed, options.faults, tuple(options.kinds), options.task)
    ledger = Ledger(options.out / "ledger.jsonl", plan, about(), resume=options.resume)
    progress = Progress(options.faults, _say)
    for entry in ledger.entries:
        progress.done += entry.number >= 0
        progress.violated += not entry.held
        progress.spent_s += entry.seconds if entry.number >= 0 else 0.0
    Campaign(plan, BY_NAME, ledger, options.out.absolute(), domains, progress).run()
    return EXIT_VIOLATED if any(not entry.held for entry in ledger.entries) else 0


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit code."""
    domains = range(options.domain, options.domain + DOMAINS)
    if options.what == "list":
        for kind in BY_NAME.values():
            _say(f"{kind.name:26} {kind.family:20} {kind.words}")
        return 0
    if options.what == "report":
        report.write(options.page, options.ledgers or [options.out], KINDS)
        return 0
    options.out = options.out.absolute()
    if options.soak is not None:
        return endurance.soak(options.out, options.domain, options.task, options.soak, about(), _say)
    if options.bringups is not None:
        return endurance.bring_ups(options.out, options.domain, options.task, options.bringups, about(), _say)
    return _campaign(options, domains)


def in_a_room_of_its_own() -> None:
    """Begin again with a /dev/shm that nobody else uses, where that may be had (root): what is left there is ours, and
    small disks that are mounted go with it."""
    if os.getuid() != 0 or ROOM in os.environ or shutil.which("unshare") is None:
        return
    os.environ[ROOM] = "1"
    script = f'mount -t tmpfs chaos /dev/shm && exec "{sys.executable}" -m vital_bringup.chaos.chaos_main "$@"'
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "chaos", *sys.argv[1:]])


def main() -> None:
    """Entry point: exit code 0 when everything held, 1 when something did not, 2 when nothing could be begun."""
    # Started in the background, a shell hands down that Ctrl-C is ignored, and every stack would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    in_a_room_of_its_own()
    try:
        sys.exit(run(_parser().parse_args()))
    except VitalError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
