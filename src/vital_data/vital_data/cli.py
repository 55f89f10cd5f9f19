"""`vital_data`: look at recorded sessions, convert them, draw them."""

import argparse
import logging
import sys

from rich.console import Console

from vital_core.errors import VitalError
from vital_data.convert import convert_command
from vital_data.inspect import inspect_command, play_command, plot_command

EXIT_REFUSED = 2
COMMANDS = (inspect_command, play_command, plot_command, convert_command)


def parser() -> argparse.ArgumentParser:
    """All commands; each module of COMMANDS declares its own and sets ``run(options, console) -> exit code``."""
    made = argparse.ArgumentParser(prog="vital_data", description=__doc__)
    commands = made.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
    return made


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2 for a refusal, 130 when interrupted."""
    options = parser().parse_args(arguments)
    console = Console(stderr=True)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        sys.exit(options.run(options, console))
    except VitalError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
