"""Gives checkpoints and residuals of the versions without a hash theirs, each in its place, whole or not at all.

`ros2 run vital_policy convert_weights FILE_OR_FOLDER...`: what has a hash already is left as it is, so the command can
be given again. A residual is read with its base policy, `<task>.safetensors` beside it unless --checkpoint names one.
Residuals, reports and cards know a converted file by the SHA-256 that it had.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_policy.checkpoint import convert_checkpoint, load_checkpoint
from vital_policy.residual import HEADER_KEY, convert_residual

RESIDUAL = "_residual"
log = logging.getLogger("convert_weights")


def convert(path: Path, base: Path | None = None) -> bool:
    """Convert a checkpoint or residual; False where it has its hash. Raises VitalError, the file is then as it was."""
    source = Source(str(path), ErrorCode.BAD_CHECKPOINT, "give a checkpoint, a residual or a folder of them")
    metadata = weight_file.read_header(path, source).metadata
    if HEADER_KEY in metadata:
        base = base or path.with_name(f"{path.stem.removesuffix(RESIDUAL)}.safetensors")
        return convert_residual(path, load_checkpoint(base))
    if "policy" in metadata:
        return convert_checkpoint(path)
    raise source.refuse(f"is neither (its header has {', '.join(sorted(metadata)) or 'nothing'})")


def _files(given: list[Path]) -> Iterator[Path]:
    """The files given, and of a folder what is named as weights are; a training's states are not."""
    for path in given:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.glob("*.safetensors")):
            if not file.stem.endswith(".state") and not file.name.startswith("state_"):
                yield file


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2: a file was refused; the others are converted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="convert_weights", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", help="checkpoints, residuals, or folders of them")
    parser.add_argument("--checkpoint", type=Path, help="the base policy of the residuals, if it is not beside them")
    options = parser.parse_args(arguments)
    refused = 0
    for path in _files(options.paths):
        try:
            log.info("%s %s", path, "converted" if convert(path, options.checkpoint) else "has its hash already")
        except VitalError as error:
            refused += 1
            log.error("%s", error)
    sys.exit(2 if refused else 0)


if __name__ == "__main__":
    main()
