"""`vital_data info | list | check | repair`: what a session holds, whether it is sound, and what can be had back."""

import argparse
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from vital_core.errors import VitalError
from vital_data.files.episode_reader import read_episode
from vital_data.files.session import EpisodeEntry, Session
from vital_data.recording.quality import faults_of
from vital_data.recording.repair import broken_files, repair_session

EXIT_FAULTY = 1


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Declare the four commands."""
    for name, run, text in (
        ("info", _info, "a session in one table"),
        ("list", _list, "one line an episode"),
        ("check", _check, "read everything and judge it again; exit code 1 when something is wrong"),
        ("repair", _repair, "have back what an interrupted recording left"),
    ):
        parser = commands.add_parser(name, help=text)
        parser.add_argument("session", type=Path)
        if name == "check":
            parser.add_argument("--mark", action="store_true", help="note what was found in the index")
        parser.set_defaults(run=run)


def _verdict(entry: EpisodeEntry) -> str:
    if entry.redo:
        return "redo"
    return entry.outcome if not entry.faults else f"{entry.outcome}, faulty"


def _info(options: argparse.Namespace, console: Console) -> int:
    session = Session.open(options.session)
    entries = session.episodes()
    usable = [entry for entry in entries if entry.usable]
    table = Table(title=str(session.folder), show_header=False)
    rows = {
        "task": session.task,
        "created": str(session.description.get("created", "unknown")),
        "episodes": f"{len(entries)}, of them {len(usable)} for training",
        "by outcome": ", ".join(f"{k} {n}" for k, n in sorted(Counter(map(_verdict, entries)).items())) or "none",
        "for training": f"{sum(e.duration_s for e in usable):.0f} s, {sum(e.frames for e in usable)} images",
        "on disk": f"{sum(e.bytes for e in entries) / 1e6:.1f} MB",
        "software": ", ".join(f"{k} {v[:12]}" for k, v in session.description.get("versions", {}).items()),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    return 0


def _list(options: argparse.Namespace, console: Console) -> int:
    session = Session.open(options.session)
    table = Table(title=str(session.folder))
    for column in ("episode", "outcome", "s", "images", "MB", "faults and notes"):
        table.add_column(column, justify="left" if column in ("outcome", "faults and notes") else "right")
    for entry in session.episodes():
        words = "; ".join([*entry.faults, *([entry.note] if entry.note else [])])
        size = f"{entry.bytes / 1e6:.1f}" if entry.bytes else "gone"
        table.add_row(str(entry.index), _verdict(entry), f"{entry.duration_s:.1f}", str(entry.frames), size, words)
    console.print(table)
    return 0


def _check(options: argparse.Namespace, console: Console) -> int:
    session = Session.open(options.session)
    problems = [
        f"{path.name} is not whole: `vital_data repair {session.folder}`" for path in broken_files(session.folder)
    ]
    for entry in track(session.episodes(), "checking", console=console):
        if not entry.path.is_file():
            problems.append(f"{entry.path.name} is gone")
            continue
        try:
            found = tuple(faults_of(read_episode(entry.path).streams))
        except VitalError as error:
            problems.append(str(error))
            continue
        if entry.usable and found:
            problems.append(f"{entry.path.name} is meant for training and has {'; '.join(found)}")
            if options.mark:
                session.append({"episode": entry.index, "faults": list(found)})
    for problem in problems:
        console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    if not problems:
        console.print(f"{len(session.episodes())} episodes, all sound")
    return EXIT_FAULTY if problems else 0


def _repair(options: argparse.Namespace, console: Console) -> int:
    repaired = repair_session(options.session)
    for one in repaired:
        console.print(
            f"episode {one.index}: {one.messages} messages, {one.frames} images had back; "
            f"the damaged file is {one.kept.name}",
            highlight=False,
            soft_wrap=True,
        )
    if not repaired:
        console.print("nothing to repair")
    return 0
