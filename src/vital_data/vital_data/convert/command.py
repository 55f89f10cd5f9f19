"""`vital_data convert`: sessions to LeRobotDataset v3 and back, and scripted demonstrations to sessions."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from vital_data.convert.sessions import from_lerobot, from_scripted_demos, to_lerobot
from vital_data.dataset.feature_map import load_feature_map


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Declare the command's options."""
    parser = commands.add_parser("convert", help="to and from other formats")
    parser.add_argument("source", type=Path, help="folder to read")
    parser.add_argument("out", type=Path, help="folder to write; must not be there yet")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", choices=["lerobot"], help="from a session")
    way.add_argument("--from", dest="origin", choices=["lerobot", "scripted"], help="to a session")
    parser.add_argument("--features", type=Path, help="map of topics to features (default: the package's)")
    parser.add_argument("--task", help="of a data set that does not say it")
    parser.add_argument("--all", action="store_true", help="also failures and episodes with faults")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Convert, with a progress bar."""

    def progress(items: Iterable, total: int) -> Iterable:
        return track(items, options.source.name, total=total, console=console)

    if options.origin == "scripted":
        count = from_scripted_demos(options.source, options.out, progress=progress)
    else:
        features = load_feature_map(options.features)
        if options.to:
            count = to_lerobot(options.source, options.out, features, include_unusable=options.all, progress=progress)
        else:
            count = from_lerobot(options.source, options.out, features, task=options.task, progress=progress)
    console.print(f"{count} episodes in {options.out}", highlight=False, soft_wrap=True)
    return 0
