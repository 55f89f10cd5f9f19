"""`vital_data plot`: a page per episode, a contact sheet of the session, a film."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task, task_names
from vital_data.files.episode_reader import read_episode
from vital_data.files.session import EpisodeEntry, Session
from vital_data.inspect.plots import EpisodePlot, sheet_row, write_contact_sheet, write_episode_figure, write_film


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Declare the command's options."""
    parser = commands.add_parser("plot", help="episodes as PNG pages, a contact sheet, films")
    parser.add_argument("session", type=Path)
    parser.add_argument("--episode", type=int, action="append", help="only this one; may be given several times")
    parser.add_argument("--out", type=Path, help="folder for the pages (default: <session>/plots)")
    parser.add_argument("--sheet", action="store_true", help="one contact sheet of the session instead of pages")
    parser.add_argument("--mp4", action="store_true", help="films instead of pages")
    parser.set_defaults(run=run)


def _chosen(session: Session, wanted: Sequence[int] | None) -> list[EpisodeEntry]:
    entries = session.episodes()
    if wanted is None:
        return entries
    if missing := sorted(set(wanted) - {entry.index for entry in entries}):
        last = entries[-1].index if entries else -1
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{session.folder} has no episode {missing[0]}, expected 0 to {last}")
    return [entry for entry in entries if entry.index in wanted]


def _plot_of(session: Session, entry: EpisodeEntry) -> EpisodePlot:
    episode = read_episode(entry.path)
    limit_ut = load_task(session.task).tactile_limit_ut if session.task in task_names() else None
    title = f"{session.folder.name}/{entry.path.stem}"
    outcome = "redo" if entry.redo else entry.outcome
    return EpisodePlot(title, episode.streams, outcome, entry.faults, limit_ut)


def run(options: argparse.Namespace, console: Console) -> int:
    """Draw what was asked for; the files' names go to the console."""
    session = Session.open(options.session)
    entries = _chosen(session, options.episode)
    if not entries:
        raise VitalError(ErrorCode.BAD_DATASET, f"session {session.folder} has no episode to draw")
    folder: Path = options.out or session.folder / "plots"
    plots = (_plot_of(session, entry) for entry in entries)
    seen = track(zip(entries, plots, strict=True), f"{session.folder.name}", total=len(entries), console=console)
    if options.sheet:
        write_contact_sheet([sheet_row(plot) for _, plot in seen], folder / "contact_sheet.png")
        console.print(f"{len(entries)} episodes in {folder / 'contact_sheet.png'}", highlight=False, soft_wrap=True)
        return 0
    for entry, plot in seen:
        path = folder / f"{entry.path.stem}{'.mp4' if options.mp4 else '.png'}"
        (write_film if options.mp4 else write_episode_figure)(plot, path)
    console.print(f"{len(entries)} {'films' if options.mp4 else 'pages'} in {folder}", highlight=False, soft_wrap=True)
    return 0
