"""Gives residuals of the version without a hash theirs, each in its place, whole or not at all.

`ros2 run vital_rl convert_residuals FILE_OR_FOLDER...`: what has a hash already is left as it is, so the command can be
given again. A residual is read with its base policy, `<task>.safetensors` beside it unless --checkpoint names one.
"""

import argparse
import logging
import sys
from pathlib import Path

from vital_policy.checkpoint import load_checkpoint
from vital_policy.convert_weights import check_kind, convert_all, files_of_kind
from vital_rl.residual.residual import HEADER_KEY, base_path, convert_residual


def convert(path: Path, base: Path | None = None) -> bool:
    """Convert a residual; False where it has its hash. Raises VitalError, the file is then as it was."""
    check_kind(path, HEADER_KEY)
    return convert_residual(path, load_checkpoint(base or base_path(path)))


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2: a file was refused; the others are converted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="convert_residuals", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", help="residuals, or folders of them")
    parser.add_argument("--checkpoint", type=Path, help="the base policy, if it is not beside them")
    options = parser.parse_args(arguments)
    files = files_of_kind(options.paths, HEADER_KEY)
    refused = convert_all(files, lambda path: convert(path, options.checkpoint), logging.getLogger("convert_residuals"))
    sys.exit(2 if refused else 0)


if __name__ == "__main__":
    main()
