"""`ros2 run vital_bringup study NAME`: everything a table rests on, from demonstrations to page, by one command.

Can be stopped or killed anywhere; the same command goes on. First everything is trained and measured on the seeds to
choose by; `--report` measures on the seeds to report, once. Exit code 0: all that was asked for is done; 1: a cell
failed, which the page names; 2: refused.
"""

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from vital_bringup.study.cells import Cell, cells_of
from vital_bringup.study.description import read_study, shipped_studies
from vital_bringup.study.page import page
from vital_bringup.study.record import Records, State
from vital_bringup.study.runner import Options, Runner, locked
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file

EXIT_FAILED, EXIT_REFUSED, EXIT_STOPPED = 1, 2, 130
PAGE = "README.md"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help=f"{', '.join(shipped_studies())}, or the file of one's own")
    parser.add_argument("--out", type=Path, help="folder of the study (default: runs/studies/NAME)")
    parser.add_argument("--processes", type=int, default=1, help="cells at a time, each on one core")
    parser.add_argument("--report", action="store_true", help="look at the reporting seeds, once all is chosen")
    parser.add_argument("--look-again", action="store_true", help="with --report: a second look, which the page tells")
    parser.add_argument(
        "--redo", action="append", default=[], metavar="CELL", help="make a cell, and what rests on it, again"
    )
    parser.add_argument("--list", action="store_true", help="tell every cell and how far it is, and run nothing")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def resting_on(names: list[str], cells: tuple[Cell, ...]) -> list[Cell]:
    """Cells by name, and all that rest on them. Raises VitalError(BAD_PARAMETER) for a name that there is not."""
    if unknown := [name for name in names if name not in {cell.name for cell in cells}]:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"no cell {', '.join(unknown)}: --list tells all of them")
    found = set(names)
    for cell in cells:  # each after those that it reads
        if found & set(cell.after):
            found.add(cell.name)
    return [cell for cell in cells if cell.name in found]


def _list(cells: tuple[Cell, ...], records: Records) -> None:
    for cell in cells:
        record = records.read(cell)
        state = State.WAITING if record is None else record.state
        _say(f"{state:8} {cell.name}  {record.reason if record else ''}".rstrip())


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit code. Raises VitalError."""
    study = read_study(options.name)
    cells = cells_of(study)
    records = Records(options.out or Path("runs/studies") / Path(options.name).stem)
    if options.processes < 1:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--processes is {options.processes}, expected at least 1")
    if options.list:
        _list(cells, records)
        return 0
    with locked(records.folder) as lock:
        for cell in resting_on(options.redo, cells):
            if aside := records.set_aside(cell):
                _say(f"{cell.name} is made again; what was there lies in {aside}")
        failed: dict[str, str] = {}

        def write_page() -> None:
            safe_file.write_bytes(records.folder / PAGE, page(study, options.name, cells, records, failed).encode())

        how = Options(options.processes, options.report, options.look_again)
        runner = Runner(cells, records, how, _say, write_page)
        failed = runner.failed
        runner.check()
        try:
            runner.run(lock)
        finally:
            write_page()
    done = sum(records.knows(cell) for cell in cells)
    _say(f"{done} of {len(cells)} cells are done; wrote {records.folder / PAGE}")
    if not options.report and not failed:
        _say("the reporting seeds were not looked at: --report does, once")
    return EXIT_FAILED if failed else 0


def _stopped(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stopped)
    try:
        sys.exit(run(_parse(arguments)))
    except VitalError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        _say("stopped; the same command goes on")
        sys.exit(EXIT_STOPPED)


if __name__ == "__main__":
    main()
